"""TextArrays: labelled texts in memory, given as lists or read by a subclass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.indexed_data import IndexedData, Part, Source
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.order import split_rows
from lightning_tf.data.text.checks import (
    checked_label_names,
    checked_texts,
    class_names_of,
    empty_texts,
    label_codes,
)
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

Pair = tuple[Any, Any]

_log = logging.getLogger(__name__)


class TextArrays(IndexedData):
    """Labelled texts in memory.

    Batches are ``(texts, labels)``: strings in UTF-8 of shape (batch,) and int32 of shape (batch,),
    the places of the labels in `class_names`. A subclass overrides `read`, or
    `load` where it has no texts in memory.

    Attributes:
        class_names: The classes of the training part, after `setup`; sorted, numbers by size,
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
        DataError: A text is empty or no string, a label is missing or none of the training part's,
            or a class has one text; raised by `setup`.

    Example:
        >>> data = TextArrays((["good", "fine", "bad", "dull"] * 5, [1, 1, 0, 0] * 5))
        >>> data.setup("fit")
        >>> data.class_names
        ['0', '1']
    """

    class_names: list[str]
    num_classes: int

    def __init__(
        self,
        train: Pair | None = None,
        *,
        val: Pair | None = None,
        test: Pair | None = None,
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
        super().__init__(batch_size, seed, split_seed)
        if empty not in ("error", "skip"):
            raise ConfigurationError(f"empty is {empty!r}.{nearest(empty, ('error', 'skip'))}")
        given = {"train": train, "val": val, "test": test}
        self._given = {name: pair for name, pair in given.items() if pair is not None}
        self._predict, self._names, self._empty = predict, class_names, empty
        self._val_fraction, self._test_fraction = val_fraction, test_fraction

    def read(self) -> Mapping[str, Pair]:
        """Texts and labels of ``train`` and, where there are any, ``val`` and ``test``."""
        given, self._given = self._given, {}
        return given

    def load(self) -> dict[str, Part]:
        """Read, check and split the texts."""
        texts: dict[str, Any] = {}
        labels: dict[str, Any] = {}
        for name, (given, given_labels) in self.read().items():
            checked = checked_texts(name, given)
            names = checked_label_names(name, given_labels, len(checked), self._names)
            kept = self.not_empty(name, len(checked), empty_texts(checked))
            texts[name], labels[name] = checked[kept], names[kept]
        return self.split(
            labels, lambda codes: ArraySource(np.concatenate(list(texts.values())), codes)
        )

    def split(
        self, labels: Mapping[str, Any], source_of: Callable[[NDArray[np.int32]], Source]
    ) -> dict[str, Part]:
        """The parts, once their labels are known: the classes, what is held out, what to predict.

        Args:
            labels: Names of the classes, by part; of texts in the order of the source.
            source_of: Makes it of the places of all labels in `class_names`.
        """
        self.class_names = class_names_of(labels["train"], self._names)
        self.num_classes = len(self.class_names)
        codes = [label_codes(name, part, self.class_names) for name, part in labels.items()]
        ends = np.cumsum([0, *map(len, codes)])
        every = np.concatenate(codes)
        members = {
            name: np.arange(start, end, dtype=np.int64)
            for name, start, end in zip(labels, ends[:-1], ends[1:], strict=True)
        }
        split = split_rows(members, every, self._val_fraction, self._test_fraction, self.split_seed)
        source = source_of(every)
        parts = {name: Part(source, indices) for name, indices in split.items()}
        if self._predict is not None:
            asked = checked_texts("predict", self._predict)
            parts["predict"] = Part(ArraySource(asked), np.arange(len(asked), dtype=np.int64))
        return parts

    def not_empty(self, name: str, count: int, empty: NDArray[np.int64]) -> NDArray[np.int64]:
        """The indices of the texts to go on with.

        Args:
            name: Of the part.
            count: Of its texts.
            empty: The indices of empty ones.

        Raises:
            DataError: There are empty ones and they are not to be left out.
        """
        if len(empty):
            told = f"{len(empty)} of {count} {name} texts are empty, the first at index"
            if self._empty == "error":
                raise DataError(
                    f"{told} {empty[0]}. Remove them, or pass empty='skip' to go on without them."
                )
            _log.warning("%s %d. They are left out.", told, empty[0])
        return np.setdiff1d(np.arange(count), empty)
