import gc
import threading
import weakref

import pytest
import tensorflow as tf

from lightning_tf.data.pipeline.options import disable_autotune
from lightning_tf.loops.epoch_iterator import EpochIterator, reading_ahead


def test_the_iterator_is_let_go_by_a_thread():
    with EpochIterator(tf.data.Dataset.range(3)) as epoch:
        assert int(next(epoch.iterator)) == 0
        alive = weakref.ref(epoch.iterator)
    for thread in threading.enumerate():
        if thread.name == "iterator":
            thread.join()
    gc.collect()
    assert alive() is None


def test_batches_are_made_before_they_are_asked_for():
    is_made = threading.Event()

    def numbers():
        is_made.set()
        yield 1

    spec = tf.TensorSpec([], tf.int32)
    with EpochIterator(tf.data.Dataset.from_generator(numbers, output_signature=spec)) as epoch:
        assert is_made.wait(timeout=30)
        assert int(next(epoch.iterator)) == 1


def test_a_pipeline_with_choices_of_its_own_keeps_them():
    options = tf.data.Options()
    options.threading.private_threadpool_size = 3
    dataset = tf.data.Dataset.range(3).with_options(options)
    assert reading_ahead(dataset).options().threading.private_threadpool_size == 3


@pytest.mark.parametrize(
    ("dataset", "queues"),
    [
        (tf.data.Dataset.range(3), 1),
        (tf.data.Dataset.range(3).prefetch(2), 1),
        (disable_autotune(tf.data.Dataset.range(3)), 0),
        (disable_autotune(tf.data.Dataset.range(3).prefetch(2)), 1),
    ],
    ids=["no queue", "a queue of two", "made without the tuner", "both"],
)
def test_a_queue_is_added_where_there_is_none_and_the_tuner_may_size_it(dataset, queues):
    prefetches, open_ = 0, [reading_ahead(dataset)]
    while open_:
        node = open_.pop()
        prefetches += "Prefetch" in type(node).__name__
        open_ += node._inputs()
    assert prefetches == queues
