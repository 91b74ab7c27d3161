import keras
import numpy as np
import pytest
from helpers.boring import NumberData, NumberTask, fitted, quiet
from helpers.resumable import TwoParts, assert_resume_is_exact, bits, resumed

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EMA, StochasticWeightAveraging
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.variables import all_variables

SCHEDULE = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)


class Rates(Callback):
    def __init__(self):
        self.rates = []

    def on_train_epoch_end(self, trainer, task):
        self.rates.append(float(trainer.optimizers[""].learning_rate))


class Validated(NumberTask):
    seen = ()

    def __init__(self, numbers, optimizer=None):
        super().__init__(NumberData(numbers, held_out=[1.0]), optimizer)

    def on_validation_end(self):
        self.seen = (*self.seen, float(self.weight))


@pytest.mark.parametrize(
    ("strategy", "rates"),
    [("linear", [1.0, 1.0, 0.75, 0.5, 0.5]), ("cos", [1.0, 1.0, 0.75, 0.5, 0.5])],
)
def test_rates_go_to_their_end_and_the_weights_of_the_last_epochs_are_averaged(strategy, rates):
    watch, task = Rates(), Validated([1.0])
    swa = StochasticWeightAveraging(0.5, 2, annealing_epochs=2, annealing_strategy=strategy)
    fitted(task, max_epochs=5, callbacks=[swa, watch], num_sanity_val_steps=0)
    assert watch.rates == pytest.approx(rates)
    weights = -np.cumsum(rates)
    np.testing.assert_allclose(task.seen, weights, rtol=1e-6)  # of the trained weights
    assert float(task.weight) == pytest.approx(weights[1:].mean(), rel=1e-6)
    assert swa.n_averaged == 4


def test_it_takes_the_place_of_a_schedule():
    watch, task = Rates(), Validated([1.0], keras.optimizers.SGD(SCHEDULE))
    swa = StochasticWeightAveraging(2.0, swa_epoch_start=0.8, annealing_epochs=0)
    fitted(task, max_epochs=4, callbacks=[swa, watch])
    assert watch.rates == [0.5, 0.25, 2.0, 2.0]
    assert float(task.weight) == pytest.approx((-3.5 + -5.5) / 2)


def _statistics(task):
    norm = task.backbone.layers[1]
    return [np.asarray(v) for v in (norm.moving_mean, norm.moving_variance)]


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_statistics_are_those_of_the_training_data_with_the_mean_weights(devices, tmp_path):
    task = TwoParts()
    callbacks = [StochasticWeightAveraging(0.01, 2, 1)]
    arguments = {"accelerator": "cpu", "devices": devices, "seed": 3}
    if devices > 1:
        arguments["sync_batchnorm"] = True
    trainer = fitted(task, max_epochs=4, callbacks=callbacks, **arguments)

    batches = [np.asarray(x) for x, _ in task.data.train_dataset(3)]
    outputs = [np.asarray(task.backbone.layers[0](x)) for x in batches]
    sizes = [len(x) for x in batches]
    mean, variance = _statistics(task)
    means = np.average([out.mean(0) for out in outputs], axis=0, weights=sizes)
    variances = np.average([out.var(0) for out in outputs], axis=0, weights=sizes)
    np.testing.assert_allclose(mean, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, variances, rtol=1e-4)

    first = trainer.validate(task)
    # A checkpoint tests as the task does, in a fresh task and without the callback.
    trainer.save_checkpoint(tmp_path / "end")
    again = TwoParts.from_checkpoint(tmp_path / "end")
    assert Trainer(**quiet(**arguments)).validate(again) == pytest.approx(first)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [10, 21, 24, 27])
@pytest.mark.parametrize("schedule", [False, True])
def test_resume_is_exact(tmp_path, stop, schedule):
    rate = keras.optimizers.schedules.CosineDecay(0.05, 40) if schedule else 0.05
    assert_resume_is_exact(
        tmp_path,
        lambda: TwoParts(rate),
        lambda: [StochasticWeightAveraging(0.01, 3, 3)],
        stop=stop,
        end=36,
    )


@pytest.mark.slow
def test_a_finished_run_goes_on_from_the_trained_weights(tmp_path):
    def make():
        return StochasticWeightAveraging(0.01, 2, 1)

    arguments = {"seed": 3, "num_sanity_val_steps": 0}
    whole, part, task = TwoParts(), TwoParts(), TwoParts()
    fitted(whole, max_epochs=5, callbacks=[make()], **arguments)
    trainer = fitted(part, max_epochs=3, callbacks=[make()], **arguments)
    trainer.save_checkpoint(tmp_path / "end")
    assert "progress" in read_checkpoint(tmp_path / "end").run
    resumed(task, tmp_path / "end", max_epochs=5, callbacks=[make()], **arguments)
    assert bits(all_variables(task)) == bits(all_variables(whole))
    trainer.max_epochs = 5
    trainer.fit(part)
    assert bits(all_variables(part)) == bits(all_variables(whole))


def test_what_cannot_be_is_refused():
    for arguments, message in (
        ({"swa_lrs": 0}, "positive rate"),
        ({"swa_lrs": 0.1, "swa_epoch_start": 1.5}, "share"),
        ({"swa_lrs": 0.1, "annealing_strategy": "log"}, "annealing_strategy"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            StochasticWeightAveraging(**arguments)
    swa = StochasticWeightAveraging(0.1)
    with pytest.raises(ConfigurationError, match=r"EMA.*keep one"):
        fitted(Validated([1.0]), max_epochs=1, callbacks=[swa, EMA()])
    with pytest.raises(ConfigurationError, match="share of max_epochs"):
        fitted(Validated([1.0]), max_steps=1, callbacks=[swa])
