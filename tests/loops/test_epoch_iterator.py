import gc
import threading
import weakref
from collections import namedtuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask
from helpers.replicated import trainer_of

from lightning_tf import DataModule, Task
from lightning_tf.data import ArrayData
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


def test_what_has_no_place_on_a_gpu_stays_on_the_host():
    dataset = tf.data.Dataset.from_tensor_slices({"x": [1.0, 2.0], "y": ["a", "b"]}).batch(1)
    assert prefetched_to("/GPU:0", dataset) is dataset


Pair = namedtuple("Pair", ["x", "y"])


@pytest.mark.parametrize(
    "element",
    [
        lambda x, y: {"x": x, "y": y},
        lambda x, y: (x, y),
        lambda x, y: Pair(x, y),
        lambda x, y: (x, {"y": (y,)}),
        lambda x, y: (y,),
    ],
    ids=["dict", "tuple", "namedtuple", "nested", "one"],
)
def test_int32_travels_as_int64_in_the_same_structure(element):
    trainer_of(2)
    arrays = element(np.float32([1, 2, 3]), np.int32([-4, 5, 2**31 - 1]))
    dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(2)
    (*_, moved) = prefetched_to("/CPU:1", dataset)
    (*_, batch) = dataset
    tf.nest.assert_same_structure(moved, batch)
    for there, here in zip(tf.nest.flatten(moved), tf.nest.flatten(batch), strict=True):
        assert there.dtype == (tf.int64 if here.dtype == tf.int32 else here.dtype)
        np.testing.assert_array_equal(there, here)


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


class SeesLabels(Task):
    """Labels are int32 in its steps, as the pipeline gives them."""

    def __init__(self, batches):
        self.model = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones")])
        x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
        y = (x[:, 0] > 0).astype("int32")
        self.data = batches(x, y)
        self.seen = set()

    def training_step(self, batch):
        return self.loss("train", *batch)

    def validation_step(self, batch):
        return self.loss("val", *batch)

    def predict_step(self, batch):
        self.seen.add(("predict", batch.dtype))
        return self.model(tf.cast(batch, tf.float32))

    def loss(self, stage, x, y):
        self.seen.add((stage, y.dtype))
        return keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(y, self.model(x), from_logits=True)
        )

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.1)


class Unknown(DataModule):
    """Batches of whose number nobody knows."""

    def __init__(self, x, y):
        super().__init__(4)
        self.arrays = x, y

    def train_dataset(self, epoch):
        dataset = tf.data.Dataset.from_tensor_slices(self.arrays).batch(self.batch_size)
        return dataset.filter(lambda x, y: True)

    def val_dataset(self):
        return self.train_dataset(0)

    def predict_dataset(self):
        return tf.data.Dataset.from_tensor_slices(whole(self.arrays[0])).batch(self.batch_size)


def whole(x):
    return (10 * x).astype("int32")


@pytest.mark.parametrize(
    "batches",
    [lambda x, y: ArrayData(x, y, batch_size=4, predict=whole(x)), Unknown],
    ids=["known", "unknown"],
)
def test_steps_get_labels_of_int32_that_were_copied_ahead(batches):
    def outcome(placement):
        trainer = trainer_of(2, seed=3, max_epochs=2)
        trainer.placement = placement
        task = SeesLabels(batches)
        trainer.fit(task)
        predicted = np.concatenate(trainer.predict(task, collect=True))
        return [*(v.numpy() for v in task.model.variables), predicted], task.seen

    weights, seen = outcome(SingleDevice("/CPU:0"))
    ahead, seen_ahead = outcome(OnGPU("/CPU:1"))
    assert seen == seen_ahead
    assert seen == {(stage, tf.int32) for stage in ("train", "val", "predict")}
    for one, other in zip(weights, ahead, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


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
