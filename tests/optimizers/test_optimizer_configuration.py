"""Optimizers in Lightning's words, by hand and against separate ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted
from helpers.resumable import TwoParts, assert_resume_is_exact
from helpers.variants import slow_but

from lightning_tf import Callback
from lightning_tf.callbacks import EMA
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.variables import all_variables


class Configured(NumberTask):
    def __init__(self, numbers, configuration):
        super().__init__(NumberData(numbers))
        self.configuration = configuration

    def configure_optimizers(self):
        configuration = self.configuration() if callable(self.configuration) else self.configuration
        return {"optimizer": keras.optimizers.SGD(5.0), **configuration}


class Rates(Callback):
    def __init__(self):
        self.rates = []

    def on_train_batch_end(self, trainer, task, outputs, batch_idx):
        self.rates.append(float(trainer.optimizers[""].learning_rate))


def _weight(configuration, numbers=(1.0, 1.0, 1.0), **arguments):
    task = Configured(numbers, configuration)
    fitted(task, **{"max_epochs": 2, **arguments})
    return -float(task.weight)


def _halves(number):
    return 0.5**number


STAIRS = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)


@pytest.mark.parametrize(
    ("words", "weight"),
    [
        ({"lr_scheduler": _halves}, 3 + 1.5),  # Lightning's default is a rate for each epoch
        ({"lr_scheduler": {"scheduler": STAIRS, "interval": "epoch", "frequency": 2}}, 6),
        ({"lr_scheduler": STAIRS, "interval": "step"}, 2 - 0.5**5),
        ({"lr_scheduler": _halves, "interval": "step", "frequency": 3}, 3 + 1.5),
    ],
)
def test_a_scheduler_gives_the_rate_of_an_epoch_or_an_update(words, weight):
    assert _weight(words) == pytest.approx(weight)


def test_functions_of_the_epoch_are_plain_python_and_the_rate_is_seen():
    rates = Rates()
    scheduler = lambda epoch: 1.0 if epoch < 1 else 0.25  # noqa: E731
    _weight({"lr_scheduler": scheduler}, (1, 1), callbacks=[rates])
    assert rates.rates == [1.0, 1.0, 0.25, 0.25]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"lr_schedule": _halves}, "'lr_schedule'.*Did you mean 'lr_scheduler'"),
        ({"lr_scheduler": _halves, "monitor": "val_loss"}, "'monitor'.*ReduceLROnPlateau"),
        ({"lr_scheduler": {"scheduler": _halves, "intervall": "step"}}, "mean 'interval'"),
        ({"lr_scheduler": _halves, "interval": "batch"}, "interval is 'batch'"),
        ({"lr_scheduler": _halves, "frequency": 0}, "frequency"),
        ({"interval": "step"}, "interval is of lr_scheduler"),
        ({"lr_scheduler": 0.1}, "LearningRateSchedule, or a function"),
        ({"lr_scheduler": lambda epoch: "fast"}, "'fast'.*epoch 0.*number"),
        ({"every": 0}, "every"),
        ({"attributes": "weight"}, "list of the task's attributes"),
        ({"attributes": ["weigth"]}, "'weigth'.*Did you mean 'weight'"),
        ({"learning_rates": {"wrong": 0.1}}, "'wrong'.*matches none.*weight"),
        ({"learning_rates": {"(": 0.1}}, "no regular expression"),
        ({"learning_rates": {"weight": 0}}, "positive factor"),
    ],
)
def test_what_is_unknown_or_unusable_is_refused_by_name(words, message):
    with pytest.raises(ConfigurationError, match=message):
        _weight(words, max_epochs=1)


def test_a_rate_of_its_own_beside_a_scheduler_is_refused():
    words = {"optimizer": keras.optimizers.SGD(STAIRS), "lr_scheduler": STAIRS}
    with pytest.raises(ConfigurationError, match="lr_scheduler beside it"):
        _weight(words)


# ---- every


@pytest.mark.parametrize("accumulated", slow_but([1, 2], 2))
def test_every_counts_the_updates_of_the_run_over_epochs(accumulated):
    words = {"every": 2, "lr_scheduler": STAIRS, "interval": "step"}
    numbers = np.repeat([1.0, 2.0, 3.0], accumulated)
    # Updates 2, 4 and 6 of the run take 2, 1 and 3, and the schedule counts its own.
    weight = _weight(words, numbers, accumulate_grad_batches=accumulated)
    assert weight == pytest.approx(2 * 1 + 1 * 0.5 + 3 * 0.25)


class Alternating(TwoParts):
    """A head that learns at every batch above a backbone that learns at every third."""

    def configure_optimizers(self):
        rates = {"batch_normalization|norm": 0.5, "kernel$": 2.0}
        backbone = {
            "optimizer": keras.optimizers.AdamW(0.05),
            "every": 3,
            "learning_rates": rates,
            "lr_scheduler": lambda epoch: 0.05 * 0.5**epoch,
        }
        head = {"optimizer": keras.optimizers.SGD(0.1), "attributes": ["head"]}
        return {"backbone": backbone, "above": head}

    def training_step(self, batch):
        loss = super().training_step(batch)
        return {"backbone": loss, "above": loss}


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [1, 2])
def test_resume_inside_an_epoch_is_exact(tmp_path, accumulated):
    assert_resume_is_exact(
        tmp_path,
        Alternating,
        lambda: [EMA(0.5)],
        stop=7,
        end=13,
        accumulate_grad_batches=accumulated,
    )


# ---- attributes and rates


class Parts(TwoParts):
    """One optimizer with factors of its rate by part, or separate ones."""

    def __init__(self, make, separate, factors):
        super().__init__()
        self.make, self.separate, self.factors = make, separate, factors

    def configure_optimizers(self):
        if self.separate:
            return {part: self.make(0.125 * factor) for part, factor in self.factors.items()}
        return {
            "optimizer": self.make(0.125),
            "attributes": list(self.factors),
            "learning_rates": self.factors,
        }

    def training_step(self, batch):
        loss = super().training_step(batch)
        return dict.fromkeys(self.factors, loss) if self.separate else loss


MAKE = {
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.5),
    "adam": keras.optimizers.Adam,
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.25),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate, weight_decay=0.25),
    "lion": keras.optimizers.Lion,
}


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_but(MAKE, "adamw", "rmsprop"))
def test_rates_are_those_of_separate_optimizers_to_the_bit(name, devices):
    def weights(separate):
        keras.utils.set_random_seed(0)
        task = Parts(MAKE[name], separate, {"backbone": 0.25, "head": 1.0})
        fitted(task, max_steps=3, seed=1, accelerator="cpu", devices=devices)
        return {name: np.asarray(value) for name, value in all_variables(task).items()}

    one, several = weights(False), weights(True)
    for variable, value in several.items():
        np.testing.assert_array_equal(one[variable], value, variable)


def test_the_norm_is_of_all_gradients_together_and_the_first_pattern_counts():
    class Two(NumberTask):
        def configure_model(self):
            self.weights = [keras.Variable(0.0, name=name) for name in ("first", "second")]

        def configure_optimizers(self):
            rates = {"weights.1": 0.5, "first|second": 2.0}
            return {"optimizer": keras.optimizers.SGD(1.0), "learning_rates": rates}

        def training_step(self, batch):
            return tf.reduce_sum(batch) * (3.0 * self.weights[0] + 4.0 * self.weights[1])

    task = Two(NumberData([1.0]))
    fitted(task, max_epochs=1, gradient_clip_val=1.0)
    assert [float(weight) for weight in task.weights] == pytest.approx([-1.2, -0.4])


@pytest.mark.parametrize(
    ("interval", "schedule", "message"),
    [
        ("step", lambda step: 0.1 if step < 3 else 0.01, "use tf.where and"),
        ("step", lambda step: [0.1, 0.2][int(step)], "interval='step' it gets a tensor"),
        ("epoch", lambda epoch, rate: rate, "TypeError.*the number of the epoch"),
        ("epoch", lambda epoch: [0.1][epoch + 1], "IndexError.*the number of the epoch"),
    ],
)
def test_a_schedule_that_fails_is_named(interval, schedule, message):
    configuration = {
        "optimizer": keras.optimizers.SGD(0.1),
        "lr_scheduler": schedule,
        "interval": interval,
    }
    with pytest.raises(ConfigurationError, match=f"lr_scheduler failed.*{message}"):
        fitted(Configured([1.0], configuration), max_epochs=1)
