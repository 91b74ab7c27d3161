import logging

import keras
import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.resumable import TwoParts, assert_resume_is_exact
from helpers.scripted import Scripted

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import BackboneFinetuning, ReduceLROnPlateau
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import current_rate


class Rates(Callback):
    """Notes the learning rate of each epoch."""

    logs_metrics = False

    def __init__(self):
        self.rates = []

    def on_train_epoch_start(self, trainer, task):
        optimizers = trainer.optimizers.values()
        self.rates.append([round(float(o.learning_rate), 6) for o in optimizers])


def rates_of(scores, epochs=8, task=None, **arguments):
    rates = Rates()
    plateau = ReduceLROnPlateau("val_score", **{"factor": 0.5, "patience": 2, **arguments})
    fitted(task or Scripted(scores), max_epochs=epochs, callbacks=[plateau, rates])
    return [rate[0] for rate in rates.rates], plateau


def test_the_rate_is_lowered_after_patience_checks_without_improvement():
    rates, plateau = rates_of([5, 4, 4, 4, 4, 4, 3, 3])
    assert rates == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert (plateau.best_score, plateau.reductions, plateau.wait_count) == (3.0, 2, 1)


def test_cooldown_counts_no_measurement():
    rates, _ = rates_of([4, 4, 4, 4, 4, 4, 4, 4], cooldown=2)
    # Lowered after epochs 2 and 6; epochs 3 and 4 are not counted.
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras' own
@pytest.mark.parametrize(
    "cooldown",
    [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)],
)
def test_it_is_what_keras_does_whose_cooldown_counts_one_less(cooldown):
    scores = [5, 4, 4.5, 4.2, 4.3, 4.1, 4.05, 3.9, 3.89, 3.95, 4, 4, 4]
    rates_of = []
    for theirs in (True, False):
        rates = Rates()
        arguments = {"factor": 0.5, "patience": 2, "min_delta": 0.02, "min_lr": 0.02}
        arguments["cooldown"] = cooldown + 1 if theirs and cooldown else cooldown
        kind = keras.callbacks.ReduceLROnPlateau if theirs else ReduceLROnPlateau
        callbacks = [kind("val_score", mode="min", **arguments), rates]
        fitted(Scripted(scores), max_epochs=len(scores), callbacks=callbacks)
        rates_of.append(rates.rates)
    assert rates_of[0] == rates_of[1]
    assert rates_of[0][-1][0] < 0.1


@pytest.mark.slow
def test_mode_max_and_min_delta():
    assert rates_of([1, 2, 3, 4, 5], epochs=5, mode="max")[0][-1] == 0.1
    assert rates_of([1, 2, 3, 4, 5], epochs=5, mode="min")[0][-1] == 0.05
    assert rates_of([5, 4.9, 4.8, 4.7], epochs=4, min_delta=0.5)[0][-1] == 0.05


def test_no_rate_goes_below_the_least():
    rates, plateau = rates_of([4] * 9, patience=1, min_lr=0.03)
    assert rates == [0.1, 0.1, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03]
    assert plateau.reductions == 7


def test_a_schedule_goes_on_and_is_scaled_from_then_on():
    class Decays(Scripted):
        def configure_optimizers(self):
            return keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(1.0, 40, 0.0))

    rates, _ = rates_of([4] * 5, epochs=5, task=Decays([4] * 5))
    assert rates == pytest.approx([1.0, 0.9, 0.8, 0.35, 0.3])


def test_the_lowered_rate_is_what_updates_take():
    class Rises(NumberTask):
        def on_train_epoch_end(self):
            self.log("score", float(self.trainer.current_epoch))

    task = Rises(NumberData([1.0, 1.0]))
    plateau = ReduceLROnPlateau("score", 0.5, 1)
    fitted(task, max_epochs=4, callbacks=[plateau])
    # Epochs 0 and 1 at 1, epoch 2 at 0.5, epoch 3 at 0.25; two updates each.
    assert float(task.weight) == -2 * (1 + 1 + 0.5 + 0.25)


@pytest.mark.distributed
def test_the_rate_is_lowered_on_every_device():
    plateau = ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=100.0)
    trainer = fitted(BoringTask(), max_epochs=3, callbacks=plateau, devices=2, accelerator="cpu")
    assert plateau.reductions == 2
    assert current_rate(trainer.optimizers[""]) == pytest.approx(0.1 / 4)


def test_one_optimizer_is_lowered_by_name():
    class Two(TwoParts):
        def on_train_epoch_end(self):
            self.log("score", 1.0)

    rates = Rates()
    plateau = ReduceLROnPlateau("score", 0.5, 1, optimizer="head")
    task = Two({"backbone": 0.25, "head": 0.5})
    fitted(task, max_epochs=3, limit_train_batches=1, callbacks=[plateau, rates])
    assert rates.rates == [[0.25, 0.5], [0.25, 0.5], [0.25, 0.25]]
    with pytest.raises(ConfigurationError, match="Did you mean 'head'"):
        fitted(
            TwoParts({"backbone": 0.25, "head": 0.5}),
            max_epochs=1,
            callbacks=[ReduceLROnPlateau(optimizer="haed")],
        )


@pytest.mark.parametrize("scheduled", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("finetuning", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_resumed_run_equals_the_one_never_stopped(tmp_path, scheduled, finetuning):
    def rates():
        schedule = keras.optimizers.schedules.CosineDecay(0.05, 100)
        return schedule if scheduled else 0.05

    def callbacks():
        # A margin that nothing passes: every check is one without improvement.
        plateau = ReduceLROnPlateau("val_loss", 0.5, 2, min_delta=9.0)
        thaw = [BackboneFinetuning("backbone", 2)] if finetuning else []
        return [*thaw, plateau]

    for stop in (20, 30):
        whole = assert_resume_is_exact(
            tmp_path, lambda: TwoParts(rates()), callbacks, stop=stop, end=50
        )
        plateau = next(c for c in whole.callbacks if isinstance(c, ReduceLROnPlateau))
        assert plateau.reductions == 2
        if not scheduled:
            expected = 0.05 * 0.25 * (0.1 if finetuning else 1.0)
            assert float(whole.optimizers[""].learning_rate) == pytest.approx(expected)


@pytest.mark.slow
def test_another_fit_of_the_same_task_goes_on_and_another_task_begins_anew():
    plateau = ReduceLROnPlateau("val_score", 0.5, 2)
    trainer = Trainer(**quiet(max_epochs=2, callbacks=[plateau]))
    task = Scripted([4])
    trainer.fit(task)
    assert plateau.wait_count == 1
    trainer.max_epochs = 3
    trainer.fit(task)
    assert plateau.reductions == 1
    trainer.fit(Scripted([4, 3, 2]))
    assert (plateau.reductions, plateau.best_score) == (0, 2.0)


def test_a_missing_monitor_is_an_error_or_one_warning(caplog):
    with pytest.raises(ConfigurationError, match="Did you mean 'val_loss'"):
        fitted(BoringTask(), max_epochs=1, callbacks=[ReduceLROnPlateau("val_los")])
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(BoringTask(), max_epochs=3, callbacks=[ReduceLROnPlateau("x", strict=False)])
    assert sum("monitor='x'" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, "factor=1.0"),
        ({"factor": 0.0}, "factor=0.0"),
        ({"patience": 0}, "patience is 0"),
        ({"cooldown": -1}, "cooldown is -1"),
        ({"min_lr": -1.0}, "min_lr=-1.0"),
        ({"mode": "mni"}, "Did you mean 'min'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        ReduceLROnPlateau(**arguments)
