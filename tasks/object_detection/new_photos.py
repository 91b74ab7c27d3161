"""new_photos: images of any size to find objects in, and a row for each object that is found."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.boxes.annotated_images import AnnotatedImages
from lightning_tf.data.boxes.unannotated_images import UnannotatedImages
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.new_examples import NewExamples, examples_of
from lightning_tf.tasks.object_detection.detection_spec import DetectionSpec
from lightning_tf.tasks.object_detection.predicted_image import predicted_images

CORNERS = ("x_min", "y_min", "x_max", "y_max")


def new_photos(data: Any, spec: DetectionSpec, batch_size: int, **options: Any) -> DataModule:
    """Return images to predict, brought to the size of the network as its own were.

    Args:
        data: A folder, a file, an array, an image of pillow, or a list of these; or a DataModule.
        spec: Of the detector.
        batch_size: Images in a batch.
        **options: ``broken`` of `AnnotatedImages`.
    """
    if isinstance(data, DataModule):
        return data
    height, width, _ = spec.input_shape
    size: dict[str, Any] = {"image_size": (height, width), "resize": spec.resize}
    return UnannotatedImages(data, batch_size=batch_size, **size, **options)


def photo_examples(data: Any, module: DataModule) -> NewExamples:
    """Return the images of a module as examples with the names of their files.

    Args:
        data: What the user gave: names begin in a folder.
        module: As of `new_photos`.
    """
    examples = examples_of(module)
    if not isinstance(module, AnnotatedImages):
        return examples
    split = (module.splits or {})["predict"]
    paths = [module.annotations[index].path for index in np.asarray(split.indices).tolist()]
    if any(path is None for path in paths):
        return examples.named(row=range(len(paths)))
    is_folder = isinstance(data, (str, os.PathLike)) and os.path.isdir(os.path.expanduser(data))
    root = Path(data).expanduser() if is_folder else None
    names = [path if root is None else os.path.relpath(path, root) for path in paths if path]
    return examples.named(file=[Path(name).as_posix() for name in names])


def object_columns(
    outputs: Any, names: Mapping[str, Any], class_names: list[str]
) -> dict[str, list[Any]]:
    """Return a row for each object that was found, its box in pixels of the original image.

    Args:
        outputs: ``boxes``, ``scores``, ``labels`` and ``count`` of all images.
        names: Columns that name the images; none where they are only counted.
        class_names: Of the labels.
    """
    named = names or {"row": range(len(outputs["count"]))}
    made = ("label", "class", "score", *CORNERS)
    columns: dict[str, list[Any]] = {name: [] for name in (*named, *made)}
    for image in predicted_images(outputs, 0, lambda place: (place, "", None)):
        for box, score, label in zip(image.boxes, image.scores, image.labels, strict=True):
            for name, values in named.items():
                columns[name].append(values[image.index])
            found = (class_names[int(label)], int(label), score, *box)
            for name, value in zip(made, found, strict=True):
                columns[name].append(value)
    return columns
