"""Trials of Optuna that fall behind end early, in good order."""

import sys

import pytest
from helpers.boring import NumberData, NumberTask, fitted, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import OptunaPruning
from lightning_tf.exceptions import ConfigurationError

optuna = pytest.importorskip("optuna", reason="pip install 'lightning-tf[tune]'")


class Scores(NumberTask):
    """Whose val_score is what it is told, in every epoch."""

    def __init__(self, score):
        super().__init__(NumberData(range(1, 5), held_out=[1]))
        self.score = score

    def on_validation_end(self):
        self.log("val_score", self.score)


def study(scores, epochs=4, **arguments):
    """A study of one trial for each score; the median of those before is the bar."""
    updates = []

    def objective(trial):
        pruning = OptunaPruning(trial, "val_score")
        task = Scores(scores[trial.number])
        trainer = fitted(task, max_epochs=epochs, callbacks=[pruning], **arguments)
        updates.append(trainer.global_step)
        pruning.check_pruned()
        return trainer.callback_metrics["val_score"]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=2)
    trials = optuna.create_study(direction="maximize", pruner=pruner)
    trials.optimize(objective, n_trials=len(scores))
    return trials, updates


def test_a_trial_below_the_median_ends_early_and_is_told_to_optuna():
    trials, updates = study([0.5, 0.6, 0.1, 0.9])
    states = [trial.state.name for trial in trials.trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert updates == [16, 16, 8, 16]
    assert trials.best_value == 0.9


def test_every_epoch_is_reported_once_and_the_sanity_check_is_not():
    trials, _ = study([0.5], num_sanity_val_steps=1, val_check_interval=1.0)
    assert trials.trials[0].intermediate_values == {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5}


def test_of_several_validations_in_an_epoch_the_last_is_reported():
    class Counts(Scores):
        def on_validation_end(self):
            self.score += 1
            super().on_validation_end()

    trial = optuna.create_study().ask()
    callbacks = [OptunaPruning(trial, "val_score")]
    checks = {"val_check_interval": 2, "num_sanity_val_steps": 0}
    fitted(Counts(0.0), max_epochs=2, callbacks=callbacks, **checks)
    values = trial.study.trials[0].intermediate_values
    assert values == {1: 2.0, 2: 4.0}


def test_a_metric_that_nothing_logs_is_refused():
    trial = optuna.create_study().ask()
    trainer = Trainer(**quiet(max_epochs=1), callbacks=[OptunaPruning(trial, "val_scor")])
    with pytest.raises(ConfigurationError, match=r"OptunaPruning.*nothing logs it"):
        trainer.fit(Scores(0.5))


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"lightning-tf\[tune\]"):
        OptunaPruning(None)
