"""ImageClassification: every option reaches the run, bad input is told before training."""

import functools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, named, quiet
from helpers.paths import ROOT

from lightning_tf import DataModule, Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification


def arrays(count=64, classes=4, side=6, channels=1, seed=0):
    """Images whose class is a bright row."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 60, (count, side, side, channels)).astype("uint8")
    y = np.arange(count) % classes
    x[np.arange(count), y] += 150
    return x, y


def weights(task):
    return [weight.numpy() for weight in task.model.weights]


def differ(one, other):
    return any(not np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@functools.cache
def baseline(network="linear"):
    """What is learnt with no option given."""
    return trained(network=network)


def trained(**options):
    seed = options.pop("seed", 0)
    task = ImageClassification(arrays(), **{"network": "linear", "batch_size": 16, **options})
    fitted(task, max_epochs=2, seed=seed, limit_val_batches=0)
    return task


# ---- it learns


@pytest.mark.parametrize(
    ("epochs", "accuracy"), [(6, 0.95), pytest.param(20, 0.97, marks=pytest.mark.slow)]
)
def test_the_digits_are_learnt(epochs, accuracy):
    task = ImageClassification("digits")
    trainer = fitted(task, max_epochs=epochs, seed=0)
    assert trainer.test(task)["test_accuracy"] >= accuracy


@pytest.mark.parametrize("network", ["mlp", pytest.param("convnet", marks=pytest.mark.slow)])
def test_one_batch_is_learnt_by_heart(network):
    task = ImageClassification(
        arrays(32), network, learning_rate=1e-2, schedule="constant", batch_size=16
    )
    trainer = fitted(task, max_epochs=60, overfit_batches=1, limit_val_batches=0, seed=0)
    assert trainer.callback_metrics["accuracy"] == 1.0
    assert trainer.callback_metrics["loss"] < 0.05


def test_a_folder_of_images_is_learnt(tmp_path):
    from PIL import Image

    random = np.random.default_rng(0)
    for number, name in enumerate(("dark", "light")):
        (tmp_path / name).mkdir()
        for index in range(12):
            image = random.integers(0, 80, (20, 24, 3)) + 150 * number
            Image.fromarray(image.astype("uint8")).save(tmp_path / name / f"{index}.png")
    task = ImageClassification(str(tmp_path), "linear", image_size=8, batch_size=6)
    trainer = fitted(task, max_epochs=15, seed=0)
    assert task.class_names == ["dark", "light"]
    assert trainer.callback_metrics["val_accuracy"] == 1.0


# ---- numbers


def test_the_loss_with_label_smoothing_equals_the_formula():
    task = trained(label_smoothing=0.1)
    x, y = arrays()
    loss = float(task.training_step((tf.constant(x), tf.constant(y))))
    logits = task.built.logits(tf.constant(x, tf.float32), training=False).numpy()
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    targets = np.eye(4)[y] * 0.9 + 0.1 / 4
    assert loss == pytest.approx(-(targets * log_p).sum(axis=-1).mean(), rel=1e-5)
    plain = float(task.validation_step((tf.constant(x), tf.constant(y))))
    assert plain == pytest.approx(-log_p[np.arange(len(y)), y].mean(), rel=1e-5)


@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_images_of_every_range_come_to_the_network_in_minus_one_to_one(scale):
    x, y = arrays()
    x[0, 0, 0, 0], x[0, 0, 1, 0] = 0, 255
    images = x if scale == 1 else (x * scale).astype("float32")
    task = ImageClassification((images, y), "linear", data_options={"val_fraction": 0.0})
    fitted(task, max_steps=1)
    inputs = task.built.inputs(task._images(images))
    np.testing.assert_allclose(inputs, x / 127.5 - 1, atol=1e-5)


def test_what_layers_add_to_the_loss_is_trained():
    def model(penalty):
        regularizer = keras.regularizers.L2(penalty)
        return keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(4, kernel_regularizer=regularizer),
            ]
        )

    plain = trained(network=model(0.0), learning_rate=0.05)
    penalized = trained(network=model(10.0), learning_rate=0.05)
    assert np.abs(weights(penalized)[0]).sum() < 0.9 * np.abs(weights(plain)[0]).sum()


def test_prediction_gives_probabilities_in_the_order_of_the_test_images():
    task = ImageClassification(arrays(), "linear", data_options={"test_fraction": 0.25})
    trainer = fitted(task, max_epochs=1)
    predictions = np.concatenate(trainer.predict(task, collect=True))
    assert predictions.shape == (16, 4)
    np.testing.assert_allclose(predictions.sum(axis=-1), 1.0, rtol=1e-5)
    labels = arrays()[1][task.data.splits["test"].indices]
    accuracy = trainer.test(task)["test_accuracy"]
    assert (predictions.argmax(axis=-1) == labels).mean() == pytest.approx(accuracy)


@pytest.mark.parametrize(("classes", "there"), [(5, False), (6, True)])
def test_top_5_accuracy_is_there_for_more_than_five_classes(classes, there):
    task = ImageClassification(arrays(60, classes), "linear")
    metrics = fitted(task, max_epochs=1).callback_metrics
    assert ("val_top_5_accuracy" in metrics) == ("top_5_accuracy" in metrics) == there


# ---- options


@pytest.mark.slow
def test_the_seed_of_the_trainer_repeats_augmentation_and_all_else():
    options = {"augmentation": ["flip", "mixup"], "dropout": 0.3, "network": "mlp"}
    assert not differ(trained(**options), trained(**options))
    assert differ(trained(**options), trained(**options, seed=1))


@pytest.mark.parametrize(
    "option",
    [
        pytest.param({"augmentation": "flip"}, marks=pytest.mark.slow),
        pytest.param({"augmentation": [("mixup", {"alpha": 1.0})]}, marks=pytest.mark.slow),
        {"label_smoothing": 0.2},
        {"weight_decay": 0.5},
        {"optimizer": "momentum", "learning_rate": 1e-3},
        {"learning_rate": 2e-3},
        {"schedule": "constant"},
        pytest.param({"schedule": ("cosine", {"final_fraction": 0.5})}, marks=pytest.mark.slow),
        {"warmup_steps": 2},
        pytest.param({"warmup_steps": 0.5}, marks=pytest.mark.slow),
        {"initializer": "normal"},
        pytest.param({"batch_size": 8}, marks=pytest.mark.slow),
    ],
    ids=named,
)
def test_every_option_changes_what_is_learnt(option):
    assert differ(baseline(), trained(**option))


@pytest.mark.parametrize(
    "option",
    [pytest.param({"activation": "tanh"}, marks=pytest.mark.slow), {"dropout": 0.5}],
    ids=str,
)
def test_every_option_of_hidden_layers_changes_what_is_learnt(option):
    assert differ(baseline("mlp"), trained(network="mlp", **option))


def test_a_schedule_ends_with_the_fit_whatever_ends_it():
    for limit in ({"max_steps": 6}, {"max_epochs": 2, "accumulate_grad_batches": 2}):
        task = ImageClassification(
            arrays(), "linear", batch_size=16, schedule="linear", data_options={"val_fraction": 0.0}
        )
        trainer = fitted(task, **limit, limit_val_batches=0)
        (optimizer,) = trainer.optimizers.values()
        assert int(optimizer.iterations) == trainer.global_step == (limit.get("max_steps") or 4)
        assert float(optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


def test_a_fit_limited_by_time_alone_keeps_the_rate_constant_or_says_what_it_needs():
    task = ImageClassification(arrays(), "linear")
    trainer = fitted(task, max_time={"milliseconds": 100})
    (optimizer,) = trainer.optimizers.values()
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    with pytest.raises(ConfigurationError, match="max_steps"):
        fitted(ImageClassification(arrays(), "linear", schedule="cosine"), max_time={"seconds": 1})


def test_an_optimizer_object_and_its_configuration_train():
    sgd = keras.optimizers.SGD(0.01)
    config = keras.optimizers.serialize(keras.optimizers.SGD(0.01))
    assert not differ(trained(optimizer=sgd), trained(optimizer=config))
    assert sgd.iterations.numpy() > 0


@pytest.mark.parametrize(
    "precision", [pytest.param("bf16-mixed", marks=pytest.mark.slow), "16-mixed"]
)
def test_mixed_precision_trains_with_mixed_labels_and_a_float32_loss(precision):
    task = ImageClassification(
        arrays(), "convnet", augmentation=["flip", "crop", "mixup", "cutmix"], batch_size=16
    )
    trainer = fitted(task, max_epochs=1, precision=precision, seed=0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    images = tf.constant(arrays()[0])
    assert task.predict_step(images).dtype == tf.float32


@pytest.mark.slow
def test_a_keras_hub_backbone_is_fine_tuned():
    from keras_hub.models import ResNetBackbone

    backbone = ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[2],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    before = [weight.numpy() for weight in backbone.trainable_weights]
    task = ImageClassification(arrays(16, channels=3), backbone, batch_size=8)
    fitted(task, max_epochs=1, seed=0)
    assert any(
        not np.array_equal(old, new.numpy())
        for old, new in zip(before, backbone.trainable_weights, strict=True)
    )


def test_a_model_that_gives_probabilities_learns_as_one_that_gives_logits():
    def model(activation):
        keras.utils.set_random_seed(3)
        return keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(4, activation=activation),
            ]
        )

    logits, probabilities = trained(network=model(None)), trained(network=model("softmax"))
    for one, other in zip(weights(logits), weights(probabilities), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_hyperparameters_are_plain_and_make_the_same_task_again():
    task = ImageClassification(
        "digits", "mlp", augmentation=["flip", ("crop", {"padding": 2})], schedule="linear"
    )
    hparams = json.loads(json.dumps(task.hparams))
    again = ImageClassification(**hparams)
    assert again.hparams == task.hparams
    assert again.classifier.network == "mlp"


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "digts"}, "Did you mean 'digits'"),
        ({"network": "resnt"}, "Did you mean 'resnet'"),
        ({"optimizer": "momentun"}, "Did you mean 'momentum'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"augmentation": ["flp"]}, "Did you mean 'flip'"),
        ({"activation": "rleu"}, "Did you mean 'relu'"),
        ({"initializer": "hee"}, "Did you mean 'he'"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"warmup_steps": -3}, "warmup_steps=-3"),
        ({"batch_size": 0}, "batch_size"),
        ({"dropout": 1.5}, "dropout"),
        ({"optimizer": keras.optimizers.Adam(), "schedule": "cosine"}, "schedule='cosine'"),
        ({"data_options": {"val_frction": 0.1}}, "val_frction"),
    ],
    ids=named,
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises((ConfigurationError, TypeError), match=message):
        ImageClassification(**options)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (arrays()[0], arrays()[1] - 1, "-1"),
        (arrays()[0], arrays()[1].astype("float32"), "integers"),
        (arrays()[0][..., 0], arrays()[1], "rank 4"),
        (arrays()[0][:0], arrays()[1][:0], "none"),
        (arrays()[0], np.zeros(64, int), "class"),
        (arrays()[0].astype(str), arrays()[1], "dtype"),
    ],
    ids=["label below 0", "float labels", "rank", "empty", "one class", "text"],
)
def test_bad_arrays_are_told_before_training(x, y, message):
    with pytest.raises(DataError, match=message):
        fitted(ImageClassification((x, y), "linear"), max_epochs=1)


def test_a_label_beyond_the_classes_of_a_data_module_is_told_before_training():
    class Module(DataModule):
        num_classes = 3

        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensor_slices(arrays()).batch(8)

    with pytest.raises(DataError, match="0 to 2"):
        fitted(ImageClassification(Module(), "linear"), max_epochs=1)


def test_a_batch_size_beside_a_data_module_is_refused():
    with pytest.raises(ConfigurationError, match="batch_size"):
        ImageClassification(DataModule(), batch_size=8)


# ---- with the rest of the house


@pytest.mark.slow
def test_training_goes_on_exactly_where_a_checkpoint_stopped(tmp_path):
    def task():
        return ImageClassification(
            arrays(),
            "mlp",
            dropout=0.2,
            augmentation=["flip", "crop", "mixup"],
            schedule="constant",
            batch_size=16,
        )

    whole = task()
    fitted(whole, max_epochs=4, seed=0)
    first = task()
    trainer = Trainer(**quiet(max_epochs=2, seed=0))
    trainer.fit(first)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second = task()
    Trainer(**quiet(max_epochs=4, seed=0)).fit(second, ckpt_path=tmp_path / "half.ckpt")
    assert not differ(whole, second)


def test_the_task_brings_its_callbacks_and_lets_windows_stay_long():
    task = ImageClassification(arrays(), "linear")
    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=1, logger=rows))
    trainer.fit(task)
    names = {type(callback).__name__ for callback in trainer.callbacks}
    assert {"ConfusionMatrix", "PredictionGrid"} <= names
    assert {name for _, name, _, _ in rows.sent} == {"val/confusion_matrix", "val/predictions"}


@pytest.mark.slow
def test_a_task_may_be_made_before_a_trainer_that_chooses_devices(tmp_path):
    code = """
from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification
task = ImageClassification("digits", "mlp", optimizer="adamw", schedule="cosine",
                           augmentation=["crop", "flip"], dropout=0.1)
assert Trainer(max_epochs=1, accelerator="cpu", devices=2).placement.num_replicas == 2
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
