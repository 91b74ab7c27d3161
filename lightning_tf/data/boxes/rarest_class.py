"""hold_out_images: splits of images whose objects have several classes."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.pipeline.splits import held_out_fractions, split_indices

_log = logging.getLogger(__name__)


def rarest_classes(annotations: Sequence[ImageAnnotation]) -> NDArray[np.int64]:
    """Return a number for each image: that of its rarest class, one of its own where it is empty.

    A class is as frequent as the images that show it; of two alike the first by name counts.

    Example:
        >>> both = ImageAnnotation(None, (9, 9), [[0, 0, 1, 1]] * 2, ["cat", "dog"])
        >>> rarest_classes([both, both.keep(np.array([0])), both.keep(np.array([], int))]).tolist()
        [2, 1, 0]
    """
    images = Counter(label for item in annotations for label in set(item.labels))
    numbers = {name: place for place, name in enumerate(sorted(images), start=1)}
    return np.array(
        [
            numbers[min(item.labels, key=lambda x: (images[x], x))] if item.labels else 0
            for item in annotations
        ],
        np.int64,
    )


def hold_out_images(
    annotations: Sequence[ImageAnnotation],
    rows: Mapping[str, Indices],
    val_fraction: float | None,
    test_fraction: float | None,
    seed: int,
) -> dict[str, Indices]:
    """Hold the missing splits out of ``train``, each with its share of images of every rare class.

    An image that alone shows a class stays in training, which is told.

    Args:
        annotations: Of all splits.
        rows: The places of ``train`` and of the splits that the data bring themselves.
        val_fraction: Share of ``train`` for validation; None means 0.1.
        test_fraction: Share of ``train`` for testing; None means 0.
        seed: Decides who goes where.

    Raises:
        ConfigurationError: A split that the data bring has a fraction too, or one is out of range.
    """
    fractions = held_out_fractions(rows, val_fraction, test_fraction)
    train = rows["train"]
    if not any(fractions.values()):
        return {**rows, **dict.fromkeys(fractions, train[:0])}

    members = [annotations[place] for place in train]
    images = Counter(label for item in members for label in set(item.labels))
    single = np.array([any(images[x] == 1 for x in item.labels) for item in members], np.bool_)
    _tell_single(sorted(name for name, count in images.items() if count == 1))

    # Shares of the whole, drawn from those that may go.
    free = np.flatnonzero(~single)
    scale = len(train) / max(len(free), 1)
    shares = [fraction * scale for fraction in fractions.values()]
    if sum(shares) >= 1:
        shares = list(fractions.values())
    classes = rarest_classes([members[place] for place in free])
    rest, *pieces = split_indices(len(free), shares, seed, classes)
    held_out = {name: train[free[piece]] for name, piece in zip(fractions, pieces, strict=True)}
    stays = np.sort(np.concatenate([free[rest], np.flatnonzero(single)]))
    return {**rows, "train": train[stays], **held_out}


def _tell_single(names: Sequence[str]) -> None:
    if names:
        _log.warning(
            "One image alone shows %s; it stays in training, and nothing measures the class.",
            ", ".join(names),
        )
