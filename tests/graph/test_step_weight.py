"""Weights beside the loss: unequal batches are one large batch, and some count nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted
from helpers.replicated import furthest_by_norm, outcome
from helpers.resumable import TwoParts, assert_resume_is_exact
from helpers.variants import slow_but

from lightning_tf import Callback, DataModule, Task
from lightning_tf.callbacks import EMA
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError

SENTENCES, LENGTH = 11, 6


class Sentences(DataModule):
    """Rows of numbers of which the first ones count; batches of 4, 4 and 3 rows."""

    def train_dataset(self, epoch):
        random = np.random.default_rng(1)
        x = random.normal(size=(SENTENCES, LENGTH, 3)).astype("float32")
        mask = (np.arange(LENGTH) < random.integers(1, LENGTH + 1, (SENTENCES, 1))).astype(
            "float32"
        )
        return tf.data.Dataset.from_tensor_slices((x, mask)).batch(self.batch_size)


class Tokens(Task):
    """A linear model whose loss is the mean over all tokens, or over all sentences."""

    def __init__(self, batch_size, by="tokens"):
        self.data, self.by = Sentences(batch_size), by

    def configure_model(self):
        self.model = keras.layers.Dense(1, kernel_initializer="ones")
        self.model.build((None, LENGTH, 3))

    def configure_optimizers(self):
        return keras.optimizers.SGD(1.0, momentum=0.5)

    def training_step(self, batch):
        x, mask = batch
        losses = (tf.cast(self.model(x)[..., 0], "float32") - 1.0) ** 2  # (sentences, tokens)
        if self.by == "sentences":
            loss, weight = tf.reduce_mean(losses), tf.shape(x)[0]
        else:
            weight = tf.reduce_sum(mask)
            loss = tf.math.divide_no_nan(tf.reduce_sum(losses * mask), weight)
        return {"loss": loss / 64.0, "weight": weight}  # small enough for half precision


@pytest.mark.parametrize(
    ("by", "devices", "precision"),
    [
        ("tokens", 1, "32-true"),
        pytest.param("sentences", 1, "32-true", marks=pytest.mark.slow),
        pytest.param("tokens", 1, "16-mixed", marks=pytest.mark.slow),
        pytest.param("tokens", 2, "16-mixed", marks=pytest.mark.slow),
        pytest.param("tokens", 2, "32-true", marks=pytest.mark.slow),
        pytest.param("sentences", 2, "32-true", marks=pytest.mark.slow),
    ],
)
def test_unequal_batches_of_a_window_make_the_large_batchs_update(by, devices, precision):
    arguments = {"evaluates": False, "predicts": False, "max_epochs": 2, "precision": precision}
    large = outcome(lambda: Tokens(SENTENCES, by), 1, **arguments)
    # 4, 4 and 3 sentences, of which the last window of accumulation is incomplete.
    small = outcome(lambda: Tokens(4, by), devices, accumulate_grad_batches=4, **arguments)
    # In half precision each gradient is rounded to 11 bits, of a batch of any size.
    tolerance = 1e-6 if precision == "32-true" else 5e-4
    assert small.get("skipped_updates", 0.0) == 0.0
    for name, value in large.items():
        np.testing.assert_allclose(small[name], value, tolerance, tolerance, err_msg=name)


class Weighed(NumberTask):
    """Numbers count their own size below 100, and beyond it nothing."""

    def configure_model(self):
        super().configure_model()
        self.norm = keras.layers.BatchNormalization(momentum=0.5)
        self.norm.build((None, 1))

    def training_step(self, batch):
        loss = super().training_step(batch)
        self.norm(tf.reshape(batch, (-1, 1)), training=True)
        return {"loss": loss, "weight": tf.reduce_all(tf.math.is_finite(batch))}


def _state(numbers, **arguments):
    ema = EMA(0.5)
    task = Weighed(
        NumberData(numbers), keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9))
    )
    trainer = fitted(task, max_epochs=1, callbacks=[ema], **arguments)
    named = trainer.training.optimizers[""].state()
    state = {**named, **ema.variables(), "weight": task.weight}
    state |= {f"norm{i}": v for i, v in enumerate(task.norm.variables)}
    return {k: np.asarray(v).tolist() for k, v in state.items()}, trainer


@pytest.mark.parametrize(
    "arguments",
    slow_but([{}, {"accumulate_grad_batches": 2}, {"precision": "16-mixed"}], {}),
    ids=str,
)
def test_a_skipped_batch_moves_nothing_but_the_count_of_steps(arguments):
    without, _ = _state([1.0, 2.0, 3.0, 4.0], **arguments)
    if "accumulate_grad_batches" in arguments:
        numbers = [1.0, 2.0, np.nan, np.inf, 3.0, 4.0]
    else:
        numbers = [1.0, np.nan, 2.0, 3.0, np.inf, 4.0]
    skipping, trainer = _state(numbers, **arguments)
    assert skipping == without
    assert trainer.global_step == len(numbers) // trainer.accumulate_grad_batches
    assert trainer.callback_metrics["loss"] < 5.0


def test_the_logged_loss_is_weighted_and_examples_are_counted():
    class Sized(NumberTask):
        def training_step(self, batch):
            return {"loss": tf.reduce_sum(batch) + 0.0 * self.weight, "weight": batch[0]}

    class Counts(Callback):
        def on_train_epoch_end(self, trainer, task):
            self.examples = trainer.training.means.examples

    counts = Counts()
    trainer = fitted(Sized(NumberData([1, 3])), max_epochs=1, callbacks=[counts])
    assert trainer.callback_metrics["loss"] == pytest.approx((1 + 9) / 4)
    assert counts.examples == 2


def test_a_negative_weight_ends_the_run():
    class Negative(NumberTask):
        def training_step(self, batch):
            return {"loss": super().training_step(batch), "weight": -1.0}

    with pytest.raises(NonFiniteLossError, match="weight"):
        fitted(Negative(NumberData([1.0])), max_epochs=1)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda loss, batch: None, "weight that is 0"),
        (lambda loss, batch: {"loss": loss, "weight": batch}, "weight.*scalar of at least 0"),
        (lambda loss, batch: {"loss": loss, "w": 1.0}, "'loss': loss, 'weight': weight"),
        (lambda loss, batch: {"weight": 1.0}, "'weight'"),
    ],
)
def test_what_is_no_loss_and_weight_is_refused_with_the_way_to_say_it(returned, message):
    class Returns(NumberTask):
        def training_step(self, batch):
            return returned(super().training_step(batch), batch)

    with pytest.raises(ConfigurationError, match=message):
        fitted(Returns(NumberData([1.0])), max_epochs=1)


class Parted(TwoParts):
    """Two optimizers, a weight beside their names, and examples that count nothing if negative."""

    def configure_optimizers(self):
        return {
            "backbone": {"optimizer": keras.optimizers.SGD(0.05), "every": 2},
            "head": {
                "optimizer": keras.optimizers.SGD(0.1, momentum=0.5),
                "lr_scheduler": lambda epoch: 0.1 / (1 + epoch),
            },
        }

    def configure_model(self):
        super().configure_model()
        self.backbone.layers[-1].rate = 0.0  # replicas draw other masks

    def training_step(self, batch):
        x, y = batch
        counts = tf.cast(x[:, 1] > 0.0, tf.float32)
        logits = self.model(tf.where(x > 0.0, x, 0.5 * x), training=True)
        self.update_metrics(y, logits, counts)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        weight = tf.reduce_sum(counts)
        loss = tf.math.divide_no_nan(tf.reduce_sum(counts * losses), weight)
        loss = tf.where(weight > 0.0, loss, float("nan"))
        return {"backbone": loss, "head": loss, "weight": weight}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{}, {"accumulate_grad_batches": 3}], ids=str)
def test_weights_every_and_rates_of_epochs_are_the_same_on_replicas(arguments):
    options = {"predicts": False, "max_epochs": 2, "sync_batchnorm": True, **arguments}
    one, two = outcome(Parted, 1, **options), outcome(Parted, 2, **options)
    values = {name for name in one if "accuracy" not in name and "seed" not in name}
    name, apart = furthest_by_norm({n: one[n] for n in values}, {n: two[n] for n in values})
    assert apart < 1e-5, name


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_run_with_weights_resumes_exactly(tmp_path, devices):
    assert_resume_is_exact(
        tmp_path,
        Parted,
        lambda: [EMA(0.5)],
        stop=5,
        end=11,
        accumulate_grad_batches=2,
        accelerator="cpu",
        devices=devices,
        sync_batchnorm=True,
    )


@pytest.mark.slow
def test_an_evaluations_loss_is_weighted():
    class Sized(NumberTask):
        def validation_step(self, batch):
            return {"loss": tf.reduce_mean(batch), "weight": tf.reduce_mean(batch)}

    task = Sized(NumberData([1], 2, held_out=[1, 1, 3]))
    assert fitted(task, max_epochs=1).callback_metrics["val_loss"] == (1 + 9) / 4


@pytest.mark.slow
def test_a_replica_whose_examples_count_nothing_may_have_any_loss():
    class Root(NumberTask):
        def training_step(self, batch):
            # NaN, with a gradient that is NaN, where the number is negative.
            loss = tf.reduce_mean(tf.sqrt(batch) * (1.0 + self.weight))
            return {"loss": loss, "weight": tf.reduce_mean(batch) > 0.0}

    task = Root(NumberData([4.0, -1.0, 9.0, 16.0], 2))
    trainer = fitted(task, max_epochs=1, accelerator="cpu", devices=2)
    assert task.weight.numpy() == -2.0 - 3.5
    assert np.isfinite(trainer.callback_metrics["loss"])
