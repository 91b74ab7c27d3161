"""TextSpec: what a text task must know of its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.label_values import count_classes
from lightning_tf.data.labels import checked_class_names, checked_labels
from lightning_tf.data.pipeline.bounded_batches import bounded_batches
from lightning_tf.exceptions import DataError


@dataclass(frozen=True)
class TextSpec:
    """Classes of labeled texts.

    Attributes:
        num_classes: Labels are 0 to ``num_classes - 1``.
        class_names: A name for each label.
    """

    num_classes: int
    class_names: list[str]


def text_spec(
    data: DataModule, class_names: Sequence[str] | None = None, num_classes: int | None = None
) -> TextSpec:
    """Check the first training batch of `data` and return its spec; to be called after `setup`.

    The sources of this package carry `class_names`. Where a module has none, and no `num_classes`,
    the classes are one more than the largest training label, which costs one pass over the data, or
    over the first `MOST_BATCHES` batches of those without an end.

    Args:
        data: Batches of ``(texts, labels)``, strings of shape (batch,) and integers of shape
            (batch,).
        class_names: The classes that the data must have; None takes those that they have.
        num_classes: How many there are, where names do not tell.

    Raises:
        DataError: There are no training data, the first batch is not what it must be, the classes
            are others than `class_names`, or labels leave most classes empty.

    Example:
        >>> from lightning_tf.data.text.text_arrays import TextArrays
        >>> data = TextArrays((["good", "fine", "dull", "poor"], ["+", "+", "-", "-"]))
        >>> data.setup("fit")
        >>> text_spec(data).class_names
        ['+', '-']
    """
    _check_first_batch(data)

    known = getattr(data, "class_names", None)
    if known is not None and class_names is not None and list(known) != list(class_names):
        raise DataError(
            f"{type(data).__name__} has the classes {list(known)}, the task {list(class_names)}; "
            "a task keeps the classes that it was trained with. Make a new one for other classes."
        )

    # Names settle the number; only labels alone are counted.
    names = known if class_names is None else class_names
    count = getattr(data, "num_classes", num_classes) if names is None else len(names)
    if count is None:
        seen: set[int] = set()
        for batch in bounded_batches(_batches(data), "the classes are those"):
            seen.update(np.unique(checked_labels("training", batch[1])).tolist())
        count = count_classes(type(data).__name__, sorted(seen))
    return TextSpec(count, checked_class_names(None if names is None else list(names), count))


def _batches(data: DataModule) -> Any:
    dataset = data.dataset_for("train")
    if dataset is None:
        raise DataError(f"{type(data).__name__} has no training data; return batches of texts.")
    return dataset


def _check_first_batch(data: DataModule) -> None:
    owner = type(data).__name__
    batch = next(iter(_batches(data).take(1)), None)
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise DataError(
            f"A training batch of {owner} is {'missing' if batch is None else 'no pair'}; it must "
            "be a pair (texts, labels)."
        )

    texts, labels = batch
    if not isinstance(texts, tf.Tensor) or texts.dtype != tf.string or texts.shape.rank != 1:
        raise DataError(
            f"The texts of a training batch of {owner} are "
            f"{getattr(texts, 'dtype', type(texts).__name__)} of shape "
            f"{getattr(texts, 'shape', None)}; they must be strings of shape (batch,)."
        )

    if len(checked_labels("training", np.asarray(labels))) != len(texts):
        raise DataError(f"A training batch of {owner} has not one label for each text.")
