"""ImageArrays: labelled images in memory, given as arrays or read by a subclass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.array_data import ArrayData
from lightning_tf.data.images.checks import (
    checked_class_names,
    checked_images,
    checked_labels,
    checked_value_range,
)
from lightning_tf.data.indexed_data import IndexedData, Part
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

Pair = tuple[NDArray[Any], NDArray[Any]]


class ImageArrays(IndexedData):
    """Labelled images in memory.

    Batches are ``(images, labels)`` of shapes (batch, height, width, channels), in the dtype
    that was given, and (batch,), int32. A subclass overrides `read`.

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Labels are 0 to ``num_classes - 1``, after `setup`.
        class_names: A name for each label, after `setup`.
        value_range: Lowest and highest value of a pixel, after `setup`: (0.0, 255.0) for uint8,
            else what the training images hold.

    Args:
        train: Images (examples, height, width, channels) and labels (examples,).
        val: The same for validation; None holds out `val_fraction` of `train`.
        test: The same for testing; None holds out `test_fraction` of `train`.
        num_classes: Number of classes; one more than the largest label where None.
        class_names: A name for each label; the numbers where None.
        classes: Keep only the classes of these names, relabelled in this order.
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
        *,
        val: Pair | None = None,
        test: Pair | None = None,
        num_classes: int | None = None,
        class_names: list[str] | None = None,
        classes: list[str] | None = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed)
        given = {"train": train, "val": val, "test": test}
        self._given = {name: pair for name, pair in given.items() if pair is not None}
        self._num_classes, self._names, self._wanted = num_classes, class_names, classes
        self._val_fraction, self._test_fraction = val_fraction, test_fraction

    def read(self) -> dict[str, Pair]:
        """The pairs of ``train`` and, where there are any, ``val`` and ``test``.

        An override may set `class_names` and `value_range`, where it knows them better.
        """
        given, self._given = self._given, {}
        return given

    def load(self) -> dict[str, Part]:
        """Read, check and split the images."""
        names = self._names
        pairs = {
            name: (checked_images(name, x), checked_labels(name, y, self._num_classes))
            for name, (x, y) in self.read().items()
        }
        if names is None:
            names = getattr(self, "class_names", None)
        largest = max(int(labels.max()) for _, labels in pairs.values() if len(labels))
        self.num_classes = self._num_classes or (largest + 1 if names is None else len(names))
        self.class_names = checked_class_names(names, self.num_classes)
        for name, (_, labels) in pairs.items():
            checked_labels(name, labels, self.num_classes)
        if self._wanted is not None:
            pairs = self._keep(pairs, self._wanted)
        self.input_shape = pairs["train"][0].shape[1:]
        for name, (x, _) in pairs.items():
            if x.shape[1:] != self.input_shape:
                raise DataError(
                    f"The {name} images have shape {x.shape[1:]}, those to train on "
                    f"{self.input_shape}; make them equal."
                )
        parts = ArrayData(
            *pairs["train"],
            val=pairs.get("val"),
            test=pairs.get("test"),
            val_fraction=self._val_fraction,
            test_fraction=self._test_fraction,
            split_seed=self.split_seed,
        ).load()
        if not hasattr(self, "value_range"):
            self.value_range = _value_range(pairs["train"][0], parts["train"])
        return parts

    def _keep(self, pairs: dict[str, Pair], wanted: list[str]) -> dict[str, Pair]:
        for name in wanted:
            if name not in self.class_names:
                raise ConfigurationError(
                    f"classes names {name!r}, which the data do not have."
                    f"{nearest(name, self.class_names)}"
                )
        kept = [self.class_names.index(name) for name in wanted]
        relabel = np.full(self.num_classes, -1, np.int32)
        relabel[kept] = np.arange(len(kept))
        self.class_names = checked_class_names(list(wanted), len(wanted))
        self.num_classes = len(wanted)
        chosen = {name: relabel[labels] >= 0 for name, (_, labels) in pairs.items()}
        return {
            name: (x[chosen[name]], relabel[labels[chosen[name]]])
            for name, (x, labels) in pairs.items()
        }


def _value_range(images: NDArray[Any], train: Part) -> tuple[float, float]:
    if images.dtype == np.uint8:
        return 0.0, 255.0
    seen = images[train.indices]
    return checked_value_range(seen.min(), seen.max())
