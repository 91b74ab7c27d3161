import gc
import threading
import weakref

import tensorflow as tf

from lightning_tf.epoch_iterator import EpochIterator


def test_the_iterator_is_let_go_by_a_thread():
    with EpochIterator(tf.data.Dataset.range(3)) as epoch:
        assert int(next(epoch.iterator)) == 0
        alive = weakref.ref(epoch.iterator)
    for thread in threading.enumerate():
        if thread.name == "iterator":
            thread.join()
    gc.collect()
    assert alive() is None
