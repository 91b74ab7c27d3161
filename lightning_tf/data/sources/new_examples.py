"""NewExamples: examples to predict, and what names each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.stage_data import StageData
from lightning_tf.exceptions import DataError


class FileSource(Protocol):
    """What reads the inputs of files, each of which is decoded once, on its way into a batch."""

    def dataset(self, batch_size: int) -> tf.data.Dataset:
        """Return batches of all inputs in their order."""

    def batches(self, batch_size: int) -> Iterator[Any]:
        """Yield the same batches; a broken file is refused by name, or leaves with its name."""

    def explain_error(self, error: Exception) -> DataError | None:
        """Return which files are broken where reading ended with this error; None of others."""


@dataclass(frozen=True)
class NewExamples:
    """Examples to predict, in their order, and what names each of them.

    One of `arrays`, `source` and `dataset` holds them.

    Attributes:
        names: Columns of a table of predictions that tell which example a row is of: ``file``,
            ``row``, ``text``. Where there are none, rows are numbered.
        arrays: A nest of arrays in memory, first dimension the examples.
        source: Files. One that cannot be decoded is known when it is read: of those that are to be
            skipped the names leave `names` then.
        dataset: Batches, where examples can be read in their order alone.
        pixels: Returns images of some examples, float in [0, 1] of shape (n, height, width, 1 or
            3), from their indices; None of what are no images.

    Example:
        >>> examples = NewExamples({"row": [0, 1, 2]}, arrays=np.zeros((3, 4)))
        >>> [len(batch) for batch in examples.batches(2)]
        [2, 1]
    """

    names: Mapping[str, Sequence[Any]]
    arrays: Any = None
    source: FileSource | None = None
    dataset: tf.data.Dataset | None = None
    pixels: Callable[[Any], NDArray[np.floating]] | None = None

    def batches(self, batch_size: int) -> Iterator[Any]:
        """Yield batches for `predict_step`: of NumPy where the examples lie in memory."""
        if self.source is not None:
            yield from self.source.batches(batch_size)
            return
        if self.arrays is None:
            yield from self.as_dataset(batch_size)
            return
        # Without an input pipeline, which costs more than a small network.
        for start in range(0, len(tf.nest.flatten(self.arrays)[0]), batch_size):
            cut = slice(start, start + batch_size)
            yield tf.nest.map_structure(lambda array, cut=cut: array[cut], self.arrays)

    def as_dataset(self, batch_size: int) -> tf.data.Dataset:
        """Return the batches as a dataset, as the Trainer reads them."""
        if self.dataset is not None:
            return self.dataset
        if self.source is not None:
            return self.source.dataset(batch_size)
        return tf.data.Dataset.from_tensor_slices(self.arrays).batch(batch_size)

    def named(self, **names: Sequence[Any]) -> NewExamples:
        """Return them with these names."""
        return replace(self, names=names)


def examples_of(module: DataModule) -> NewExamples:
    """Return the examples that a module has to predict, in the order in which they come.

    Raises:
        DataError: It has none, or several sets.
    """
    module.ensure_setup("predict")
    dataset = module.dataset_for("predict")
    if isinstance(dataset, tf.data.Dataset):
        return NewExamples({}, dataset=dataset)
    problem = "no data" if dataset is None else "several sets of data"
    raise DataError(f"{type(module).__name__} has {problem} to predict; give one set of them.")


def prediction_data(examples: NewExamples, batch_size: int) -> DataModule:
    """Return examples as data that the Trainer predicts.

    Example:
        >>> examples = NewExamples({}, arrays=np.zeros((3, 4)))
        >>> len(prediction_data(examples, 2).predict_dataset())
        2
    """
    data = StageData({}, {"predict": examples.as_dataset(batch_size)})
    if examples.source is not None:
        data.explain_error = examples.source.explain_error  # type: ignore[method-assign]
    return data
