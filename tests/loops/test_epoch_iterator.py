import gc
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask
from helpers.replicated import trainer_of

from lightning_tf.data.pipeline.options import disable_autotune
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.loops.epoch_iterator import EpochIterator, prefetched_to, reading_ahead


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


class OnGPU(SingleDevice):
    """A second logical CPU that stands in for a GPU."""

    is_gpu = True


def test_batches_are_copied_ahead_to_the_device_of_their_steps():
    trainer_of(2)  # there are two logical devices now
    numbers = tf.data.Dataset.from_tensor_slices(tf.range(20, dtype=tf.int64)).batch(4)
    gpu = OnGPU("/CPU:1")
    with gpu.scope(), EpochIterator(numbers, gpu.prefetch_device) as epoch:
        batch = epoch.iterator.get_next()
        assert batch.device.endswith("CPU:1")
        assert batch.numpy().tolist() == [0, 1, 2, 3]
        rest = [epoch.iterator.get_next().numpy().sum() for _ in range(4)]
    assert rest == [22, 38, 54, 70]


@pytest.mark.parametrize("values", [["a", "b"], np.int32([1, 2])])
def test_what_has_no_place_on_a_gpu_stays_on_the_host(values):
    dataset = tf.data.Dataset.from_tensor_slices({"x": [1.0, 2.0], "y": values}).batch(1)
    assert prefetched_to("/GPU:0", dataset) is dataset


def test_a_fit_whose_batches_are_copied_ahead_has_the_same_numbers():
    def weights(placement):
        task = BoringTask()
        trainer = trainer_of(2, seed=3, max_epochs=2)
        trainer.placement = placement
        trainer.fit(task)
        predicted = np.concatenate(trainer.predict(task, collect=True))
        values = trainer.validate(task)
        return [*(v.numpy() for v in task.model.variables), predicted, [*values.values()]]

    for here, ahead in zip(weights(SingleDevice("/CPU:0")), weights(OnGPU("/CPU:1")), strict=True):
        np.testing.assert_allclose(ahead, here, rtol=1e-5, atol=1e-6)


def test_arrays_of_a_data_module_stay_on_the_host():
    devices = []

    class Data(BoringData):
        def train_dataset(self, epoch):
            dataset = super().train_dataset(epoch)
            devices.append(tf.constant(1.0).device)
            return dataset

    with tf.device("/CPU:1"):
        Data().dataset_for("train")
    assert {device[-5:] for device in devices} == {"CPU:0"}
