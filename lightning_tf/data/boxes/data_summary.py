"""What was read of images with boxes, in one line."""

from collections import Counter
from collections.abc import Mapping, Sequence

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.pipeline.order import Indices

SHOWN_CLASSES = 10


def data_summary(
    where: str,
    annotations: Sequence[ImageAnnotation],
    splits: Mapping[str, Indices],
    class_names: Sequence[str],
) -> str:
    """Return counts of images, objects and classes, objects an image, and sizes.

    Args:
        where: What the data are called.
        annotations: Of all splits.
        splits: The places of each split.
        class_names: In the order of labels.

    Example:
        >>> item = ImageAnnotation(None, (30, 40), [[0, 0, 9, 9]], ["cat"])
        >>> data_summary("cats", [item], {"train": [0]}, ["cat"])
        'cats: 1 images (train 1) of 40 x 30; 1 objects of 1 class (cat 1), 1 to 1 an image.'
    """
    counts = Counter(label for item in annotations for label in item.labels)
    numbers = [len(item.labels) for item in annotations]
    shown = [f"{name} {counts[name]}" for name in class_names[:SHOWN_CLASSES]]
    shown += [f"{len(class_names) - SHOWN_CLASSES} more"] * (len(class_names) > SHOWN_CLASSES)
    parts = ", ".join(f"{name} {len(rows)}" for name, rows in splits.items() if len(rows))
    marks = {
        "difficult": sum(int(item.difficult.sum()) for item in annotations),
        "crowds": sum(int(item.crowd.sum()) for item in annotations),
        "images without objects": numbers.count(0),
    }
    classes = f"{len(class_names)} class{'es' * (len(class_names) != 1)}"
    return (
        f"{where}: {len(annotations)} images ({parts}) of {_sizes(annotations)}; {sum(numbers)} "
        f"objects of {classes} ({', '.join(shown)}), {min(numbers)} to {max(numbers)} an image"
        + "".join(f"; {count} {name}" for name, count in marks.items() if count)
        + "."
    )


def _sizes(annotations: Sequence[ImageAnnotation]) -> str:
    sizes = sorted({item.size for item in annotations}, key=lambda size: size[0] * size[1])
    smallest, largest = (f"{width} x {height}" for height, width in (sizes[0], sizes[-1]))
    return smallest if smallest == largest else f"{smallest} to {largest} pixels"
