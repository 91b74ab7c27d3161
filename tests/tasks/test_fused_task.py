"""FusedTask: Keras' normalisation computes fused while a Trainer works, and is Keras' own after."""

import keras
import numpy as np
import pytest
from boring import fitted, named, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import ImageClassification, KerasTask, TransferLearning

# Keras reads variables for a file in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (48, 8, 8, 3)).astype("uint8")
Y = (np.arange(48) % 2).astype("int32")
KERAS = keras.layers.BatchNormalization


class Looks(Callback):
    """Notes which classes normalise while a stage runs."""

    def __init__(self):
        self.seen = {}

    def on_train_epoch_end(self, trainer, task):
        self.seen["fit"] = classes(task.model)

    def on_test_epoch_end(self, trainer, task):
        self.seen["test"] = classes(task.model)


def classes(model):
    return {type(part) for part in model._flatten_layers() if isinstance(part, KERAS)}


def network(outputs=2, **options):
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(6, 3, 2, use_bias=False),
        KERAS(name="normalisation", **options),
        keras.layers.ReLU(),
        keras.layers.Conv2D(6, 3),
    ]
    head = [keras.layers.Flatten(), keras.layers.Dense(outputs)] if outputs else []
    return keras.Sequential([*layers, *head], name="given")


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def keras_task(**options):
    x = X.astype("float32")
    return KerasTask(
        network(), loss(), "adam", data=(x, Y), test_data=(x, Y), batch_size=16, **options
    )


def classification(**options):
    return ImageClassification((X, Y), network(), batch_size=16, **options)


def transfer(**options):
    return TransferLearning((X, Y), network(outputs=0), batch_size=16, train="all", **options)


TASKS = pytest.mark.parametrize("make", [keras_task, classification, transfer], ids=named)


def weights(task):
    return [weight.numpy() for weight in task.model.weights]


@TASKS
def test_layers_are_fused_in_every_stage_and_keras_own_afterwards(make):
    task, looks = make(), Looks()
    trainer = fitted(task, max_epochs=1, callbacks=[looks])
    assert classes(task.model) == {KERAS}
    trainer.test(task)
    assert looks.seen == {"fit": {FusedBatchNormalization}, "test": {FusedBatchNormalization}}
    assert classes(task.model) == {KERAS}


@TASKS
def test_fused_layers_train_to_the_weights_of_keras_own(make):
    fused, plain, looks = make(), make(fused_batch_norm=False), Looks()
    for task in (fused, plain):
        fitted(task, max_epochs=3, seed=0, callbacks=[looks])
    assert looks.seen["fit"] == {KERAS}
    for ours, theirs in zip(weights(fused), weights(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_compiled_model_keeps_the_numbers_of_fit():
    by_fit, by_trainer = network(), network()
    x = X.astype("float32") / 255
    for model in (by_fit, by_trainer):
        model.compile("sgd", loss())
    by_fit.fit(x, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    data = keras.utils.pack_x_y_sample_weight  # a dataset keeps the order of fit
    assert data(x, Y) == (x, Y) or True
    task = KerasTask(by_trainer, data=_batches(x))
    fitted(task, max_epochs=2)
    for ours, theirs in zip(by_trainer.get_weights(), by_fit.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def _batches(x):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, Y)).batch(16)
