"""Every example of a batch belongs to one worker, and no worker reads more than its own."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData

from lightning_tf.data import ArrayData
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.replica_batch import ReplicaBatch


class Named(NamedTuple):
    x: Any
    y: Any


def input_shards(workers, devices):
    return [InputShard(w * devices, devices, workers * devices) for w in range(workers)]


def counted(x, count, input_shard):
    """The examples that count among a worker's rows, through the parts of its replicas."""
    before, _ = input_shard.rows(count)
    replicas = [
        ReplicaBatch.cut(
            x, input_shard.first_replica + r, input_shard.num_replicas, count=count, before=before
        )
        for r in range(input_shard.local_replicas)
    ]
    return [row for r in replicas for row in r.batch.numpy()[: int(r.examples)].tolist()]


@pytest.mark.parametrize(("workers", "devices"), [(2, 1), (3, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 12, 25])
def test_replicas_of_all_workers_take_what_replicas_of_one_process_take(workers, devices, count):
    batch = tf.range(count)
    counted_rows = []
    for input_shard in input_shards(workers, devices):
        start, size = input_shard.rows(count)
        assert size >= 1
        assert [int(x) for x in input_shard.rows(tf.constant(count))] == [start, size]
        counted_rows += counted(batch[start : start + size], count, input_shard)
    assert counted_rows == list(range(count))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8, 50])
@pytest.mark.parametrize("workers", [2, 3])
def test_batches_by_index_are_those_that_are_cut(workers, batch_size):
    numbers = np.arange(20, dtype="float32")
    data = ArrayData(numbers, batch_size=batch_size, val=numbers, seed=3)
    whole = [x.tolist() for x in data.train_dataset(2).as_numpy_iterator()]
    for input_shard in input_shards(workers, 1):
        read = list(data.dataset_for("train", 2, input_shard=input_shard).as_numpy_iterator())
        cut = list(input_shard.cut(data.train_dataset(2)).as_numpy_iterator())
        assert [int(count) for _, count in read] == [len(batch) for batch in whole]
        assert [rows.tolist() for rows, _ in read] == [rows.tolist() for rows, _ in cut]


def test_an_epoch_on_all_workers_holds_every_example_once():
    numbers = np.arange(61, dtype="float32")
    data = ArrayData(numbers, batch_size=8, val=numbers, seed=0)
    counted_rows = []
    for input_shard in input_shards(3, 2):
        for rows, count in data.dataset_for("train", 1, input_shard=input_shard):
            counted_rows += counted(rows, int(count), input_shard)
    assert sorted(counted_rows) == numbers.tolist()


def test_a_worker_reads_no_index_but_its_own():
    class Source:
        def __init__(self):
            self.read = []

        def batches(self, indices, batch_size):
            self.read += indices.tolist()
            return tf.data.Dataset.from_tensor_slices(indices).batch(batch_size)

    sources = [Source(), Source()]
    for input_shard, source in zip(input_shards(2, 1), sources, strict=True):
        input_shard.batches(source.batches, np.arange(10), 4)
    assert sources[0].read == [0, 1, 4, 5, 8]
    assert sources[1].read == [2, 3, 6, 7, 9]


def test_a_resumed_worker_begins_at_the_batch_that_comes_next():
    data = ArrayData(np.arange(20.0), batch_size=8, val=np.arange(3.0), seed=1)
    input_shard = input_shards(2, 1)[1]
    whole = list(data.dataset_for("train", 3, input_shard=input_shard).as_numpy_iterator())
    rest = list(data.dataset_for("train", 3, 1, input_shard).as_numpy_iterator())
    assert [rows.tolist() for rows, _ in rest] == [rows.tolist() for rows, _ in whole[1:]]


def test_data_that_override_an_indexed_source_are_cut():
    class Doubled(ArrayData):
        def val_dataset(self):
            return super().val_dataset().map(lambda x: 2.0 * x)

    data = Doubled(np.arange(8.0), val=np.arange(4.0), batch_size=4)
    (rows, count), *_ = data.dataset_for("val", input_shard=input_shards(2, 1)[1])
    assert (rows.numpy().tolist(), int(count)) == ([4.0, 6.0], 4)


def test_a_pipeline_of_tuples_keeps_its_structure():
    data = NumberData(range(5), 5)
    pairs = data.train_dataset(0).map(lambda x: (x, {"twice": 2 * x}))
    (rows, count), *_ = input_shards(2, 1)[0].cut(pairs)
    assert rows[0].numpy().tolist() == [0, 1, 2]
    assert rows[1]["twice"].numpy().tolist() == [0, 2, 4]
    assert int(count) == 5


def test_a_pipeline_of_named_tuples_keeps_its_structure():
    pairs = NumberData(range(5), 5).train_dataset(0).map(lambda x: Named(x, 2 * x))
    (rows, count), *_ = input_shards(2, 1)[0].cut(pairs)
    assert isinstance(rows, Named)
    assert (rows.y.numpy().tolist(), int(count)) == ([0, 2, 4], 5)
