"""StreamBatches: batches of Grain, or of a stream of HuggingFace, which know their position."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.pipeline.options import parallel_calls
from lightning_tf.data.sources.python_batches import as_arrays, batch_spec
from lightning_tf.exceptions import DataError

ENDLESS = 2**62  # so long is what Grain repeats for ever, or longer
READ_AHEAD = 4  # batches of random access that wait; Grain's own default of 500 is for records
PACKAGES = ("grain", "datasets")
LOOKED_AT = 2  # batches: sizes in which they differ may differ in all others

Note = Callable[[int, str], None]


class StreamBatches:
    """Batches that Python reads from a source that can say and take back where it is.

    A `grain.MapDataset` is read by index: to begin at a batch costs nothing, and epoch e takes the
    e-th pass over it, as ``repeat`` would, so that a shuffle before it is another one in every
    pass. A `grain.IterDataset` and an `IterableDataset` of HuggingFace tell their state behind
    every batch. What is read are the source's elements, which must be batches; float64 becomes
    float32.

    Args:
        source: Of `is_stream`.
        name: What messages call it.
        element_spec: Of a batch; None reads two.

    Raises:
        DataError: The source gives no batch, single examples, or batches of other kinds.

    Example:
        >>> import grain
        >>> batches = StreamBatches(grain.MapDataset.range(10).batch(4), "train")
        >>> [batch.tolist() for batch in batches.dataset(epoch=0, start=1).as_numpy_iterator()]
        [[4, 5, 6, 7], [8, 9]]
    """

    def __init__(self, source: Any, name: str, element_spec: Any = None) -> None:
        self.source, self.name = source, name
        self.length = len(source) if _is_by_index(source) else None
        self.element_spec = self._learn_spec() if element_spec is None else element_spec

    def dataset(
        self, epoch: int, start: int = 0, state: str | None = None, note: Note | None = None
    ) -> tf.data.Dataset:
        """Return the batches of an epoch from number `start` on.

        Args:
            epoch: The pass, of a source that is read by index.
            start: The first batch wanted.
            state: Of the source at `start`, as it was noted; None reads the batches before.
            note: Called before a batch is handed out, with the number of the next one and the
                source's state there.
        """
        dataset = tf.data.Dataset.from_generator(
            lambda: self._read(epoch, start, state, note), output_signature=self.element_spec
        )
        if self.length is None:
            return dataset
        left = max(0, self.length - start)
        is_endless = self.length >= ENDLESS
        cardinality = tf.data.INFINITE_CARDINALITY if is_endless else left
        return dataset.apply(tf.data.experimental.assert_cardinality(cardinality))

    def _read(self, epoch: int, start: int, state: str | None, note: Note | None) -> Iterator[Any]:
        if self.length is not None:
            yield from map(as_arrays, self._by_index_from(epoch, start, self.length))
            return

        batches = _Positioned(self.source)
        note = None if _loses_buffer(self.source) else note
        if state is not None:
            batches.restore(state)
        else:
            for _ in islice(batches, start):
                pass
        for place, batch in enumerate(batches, start + 1):
            if note is not None:  # before the batch is out: it may be trained on at once
                note(place, batches.state())
            yield as_arrays(batch)

    def _by_index_from(self, epoch: int, start: int, length: int) -> Iterator[Any]:
        import grain

        source, begin, end = self.source, start, length
        if length < ENDLESS:
            source, begin, end = source.repeat(), epoch * length + start, (epoch + 1) * length
        options = grain.ReadOptions(parallel_calls(), prefetch_buffer_size=READ_AHEAD)
        yield from source.slice(slice(begin, end)).to_iter_dataset(options)

    def _learn_spec(self) -> Any:
        batches = list(islice(self._read(0, 0, None, None), LOOKED_AT))
        if not batches:
            raise DataError(f"{self.name}: the {type(self.source).__name__} gives no batch.")
        if any(np.ndim(part) == 0 for part in tf.nest.flatten(batches[0])):
            raise DataError(
                f"{self.name}: the {type(self.source).__name__} gives single examples; batch it "
                "with .batch(32)."
            )
        try:
            return tf.nest.map_structure(batch_spec, *batches)
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.name}: the first batches differ: {error}") from error


class _Positioned:
    """An iterator over a source, whose state is a text."""

    def __init__(self, source: Any) -> None:
        self._of_iterator = _package(source) == "grain"
        self._source, self._iterator = source, iter(source)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._iterator)

    def state(self) -> str:
        state = self._iterator.get_state() if self._of_iterator else self._source.state_dict()
        if isinstance(state, bytes):  # of a DataLoader of Grain
            return json.dumps({"bytes": state.decode()})
        return json.dumps({"state": state}, default=int)  # integers of NumPy

    def restore(self, text: str) -> None:
        saved = json.loads(text)
        state = saved["bytes"].encode() if "bytes" in saved else saved["state"]
        if self._of_iterator:
            self._iterator.set_state(state)
        else:
            self._source.load_state_dict(state)
            self._iterator = iter(self._source)


def is_stream(data: Any) -> bool:
    """Return whether data are of Grain, or an IterableDataset of HuggingFace; imports neither.

    Example:
        >>> import grain
        >>> is_stream(grain.MapDataset.range(3)), is_stream([1])
        (True, False)
    """
    if _package(data) == "datasets":
        return type(data).__name__ == "IterableDataset"
    names = {base.__name__ for base in type(data).__mro__ if _package_of(base) == "grain"}
    return bool(names & {"MapDataset", "IterDataset", "DataLoader"})


def _loses_buffer(source: Any) -> bool:
    """Return whether a stream of HuggingFace shuffles in a buffer, which its state leaves out."""
    part = getattr(source, "_ex_iterable", None)
    while part is not None:
        if type(part).__name__ == "BufferShuffledExamplesIterable":
            return True
        part = getattr(part, "ex_iterable", None)
    return False


def _is_by_index(data: Any) -> bool:
    return any(base.__name__ == "MapDataset" for base in type(data).__mro__)


def _package(data: Any) -> str:
    return next((p for base in type(data).__mro__ if (p := _package_of(base)) in PACKAGES), "")


def _package_of(kind: type) -> str:
    return kind.__module__.partition(".")[0]
