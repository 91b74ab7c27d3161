"""FusedBatchNormTask: layers compute fused while a Trainer works, and are Keras' own after."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Callback, Trainer
from lightning_tf.cli.main import main
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

    def on_validation_epoch_end(self, trainer, task):
        self.seen["validate"] = classes(task.model)


def classes(model):
    return {type(layer) for layer in model._flatten_layers() if isinstance(layer, KERAS)}


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
        network(), loss(), "adam", data=(x, Y), validation_data=(x, Y), batch_size=16, **options
    )


def classification(**options):
    return ImageClassification((X, Y), network(), batch_size=16, schedule="constant", **options)


def transfer(**options):
    return TransferLearning((X, Y), network(outputs=0), batch_size=16, train="all", **options)


TASKS = pytest.mark.parametrize(
    "make",
    slow_but([keras_task, classification, transfer], keras_task),
    ids=lambda make: make.__name__,
)


def weights(task):
    return [weight.numpy() for weight in task.model.weights]


@TASKS
def test_layers_are_fused_in_every_stage_and_keras_own_afterwards(make):
    task, looks = make(), Looks()
    trainer = fitted(task, max_epochs=1, callbacks=[looks])
    assert classes(task.model) == {KERAS}
    looks.seen.pop("validate")
    trainer.validate(task)
    assert looks.seen == {stage: {FusedBatchNormalization} for stage in ("fit", "validate")}
    assert classes(task.model) == {KERAS}


@TASKS
def test_fused_layers_train_to_the_weights_of_keras_own(make):
    fused, plain, looks = make(), make(fused_batch_norm=False), Looks()
    for task in (fused, plain):
        fitted(task, max_epochs=3, seed=0, callbacks=[looks])
    assert looks.seen["fit"] == {KERAS}
    for ours, theirs in zip(weights(fused), weights(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")
def test_a_given_model_gets_the_weights_of_fit():
    by_fit, by_trainer = network(), network()
    batches = tf.data.Dataset.from_tensor_slices((X.astype("float32"), Y)).batch(16)
    for model in (by_fit, by_trainer):
        model.compile(keras.optimizers.SGD(1e-3), loss())
    by_fit.fit(batches, epochs=2, verbose=0)
    fitted(KerasTask(by_trainer, data=batches), max_epochs=2)
    for ours, theirs in zip(by_trainer.get_weights(), by_fit.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_frozen_backbone_computes_with_its_statistics_and_keeps_them():
    fused, plain = (
        TransferLearning((X, Y), network(outputs=0), batch_size=16, fused_batch_norm=choice)
        for choice in (True, False)
    )
    layer = fused.classifier.backbone.backbone.get_layer("normalisation")
    for task in (fused, plain):
        normalization = task.classifier.backbone.backbone.get_layer("normalisation")
        normalization.set_weights(RANDOM_STATISTICS)
        fitted(task, max_epochs=2, seed=0)
    for weight, before in zip(layer.weights, RANDOM_STATISTICS, strict=True):
        np.testing.assert_array_equal(weight, before)
    for ours, theirs in zip(weights(fused), weights(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


RANDOM_STATISTICS = [RANDOM.uniform(0.5, 2.0, 6).astype("float32") for _ in range(4)]


class Fails(Callback):
    """Ends the first epoch with an error."""

    def on_train_epoch_end(self, trainer, task):
        assert classes(task.model) == {FusedBatchNormalization}
        raise RuntimeError("on purpose")


@TASKS
def test_layers_come_back_where_a_fit_fails(make):
    task = make()
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(task, max_epochs=1, callbacks=[Fails()])
    assert classes(task.model) == {KERAS}


def test_predictions_that_nobody_reads_to_the_end_leave_no_fused_layer():
    x = X.astype("float32")
    task = KerasTask(network(), loss(), "adam", data=(x, Y), test_data=(x, Y))
    trainer = fitted(task, max_epochs=1)
    predictions = trainer.predict(task)
    next(predictions)
    assert classes(task.model) == {FusedBatchNormalization}
    predictions.close()
    assert classes(task.model) == {KERAS}


def test_a_model_from_a_checkpoint_is_keras_own_until_it_runs(tmp_path):
    path = tmp_path / "one.ckpt"
    fitted(classification(), max_epochs=1, default_root_dir=tmp_path).save_checkpoint(path)
    task = ImageClassification.from_checkpoint(path, data=(X, Y), network=network())
    assert classes(task.model) == {KERAS}
    looks = Looks()
    Trainer(**quiet(callbacks=[looks])).validate(task)
    assert looks.seen["validate"] == {FusedBatchNormalization}


def test_an_exported_file_names_keras_layer(tmp_path):
    task = keras_task()
    fitted(task, max_epochs=1)
    loaded = keras.saving.load_model(task.export(tmp_path / "model", format="keras"))
    assert classes(loaded) == {KERAS}
    x = X[:4].astype("float32")
    np.testing.assert_allclose(loaded(x), task.model(x), rtol=1e-5)


@pytest.mark.slow
def test_a_run_resumed_inside_an_epoch_equals_the_run_never_stopped(tmp_path):
    whole, stopped, resumed = classification(), classification(), classification()
    fitted(whole, max_epochs=2, seed=0)
    fitted(stopped, max_epochs=2, max_steps=2, seed=0).save_checkpoint(tmp_path / "two.ckpt")
    trainer = Trainer(**quiet(max_epochs=2, seed=0))
    trainer.fit(resumed, ckpt_path=tmp_path / "two.ckpt")
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.distributed
@pytest.mark.parametrize("sync", [True, False], ids=["synchronised", "own statistics"])
def test_on_two_devices_layers_normalize_as_keras_do(sync):
    fused, plain = classification(), classification(fused_batch_norm=False)
    for task in (fused, plain):
        fitted(task, max_epochs=2, seed=0, accelerator="cpu", devices=2, sync_batchnorm=sync)
    for ours, theirs in zip(weights(fused), weights(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert classes(fused.model) == {KERAS}


def test_the_option_is_one_of_the_command_line(capsys):
    for name in ("ImageClassification", "TransferLearning", "KerasTask"):
        assert main(["fit", "--task", name, "--help"]) == 0
        assert "--task.fused_batch_norm" in capsys.readouterr().out
