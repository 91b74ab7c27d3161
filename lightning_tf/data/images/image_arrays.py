"""ImageArrays: labeled images in memory, given as arrays or read by a subclass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.array_data import checked_arrays
from lightning_tf.data.images.checks import (
    check_like_training,
    checked_images,
    checked_range,
    value_range_of,
    warn_of_channels_first,
)
from lightning_tf.data.images.image_targets import (
    CLASSIFICATION,
    REGRESSION,
    check_same_targets,
    checked_objective,
    checked_targets,
    refuse_classes,
    with_precision,
)
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.label_values import place_labels, tell_untrained
from lightning_tf.data.labels import checked_class_names, checked_classes
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.exceptions import DataError

Pair = tuple[NDArray[Any], NDArray[Any]]


class ImageArrays(IndexedData):
    """Labelled images in memory.

    Batches are ``(images, labels)`` of shapes (batch, height, width, channels), in the dtype
    that was given, and (batch,), int32; of several labels or numbers (batch, targets), floats. A
    subclass overrides `read`.

    Attributes:
        objective: ``classification``, ``multi_label`` or ``regression``.
        input_shape: Height, width and channels, after `setup`.
        num_classes: Labels are 0 to ``num_classes - 1``, after `setup`.
        class_names: A name for each label, after `setup`.
        value_range: Lowest and highest value of a pixel, after `setup`.

    Args:
        train: Images (examples, height, width, channels) and labels (examples,).
        val: The same for validation; None holds out `val_fraction` of `train`.
        test: The same for testing; None holds out `test_fraction` of `train`.
        num_classes: Number of classes, of which integer labels are the places; None counts them,
            see `place_labels`.
        class_names: A name for each label; the numbers, or string labels themselves, where None.
        labels: Every value that a label can have, in the order of the classes, such as
            ``[10, 20, 30]``; None goes by what there is, and the log says how.
        value_range: The values of pixels that mean black and white; None goes by the training
            images, see `value_range_of`.
        classes: Keep only the classes of these names, relabeled in this order.
        objective: What is learned: None is ``classification``; ``multi_label`` takes labels
            (examples, labels) of 0 and 1, ``regression`` numbers (examples,) or (examples,
            numbers).
        val_fraction: Share of `train` to hold out, 0.1 where `val` is None.
        test_fraction: Share of `train` to hold out, 0 by default.
        batch_size: Examples in a global batch.
        seed: Decides the order of training examples; None follows the Trainer's seed.
        split_seed: Decides which examples are held out.

    Example:
        >>> data = ImageArrays((np.zeros((100, 8, 8, 1), "uint8"), np.arange(100) % 3))
        >>> data.setup("fit")
        >>> data.input_shape, data.num_classes, data.value_range
        ((8, 8, 1), 3, (0.0, 255.0))
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: list[str]
    value_range: tuple[float, float]

    def __init__(
        self,
        train: Pair | None = None,
        val: Pair | None = None,
        test: Pair | None = None,
        *,
        num_classes: int | None = None,
        class_names: list[str] | None = None,
        classes: list[str] | None = None,
        labels: Sequence[Any] | None = None,
        value_range: tuple[float, float] | None = None,
        objective: str | None = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        pairs = {"train": train, "val": val, "test": test}
        self._pairs = {name: pair for name, pair in pairs.items() if pair is not None}
        self._num_classes, self._names, self._classes = num_classes, class_names, classes
        self._labels, self.objective = labels, checked_objective(objective)
        refuse_classes(self.objective, num_classes=num_classes, labels=labels, classes=classes)
        if value_range is not None:
            self.value_range = checked_range(value_range)

    def read(self) -> dict[str, Pair]:
        """Return the pairs of ``train`` and, where there are any, ``val`` and ``test``.

        An override may set `class_names` and `value_range`, where it knows them better.
        """
        pairs, self._pairs = self._pairs, {}  # no second copy while training
        return pairs

    def load(self) -> dict[str, Split]:
        """Read, check and split the images."""
        read = self.read()
        images = {name: checked_images(name, pair[0]) for name, pair in read.items()}
        targets = {name: pair[1] for name, pair in read.items()}
        labels = self._classes_of if self.objective == CLASSIFICATION else self._targets_of
        pairs = {name: (images[name], array) for name, array in labels(targets).items()}
        if self._classes is not None:
            pairs = self._keep(pairs, self._classes)

        self.input_shape = pairs["train"][0].shape[1:]
        warn_of_channels_first(self.input_shape)
        for name, (x, y) in pairs.items():
            if x.shape[1:] != self.input_shape:
                raise DataError(
                    f"The {name} images have shape {x.shape[1:]}, those to train on "
                    f"{self.input_shape}; make them equal."
                )
            if len(x) != len(y):
                raise DataError(
                    f"The {name} arrays have different numbers of examples: {len(x)} images and "
                    f"{len(y)} labels."
                )
        splits = self._splits_of(pairs)

        # Of the training split alone: what is held out must not decide how inputs are scaled.
        if not hasattr(self, "value_range"):
            train = pairs["train"][0]
            if train.dtype != np.uint8:  # of bytes the largest alone decides: not worth a copy
                train = train[splits["train"].indices]
            self.value_range = value_range_of(train)
        for name, (x, _) in pairs.items():
            check_like_training(name, x, pairs["train"][0].dtype, self.value_range)
        return splits

    def _splits_of(self, pairs: dict[str, Pair]) -> dict[str, Split]:
        """Return the splits, each with a source and indices into that."""
        sources = {
            name: ArraySource(checked_arrays(name, x, None)[0], y) for name, (x, y) in pairs.items()
        }
        rows = {name: np.arange(len(y), dtype=np.int64) for name, (_, y) in pairs.items()}
        train = pairs["train"][1]
        is_classes = self.objective == CLASSIFICATION
        splits = self.hold_out(sources["train"], rows, train if is_classes else None)
        self.target_values = None if is_classes else train
        return {
            name: Split(sources.get(name, split.source), split.indices)
            for name, split in splits.items()
        }

    def _classes_of(self, targets: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Return places in the classes, and learn these."""
        # After `read`, which may have set the names. Of all splits: a class that only the test has
        # is one of the data's, too.
        names = getattr(self, "class_names", None) if self._names is None else self._names
        codes, names = place_labels(targets, self._labels, names, self._num_classes)
        largest = max(int(labels.max()) for labels in codes.values() if len(labels))
        self.num_classes = self._num_classes or (largest + 1 if names is None else len(names))
        self.class_names = checked_class_names(names, self.num_classes)
        tell_untrained({n: np.unique(c).tolist() for n, c in codes.items()}, self.class_names)
        return codes

    def _targets_of(self, targets: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Return labels or numbers of shape (examples, targets), and learn their names."""
        arrays = {name: checked_targets(name, y, self.objective) for name, y in targets.items()}
        self.num_classes = arrays["train"].shape[1]
        for name, array in arrays.items():
            check_same_targets(name, array, self.num_classes)
        self.class_names = checked_class_names(self._names, self.num_classes, fewest=1)
        if self.objective == REGRESSION:
            precise = with_precision(arrays["train"]).dtype
            arrays = {name: array.astype(precise) for name, array in arrays.items()}
        return arrays

    def _keep(self, pairs: dict[str, Pair], classes: list[str]) -> dict[str, Pair]:
        """Drop the examples of all other classes and number these anew."""
        checked_classes(classes, self.class_names, "The training data")
        relabel = np.full(self.num_classes, -1, np.int32)  # -1: not kept
        relabel[[self.class_names.index(name) for name in classes]] = np.arange(len(classes))
        self.class_names = checked_class_names(list(classes), len(classes))
        self.num_classes = len(classes)

        chosen = {name: relabel[labels] >= 0 for name, (_, labels) in pairs.items()}
        return {
            name: (x[chosen[name]], relabel[labels[chosen[name]]])
            for name, (x, labels) in pairs.items()
        }
