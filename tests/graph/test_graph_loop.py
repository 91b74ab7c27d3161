import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask

from lightning_tf import Trainer
from lightning_tf.graph import graph_loop
from lightning_tf.graph.graph_loop import GraphLoop
from lightning_tf.loops.epoch_iterator import EpochIterator

# Generators that call a graph for every batch, read by several loops at once: with every thread of
# TensorFlow waiting for a batch, none would be left to make one.
AT_ONCE = """
from threading import Thread
import tensorflow as tf
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.graph.graph_loop import GraphLoop

root = tf.function(tf.sqrt)

def numbers():
    for number in range(50):
        yield root(tf.constant(float(number)))

spec = tf.TensorSpec([], tf.float32)

def added(next_batch, iterator):
    def add(i, total):
        return i + 1, total + next_batch(iterator)
    return tf.while_loop(lambda i, total: i < 50, add, (0, 0.0), parallel_iterations=1)[1]

loop = GraphLoop(added, spec)
totals = []

def read():
    with EpochIterator(tf.data.Dataset.from_generator(numbers, output_signature=spec)) as epoch:
        totals.append(float(loop(epoch.iterator)))

threads = [Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(totals)
"""


def first(next_batch, iterator):
    return next_batch(iterator)


def waits(loop: GraphLoop) -> bool:
    """Whether the loop that was traced reads by waiting itself."""
    (traced,) = loop._traced.values()
    return "IteratorGetNextSync" in {op.type for op in traced.graph.get_operations()}


@pytest.mark.parametrize(
    "batch",
    [
        tf.range(3),
        (tf.range(3), tf.ones([2, 2])),
        {"b": tf.ones([2]), "a": (tf.zeros([]), tf.ones([1]))},
    ],
    ids=["a tensor", "a pair", "a dictionary"],
)
def test_a_batch_comes_as_the_iterator_would_give_it(batch):
    dataset = tf.data.Dataset.from_tensors(batch)
    loop = GraphLoop(first, dataset.element_spec)
    assert waits(loop)
    with EpochIterator(dataset) as epoch:
        read = loop(epoch.iterator)
    tf.nest.assert_same_structure(read, batch)
    for ours, theirs in zip(tf.nest.flatten(read), tf.nest.flatten(batch), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.numpy().tolist() == theirs.numpy().tolist()


def test_ragged_batches_are_read_too():
    dataset = tf.data.Dataset.from_tensors(tf.ragged.constant([[1, 2], [3]]))
    loop = GraphLoop(first, dataset.element_spec)
    assert not waits(loop)
    with EpochIterator(dataset) as epoch:
        assert loop(epoch.iterator).to_list() == [[1, 2], [3]]


def test_the_end_of_the_data_and_its_errors_are_told():
    dataset = tf.data.Dataset.range(2).map(lambda i: tf.debugging.check_numerics(1 / i, "a half"))
    loop = GraphLoop(first, dataset.element_spec)
    with EpochIterator(dataset) as epoch:
        with pytest.raises(tf.errors.InvalidArgumentError, match="a half"):
            loop(epoch.iterator)
        assert float(loop(epoch.iterator)) == 1.0
        with pytest.raises(tf.errors.OutOfRangeError):
            loop(epoch.iterator)


def test_with_one_thread_the_iterator_is_asked(monkeypatch):
    monkeypatch.setattr(graph_loop, "_threads", lambda: 1)
    monkeypatch.setattr(graph_loop, "_permits", lambda: graph_loop.Semaphore(0))
    dataset = tf.data.Dataset.range(3)
    loop = GraphLoop(first, dataset.element_spec)
    assert not waits(loop)
    with EpochIterator(dataset) as epoch:
        assert int(loop(epoch.iterator)) == 0


def test_a_permit_is_given_back_after_an_error(monkeypatch):
    permits = graph_loop.Semaphore(1)
    monkeypatch.setattr(graph_loop, "_permits", lambda: permits)
    dataset = tf.data.Dataset.range(0)
    loop = GraphLoop(first, dataset.element_spec)
    with EpochIterator(dataset) as epoch, pytest.raises(tf.errors.OutOfRangeError):
        loop(epoch.iterator)
    assert permits.acquire(blocking=False)


def test_a_fit_beside_as_many_as_may_wait_trains_the_same_weights(monkeypatch, tmp_path):
    trained = []
    for free in (1, 0):
        monkeypatch.setattr(graph_loop, "_permits", lambda free=free: graph_loop.Semaphore(free))
        task = BoringTask()
        Trainer(max_epochs=2, seed=1, logger=False, default_root_dir=tmp_path).fit(task)
        trained.append(task.model.get_weights())
    for waiting, asking in zip(*trained, strict=True):
        np.testing.assert_array_equal(waiting, asking)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["2", "1", "3"])
def test_loops_that_run_at_once_do_not_wait_for_each_other(threads):
    run = subprocess.run(
        [sys.executable, "-c", AT_ONCE],
        env={**os.environ, "TF_NUM_INTEROP_THREADS": threads},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    total = sum(math.sqrt(number) for number in range(50))
    assert json.loads(run.stdout) == pytest.approx([total] * 4, rel=1e-6)
