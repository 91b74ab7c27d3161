"""TextArrays: labeled texts in memory, given as lists or read by a subclass."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.indexed_data import IndexedData, Source, Split
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.splits import consecutive_rows
from lightning_tf.data.sources.skip_or_raise import ACTIONS, skip_or_raise
from lightning_tf.data.text.checks import (
    checked_label_names,
    checked_texts,
    encode_labels,
    find_class_names,
    find_empty_texts,
)

Pair = tuple[Any, Any]


class TextArrays(IndexedData):
    """Labelled texts in memory.

    Batches are ``(texts, labels)``: strings in UTF-8 of shape (batch,) and int32 of shape (batch,),
    the places of the labels in `class_names`. A subclass overrides `read`, or
    `load` where it has no texts in memory.

    Attributes:
        class_names: The classes of the training split, after `setup`; sorted, numbers by size,
            where they are not given.
        num_classes: How many there are, after `setup`.

    Args:
        train: Texts (strings) and labels (strings or integers).
        val: The same for validation; None holds out `val_fraction` of `train`.
        test: The same for testing; None holds out `test_fraction` of `train`.
        predict: Texts to predict; without them, the test texts are predicted.
        class_names: Names of the classes, in their order; integer labels are places in it.
        empty: What to do with texts that hold nothing but white space: ``error`` names the first,
            ``skip`` leaves them out of training, validation and testing, and warns once.
        val_fraction: Share of `train` to hold out, 0.1 where `val` is None.
        test_fraction: Share of `train` to hold out, 0 by default.
        batch_size: Texts in a global batch.
        seed: Decides the order of training texts; None follows the Trainer's seed.
        split_seed: Decides which texts are held out.

    Raises:
        ConfigurationError: `empty` is neither, or a fraction is out of range.
        DataError: A text is empty or no string, a label is missing or none of the training split's,
            or a class has one text; raised by `setup`.

    Example:
        >>> data = TextArrays((["good", "fine", "bad", "dull"] * 5, [1, 1, 0, 0] * 5))
        >>> data.setup("fit")
        >>> data.class_names
        ['0', '1']
    """

    class_names: list[str]
    num_classes: int
    fewest_texts: int = 2

    def __init__(
        self,
        train: Pair | None = None,
        val: Pair | None = None,
        test: Pair | None = None,
        *,
        predict: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        empty: Literal["error", "skip"] = "error",
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
        self._predict, self._names = predict, class_names
        self._empty = checked_choice("empty", empty, ACTIONS)

    def read(self) -> Mapping[str, Pair]:
        """Return texts and labels of ``train`` and, where there are any, ``val`` and ``test``."""
        pairs, self._pairs = self._pairs, {}  # no second copy while training
        return pairs

    def load(self) -> dict[str, Split]:
        """Read, check and split the texts."""
        texts: dict[str, NDArray[np.object_]] = {}
        labels: dict[str, NDArray[np.object_]] = {}
        for name, (split_texts, split_labels) in self.read().items():
            checked = checked_texts(name, split_texts)
            names = checked_label_names(name, split_labels, len(checked), self._names)
            chosen = self.skip_empty(name, len(checked), find_empty_texts(checked))
            texts[name], labels[name] = checked[chosen], names[chosen]
        return self.split(
            labels, lambda codes: ArraySource(np.concatenate(list(texts.values())), codes)
        )

    def split(
        self,
        labels: Mapping[str, NDArray[np.object_]],
        make_source: Callable[[NDArray[np.int32]], Source],
    ) -> dict[str, Split]:
        """Return the splits, once their labels are known, and learn the classes.

        Args:
            labels: Names of the classes, by split; of texts in the order of the source.
            make_source: Makes it of the places of all labels in `class_names`.
        """
        self.class_names = find_class_names(labels["train"], self._names, self.fewest_texts)
        self.num_classes = len(self.class_names)
        # Classes are those of training; a label that only a held-out split has is an error.
        codes = np.concatenate(
            [encode_labels(name, names, self.class_names) for name, names in labels.items()]
        )

        rows = consecutive_rows({name: len(names) for name, names in labels.items()})
        splits = self.hold_out(make_source(codes), rows, codes)
        if self._predict is not None:
            texts = checked_texts("predict", self._predict)
            splits["predict"] = Split(ArraySource(texts), np.arange(len(texts), dtype=np.int64))
        return splits

    def skip_empty(self, name: str, count: int, empty: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the texts to go on with.

        Args:
            name: Of the split.
            count: Of its texts.
            empty: The indices of empty ones.

        Raises:
            DataError: There are empty ones and they are not to be skipped.
        """
        if len(empty):
            problem = (
                f"{len(empty)} of {count} {name} texts are empty, the first at index {empty[0]}"
            )
            skip_or_raise("empty", self._empty, problem)
        return np.setdiff1d(np.arange(count), empty)
