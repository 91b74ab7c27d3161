"""PythonBatches: batches that Python makes, as tf.data.Datasets that can be read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.data.pipeline.order import epoch_order
from lightning_tf.exceptions import ConfigurationError, DataError

LOOKED_AT = 2  # batches: sizes in which they differ may differ in all others


class PythonBatches:
    """Batches of a `keras.utils.PyDataset`, a torch DataLoader, a list, or a generator function.

    Arrays, tensors of any library and numbers become tensors, float64 becomes float32; a list of
    arrays is several inputs, as for Keras. The batches of a PyDataset and of a list are shuffled by
    (seed, epoch), and a resumed epoch reads only what is left. A DataLoader shuffles by itself: its
    generator, or torch's, is seeded by (seed, epoch). A function is called for every epoch.

    Args:
        source: The batches.
        shuffle: Whether the order of the batches changes by epoch, as in Keras' fit; of a PyDataset
            or a list.
        name: What messages call it.

    Raises:
        ConfigurationError: The source can be read only once, or is nothing of these.
        DataError: It gives no batch.

    Example:
        >>> batches = PythonBatches([np.ones((4, 2)), np.zeros((3, 2))], shuffle=False)
        >>> [batch.shape for batch in batches.dataset(seed=0, epoch=0).as_numpy_iterator()]
        [(4, 2), (3, 2)]
    """

    def __init__(self, source: Any, *, shuffle: bool = True, name: str = "data") -> None:
        kind = f"{name} is a {type(source).__name__}"
        if isinstance(source, Iterator):
            raise ConfigurationError(
                f"{kind}, which can be read only once, and every epoch reads again; give the "
                "function that makes it, without calling it."
            )
        if not is_python_batches(source):
            raise ConfigurationError(
                f"{kind}, which gives no batches; give a batched tf.data.Dataset, a PyDataset, a "
                "torch DataLoader, a list of batches, or a function that returns an iterator."
            )
        self.source = source
        self.is_by_index = isinstance(source, (keras.utils.PyDataset, list))
        self._shuffle = shuffle and self.is_by_index
        self.length = _length(source)
        self.element_spec = self._learn_spec()

    def dataset(self, seed: int, epoch: int, start: int = 0) -> tf.data.Dataset:
        """Return the batches of an epoch from number `start` on.

        Args:
            seed: Of the order.
            epoch: The epoch.
            start: The first batch wanted.
        """
        dataset = tf.data.Dataset.from_generator(
            lambda: self._read(seed, epoch, start), output_signature=self.element_spec
        )
        if self.length is not None:
            left = max(0, self.length - start)
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(left))
        return dataset

    def _read(self, seed: int, epoch: int, start: int) -> Iterator[Any]:
        if self.is_by_index and self.length is not None:
            order = np.arange(self.length)
            order = epoch_order(order, seed, epoch) if self._shuffle else order
            # A PyDataset keeps Keras' hooks: some draw their own order in them.
            _call(self.source, "on_epoch_begin")
            yield from (as_arrays(self.source[int(place)]) for place in order[start:])
            _call(self.source, "on_epoch_end")
            return

        _seed_loader(self.source, seed, epoch)
        batches: Iterable[Any] = self.source() if _is_function(self.source) else self.source
        yield from (as_arrays(batch) for batch in islice(batches, start, None))

    def _learn_spec(self) -> Any:
        batches = list(islice(self._read(0, 0, 0), LOOKED_AT))
        if not batches:
            raise DataError(f"The {type(self.source).__name__} gives no batch; give at least one.")
        try:
            return tf.nest.map_structure(batch_spec, *batches)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The first batches of the {type(self.source).__name__} differ: {error}"
            ) from error


def is_python_batches(data: Any) -> bool:
    """Return whether data are batches that Python makes, which can be read again.

    Example:
        >>> is_python_batches(lambda: iter([])), is_python_batches("photos")
        (True, False)
    """
    if isinstance(data, (str, bytes, Mapping, tuple, np.ndarray, tf.Tensor, tf.data.Dataset)):
        return False
    if isinstance(data, keras.utils.PyDataset) or _is_loader(data) or _is_function(data):
        return True
    # A list of numbers or of texts is data; one of arrays or of tuples of arrays is batches.
    return isinstance(data, list) and bool(data) and _is_batch(data[0])


def as_arrays(batch: Any) -> Any:
    """Return a batch as a nest of tuples and dicts of arrays.

    Args:
        batch: Of arrays, tensors of any library, numbers and texts.

    Example:
        >>> as_arrays([np.zeros(2), [1.0, 2.0]])[1].dtype
        dtype('float32')
    """
    if isinstance(batch, Mapping):
        return {key: as_arrays(value) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(as_arrays(value) for value in batch)
    if isinstance(batch, list) and any(np.ndim(value) or _is_tensor(value) for value in batch):
        return tuple(as_arrays(value) for value in batch)

    array = np.asarray(batch.detach().cpu() if hasattr(batch, "detach") else batch)
    if array.dtype.kind == "U":
        return array.astype(object)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def batch_spec(first: Any, *others: Any) -> tf.TensorSpec:
    """Return the spec of an array whose first size, and sizes that differ, are open."""
    sizes = [
        None if place == 0 or any(other.shape[place] != size for other in others) else size
        for place, size in enumerate(first.shape)
    ]
    dtype = tf.string if first.dtype == object or first.dtype.kind == "S" else first.dtype
    return tf.TensorSpec(sizes, dtype)


def _length(source: Any) -> int | None:
    """Return the number of batches, None where nobody knows."""
    if isinstance(source, keras.utils.PyDataset):
        return None if source.num_batches is None else int(source.num_batches)
    try:
        return len(source)
    except TypeError:
        return None


def _is_batch(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return bool(value) and all(np.ndim(part) or isinstance(part, Mapping) for part in value)
    return isinstance(value, Mapping) or np.ndim(value) > 1


def _is_loader(data: Any) -> bool:
    """Return whether data are a torch DataLoader, without importing torch."""
    return any(
        base.__module__.startswith("torch.utils.data") and base.__name__ == "DataLoader"
        for base in type(data).__mro__
    )


def _is_function(data: Any) -> bool:
    is_type = isinstance(data, type) or hasattr(data, "train_dataset")
    return isinstance(data, Callable) and not is_type  # type: ignore[arg-type]


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _seed_loader(source: Any, seed: int, epoch: int) -> None:
    """Make a DataLoader's order that of (seed, epoch)."""
    if not _is_loader(source):
        return
    import torch

    state = int(np.random.RandomState([seed, epoch]).randint(2**31))
    if source.generator is not None:
        source.generator.manual_seed(state)
    else:
        torch.manual_seed(state)


def _call(source: Any, name: str) -> None:
    hook: Callable[[], Any] | None = getattr(source, name, None)
    if hook is not None:
        hook()
