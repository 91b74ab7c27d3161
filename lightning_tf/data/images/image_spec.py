"""ImageSpec: what an image task must know of its data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.first_training_batch import first_training_batch
from lightning_tf.data.images.checks import HALF_WHITE, checked_images, range_of_limits
from lightning_tf.data.images.image_targets import (
    CLASSIFICATION,
    checked_objective,
    checked_targets,
)
from lightning_tf.data.label_values import count_classes
from lightning_tf.data.labels import checked_class_names, checked_labels
from lightning_tf.data.pipeline.bounded_batches import bounded_batches
from lightning_tf.exceptions import DataError


@dataclass(frozen=True)
class ImageSpec:
    """Shape, classes and values of labeled images.

    Attributes:
        input_shape: Height, width and channels of an image.
        num_classes: Labels are 0 to ``num_classes - 1``.
        class_names: A name for each label.
        value_range: Lowest and highest value of a pixel, such as (0.0, 255.0).
        objective: What is learned of an image: its class, which of several labels it has, or
            numbers; then classes are labels or numbers.
        precise_targets: Whether numbers to learn are float64.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: list[str]
    value_range: tuple[float, float]
    objective: str = CLASSIFICATION
    precise_targets: bool = False


@dataclass(frozen=True)
class ScannedBatches:
    """What a look at batches found.

    Attributes:
        labels: Every label that there is, sorted.
        low: The lowest value of a pixel.
        high: The highest.
    """

    labels: list[int]
    low: float
    high: float


def image_spec(
    data: DataModule,
    num_classes: int | None = None,
    class_names: list[str] | None = None,
    fewest_classes: int = 2,
) -> ImageSpec:
    """Check the first training batch of `data` and return its spec; to be called after `setup`.

    The sources of this package have attributes of the same names. Where a module
    has none, ``num_classes`` is one more than the largest training label and the value range what
    `value_range_of` says. Unless both are known, that costs one pass over the training data, or
    over the first `MOST_BATCHES` batches of those without an end. Images of uint8 of which the
    first batch has a bright pixel are in [0, 255] without a look at the others.

    Args:
        data: Batches of ``(images, labels)`` with shapes (batch, height, width, channels) and
            (batch,); or with an attribute `objective` that says ``multi_label`` or ``regression``
            and labels of shape (batch, targets).
        num_classes: Number of classes, if it is known.
        class_names: Their names, if they are known.
        fewest_classes: How many there must be.

    Raises:
        DataError: There are no training data, the first batch is not what it must be, or labels
            leave most classes empty.

    Example:
        >>> data = image_data("digits")
        >>> data.setup("fit")
        >>> image_spec(data).input_shape
        (8, 8, 1)
    """
    # What the caller knows, then what the module says, and only then what its labels show.
    if num_classes is None:
        num_classes = None if class_names is None else len(class_names)
        num_classes = getattr(data, "num_classes", None) if num_classes is None else num_classes

    objective = checked_objective(getattr(data, "objective", None))
    images, labels = _first_pair(data, num_classes, objective)
    if objective != CLASSIFICATION:
        num_classes, fewest_classes = labels.shape[1], 1
    value_range = getattr(data, "value_range", None)
    if value_range is None and images.dtype == np.uint8 and images.max() > HALF_WHITE:
        value_range = (0.0, 255.0)

    # Only what nobody knows is worth a pass over the data.
    if num_classes is None or value_range is None:
        scanned = scan_batches([data.dataset_for("train")], objective)
        if num_classes is None:
            num_classes = count_classes(type(data).__name__, scanned.labels)
        if value_range is None:
            value_range = range_of_limits(images.dtype, scanned.low, scanned.high)

    height, width, channels = getattr(data, "input_shape", images.shape[1:])
    names = getattr(data, "class_names", None) if class_names is None else class_names
    return ImageSpec(
        (int(height), int(width), int(channels)),
        num_classes,
        checked_class_names(names, num_classes, fewest_classes),
        (float(value_range[0]), float(value_range[1])),
        objective,
        labels.dtype == np.float64,
    )


def scan_batches(
    datasets: Iterable[tf.data.Dataset | None], objective: str = CLASSIFICATION
) -> ScannedBatches:
    """Look at every batch of the training dataset, and at the labels of others.

    Args:
        datasets: Batches of ``(images, labels)``, those of training first.
        objective: Labels are looked at where they are classes.

    Raises:
        DataError: Labels are no integers, or negative.
    """
    values: set[int] = set()
    low, high = np.inf, -np.inf
    for place, dataset in enumerate(datasets):
        if dataset is None:
            continue
        name = "training" if place == 0 else "held-out"
        what = "classes and values of pixels are those"
        for images, labels, *_ in bounded_batches(dataset, what):
            if objective == CLASSIFICATION:
                values.update(np.unique(checked_labels(name, labels)).tolist())
            if place == 0:
                low, high = min(low, float(images.min())), max(high, float(images.max()))
    return ScannedBatches(sorted(values), low, high)


def _first_pair(
    data: DataModule, num_classes: int | None, objective: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    owner, batch = type(data).__name__, first_training_batch(data)
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise DataError(
            f"A training batch of {owner} is a {type(batch).__name__}"
            f"{f' of {len(batch)}' if isinstance(batch, (tuple, dict)) else ''}; "
            "it must be a pair (images, labels)."
        )

    images = checked_images("training", batch[0])
    if objective == CLASSIFICATION:
        labels: NDArray[Any] = checked_labels("training", batch[1], num_classes)
    else:
        labels = checked_targets("training", batch[1], objective)

    if len(images) != len(labels):
        raise DataError(
            f"The first training batch of {owner} has {len(images)} images and "
            f"{len(labels)} labels; there must be one label for each image."
        )
    return images, labels
