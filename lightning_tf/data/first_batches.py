"""What several workers read, compared by their first batches: one whole, or each its own share."""

import hashlib
import random
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import DataError

SAMPLE = 256  # numbers of a tensor, evenly spread, that workers exchange
NEAR = 5e-3  # of the largest: machines decode an image, and add up floats, with small differences


def refuse_different(workers: Workers, dataset: tf.data.Dataset, method: str) -> None:
    """Refuse data of which every worker would take its rows, but which are not the same on all.

    Tensors that differ from read to read, as by random augmentation, are passed over, unless all
    of them do. Every worker calls it.

    Args:
        workers: Those that compare.
        dataset: Batches.
        method: That gave them, such as ``Mine.train_dataset``.

    Raises:
        DataError: The first batches differ; on all workers.
    """
    here, known = _exchanged(workers, dataset)
    differs = _first_other(known, range(len(here or ())))
    if differs is None:
        return

    again, _ = _exchanged(workers, dataset)
    steady = (
        [] if here is None or again is None else [a == b for a, b in zip(here, again, strict=True)]
    )
    places = _everywhere(workers.all_gather_object(steady))
    differs = _first_other(known, places) if places else differs
    if differs is None:
        return

    stage = method.rpartition(".")[2].removesuffix("_dataset")
    arguments = "self, epoch, worker, count" if stage == "train" else "self, worker, count"
    remedy = "Return the same batches on every worker (files in sorted order, shuffled with a seed)"
    if stage != "predict":
        remedy += (
            f", or let every worker read records of its own: def {stage}_shard({arguments}), which "
            "returns the worker's batches, of batch_size // count rows"
        )
    raise DataError(
        f"{method}: the first batch of worker {differs} is not that of worker 0. Every worker "
        "reads the whole data and computes with its rows of each batch, so that records would be "
        f"left out or come twice. {remedy}."
    )


def refuse_equal(workers: Workers, dataset: tf.data.Dataset, method: str, batch_size: int) -> None:
    """Refuse shares of the workers that are empty, or the whole data on each; all workers call it.

    Args:
        workers: Those that compare.
        dataset: The worker's own batches.
        method: That gave them, such as ``Mine.train_shard``.
        batch_size: Of a global batch.

    Raises:
        DataError: A worker has no batch, all have the same one, or each has a whole one.
    """
    _, known = _exchanged(workers, dataset)
    if None in known:
        raise DataError(
            f"{method}: the share of worker {known.index(None)} of {workers.count} is empty; give "
            "every worker a batch: make more shards than there are workers, or take every count-th "
            "record with dataset.shard(count, worker)."
        )
    if all(each == known[0] for each in known):
        raise DataError(
            f"{method}: the first batches of all {workers.count} workers are equal, so that every "
            f"record would count {workers.count} times. Return the records of `worker` alone, such "
            "as dataset.shard(count, worker), or the whole data from "
            f"{method.rpartition('.')[2].removesuffix('_shard')}_dataset."
        )
    if all(each[0]["shape"][:1] == [batch_size] for each in known):
        raise DataError(
            f"{method}: every worker's batch has {batch_size} rows, as many as the global batch; "
            f"give its share of them: .batch(self.batch_size // count), {batch_size} // "
            f"{workers.count}."
        )


def _exchanged(workers: Workers, dataset: tf.data.Dataset) -> tuple[Any, list[Any]]:
    """Return the description of this worker's first batch, and those of all."""
    python, numpy = random.getstate(), np.random.get_state()  # a generator may draw
    try:
        here = workers.unless_one_fails(lambda: _described(dataset))
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
    return here, workers.all_gather_object(here)


def _described(dataset: tf.data.Dataset) -> list[dict[str, Any]] | None:
    """Return what tells a first batch from another, tensor by tensor; None where there is none."""
    batch = next(iter(dataset.take(1)), None)
    if batch is None:
        return None
    tensors = tf.nest.flatten(batch, expand_composites=True)
    return [_of_array(np.asarray(tensor.numpy())) for tensor in tensors]


def _of_array(array: np.ndarray) -> dict[str, Any]:
    content = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    described = {
        "shape": list(array.shape),
        "digest": hashlib.sha256(content).hexdigest(),
        "dtype": array.dtype.name,
    }
    if array.dtype.kind in "fV":  # V: bfloat16
        flat = array.reshape(-1)[:: max(1, -(-array.size // SAMPLE))]
        described["sample"] = flat.astype(np.float64).tolist()
    return described


def _first_other(known: list[Any], places: Any) -> int | None:
    """Return the first worker whose batch is not that of worker 0, in the tensors at `places`."""
    for worker, other in enumerate(known[1:], start=1):
        if known[0] is None or other is None or len(known[0]) != len(other):
            if known[0] is not other:
                return worker
        elif not all(_alike(known[0][place], other[place]) for place in places):
            return worker
    return None


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one == other:
        return True
    if one["shape"] != other["shape"] or "sample" not in one or "sample" not in other:
        return False
    samples = np.array([one["sample"], other["sample"]])  # (2, samples)
    largest = np.max(np.abs(samples), initial=0.0, where=np.isfinite(samples))
    return bool(np.allclose(samples[0], samples[1], rtol=0.0, atol=NEAR * largest, equal_nan=True))


def _everywhere(steady: list[list[bool]]) -> list[int]:
    """Return the places of tensors that are the same at every read, on every worker."""
    if len({len(each) for each in steady}) != 1:
        return []
    return [place for place in range(len(steady[0])) if all(each[place] for each in steady)]
