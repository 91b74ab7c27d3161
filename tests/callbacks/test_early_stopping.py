import logging
import math

import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.resumable import TwoParts, bits, everything
from helpers.scripted import Scripted

from lightning_tf import Trainer
from lightning_tf.callbacks import EMA, EarlyStopping, ModelCheckpoint
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError
from lightning_tf.variables import all_variables


def epochs_until_stop(scores, max_epochs=10, trainer_arguments=None, **arguments):
    stopping = EarlyStopping("val_score", **arguments)
    extra = trainer_arguments or {}
    trainer = fitted(Scripted(scores), max_epochs=max_epochs, callbacks=[stopping], **extra)
    return trainer.current_epoch, stopping


@pytest.mark.parametrize(
    ("scores", "patience", "epochs"),
    [
        ([6, 5, 5, 5, 5, 5], 3, 5),
        pytest.param([6, 5, 4, 4, 3, 3], 1, 4, marks=pytest.mark.slow),
        ([6, 5, 6, 5, 5, 5], 3, 5),
        pytest.param([6, 5, 4, 3, 2, 1], 1, 6, marks=pytest.mark.slow),
        ([1, 2, 0.5, 2, 2, 2], 2, 5),
        ([6, 6], 0, 2),
    ],
)
def test_it_stops_after_patience_checks_without_improvement(scores, patience, epochs):
    ran, stopping = epochs_until_stop(scores, max_epochs=6, patience=patience)
    assert ran == epochs
    if epochs < 6:
        assert stopping.stopped_epoch == epochs - 1
        assert stopping.wait_count == max(patience, 1)
    else:
        assert stopping.stopping_reason == ""


def test_mode_max_waits_for_more():
    ran, stopping = epochs_until_stop([1, 2, 2, 1], patience=2, mode="max")
    assert (ran, stopping.best_score) == (4, 2.0)


def test_less_than_min_delta_is_no_improvement():
    assert epochs_until_stop([5, 4.6, 4.2, 3.8], patience=1, min_delta=0.5)[0] == 2
    assert epochs_until_stop([5, 4.4, 3.8, 3.8], patience=1, min_delta=0.5)[0] == 4
    assert epochs_until_stop([5, 5.4, 5.8], patience=1, mode="max", min_delta=0.5)[0] == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_stops_at_once(bad):
    ran, stopping = epochs_until_stop([5, bad, 3], patience=5)
    assert ran == 2
    assert "not finite" in stopping.stopping_reason


def test_nan_is_only_no_improvement_without_check_finite():
    ran, _ = epochs_until_stop([5, math.nan, 3, 3, 3], patience=2, check_finite=False)
    assert ran == 5


def test_a_nan_training_loss_stops_the_epoch_that_it_watches_and_raises_where_nobody_does():
    task = NumberTask(NumberData([1.0, math.nan]))
    stopping = EarlyStopping("loss")
    trainer = fitted(task, max_epochs=5, callbacks=[stopping])
    assert trainer.current_epoch == 1
    assert "loss = nan" in stopping.stopping_reason
    for other in (EarlyStopping("loss", check_finite=False), EarlyStopping("weight", strict=False)):
        with pytest.raises(NonFiniteLossError):
            fitted(NumberTask(NumberData([1.0, math.nan])), max_epochs=5, callbacks=[other])


def test_thresholds_stop_where_they_are_passed_and_not_where_they_are_reached():
    ran, stopping = epochs_until_stop([5, 4, 3, 2], stopping_threshold=3)
    assert ran == 4
    assert "stopping_threshold=3" in stopping.stopping_reason
    ran, stopping = epochs_until_stop([5, 6, 7, 8], patience=9, divergence_threshold=6)
    assert ran == 3
    assert "divergence_threshold=6" in stopping.stopping_reason
    ran, _ = epochs_until_stop([1, 2, 3, 4], mode="max", stopping_threshold=2)
    assert ran == 3


def test_a_verdict_before_min_epochs_is_judged_again():
    arguments = {"min_epochs": 5}
    ran, _ = epochs_until_stop([1, 2, 2, 2, 2, 2, 2], patience=1, trainer_arguments=arguments)
    assert ran == 5


def test_a_verdict_before_min_epochs_goes_away_with_a_recovery():
    arguments = {"min_epochs": 4}
    scores = [5, 6, 7, 3, 2, 1, 1]
    ran, stopping = epochs_until_stop(scores, patience=1, trainer_arguments=arguments)
    assert ran == 7
    assert stopping.best_score == 1.0


def test_a_verdict_stands_at_a_check_that_has_nothing_fresh():
    # Measured after epochs 1 and 3, judged after every epoch; the verdict of epoch 3 waits for
    # min_epochs, and the run's last weights are measured once more.
    arguments = {"check_val_every_n_epoch": 2, "min_epochs": 5}
    ran, stopping = epochs_until_stop(
        [1, 1, 2, 2, 2, 2, 2, 2],
        patience=1,
        check_on_train_epoch_end=True,
        trainer_arguments=arguments,
    )
    assert ran == 5
    assert stopping.wait_count == 2


def test_only_fresh_values_are_judged():
    arguments = {"check_val_every_n_epoch": 2}
    for at_epoch_end in (None, True):
        ran, _ = epochs_until_stop(
            [5] * 10,
            patience=2,
            check_on_train_epoch_end=at_epoch_end,
            trainer_arguments=arguments,
        )
        assert ran == 6  # measured after epochs 1, 3 and 5


def test_several_validations_in_an_epoch_are_several_checks():
    arguments = {"val_check_interval": 0.5}
    ran, stopping = epochs_until_stop([1, 2, 2], patience=3, trainer_arguments=arguments)
    # The first epoch measures 1 twice: no improvement; the second is stopped at its end.
    assert (ran, stopping.wait_count) == (2, 3)


def test_a_training_value_is_judged_at_the_end_of_the_epoch():
    task = NumberTask(NumberData([1.0, 1.0]))  # each update adds -1 to the loss
    stopping = EarlyStopping("loss", mode="max", patience=2)
    trainer = fitted(task, max_epochs=9, callbacks=[stopping])
    assert trainer.current_epoch == 3
    assert stopping.best_score == 0.5  # (1 + 0) / 2


def test_what_the_task_logs_at_the_end_of_the_epoch_is_judged_there():
    class LogsAtEnd(BoringTask):
        def on_train_epoch_end(self):
            self.log("score", [3.0, 4.0, 1.0, 1.0][self.trainer.current_epoch])

    trainer = fitted(LogsAtEnd(), max_epochs=4, callbacks=[EarlyStopping("score", patience=1)])
    assert trainer.current_epoch == 2


def test_sanity_check_and_validate_are_not_judged():
    stopping = EarlyStopping("val_loss", patience=0)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[stopping]))
    task = BoringTask()
    trainer.validate(task)
    assert (stopping.best_score, stopping.wait_count) == (math.inf, 0)
    trainer.fit(task)
    assert stopping.best_score == trainer.callback_metrics["val_loss"]
    assert stopping.wait_count == 0


def test_fast_dev_run_judges_nothing_but_still_finds_a_misspelt_name():
    stopping = EarlyStopping("val_score", check_finite=True)
    fitted(Scripted([math.nan]), fast_dev_run=2, callbacks=[stopping])
    assert stopping.stopping_reason == ""
    with pytest.raises(ConfigurationError, match="Did you mean 'val_loss'"):
        fitted(BoringTask(), fast_dev_run=2, callbacks=[EarlyStopping("val_los")])


def test_an_unknown_monitor_is_an_error_before_training():
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=r"Did you mean 'val_loss'.*Known: accuracy, l"):
        fitted(task, max_epochs=3, callbacks=[EarlyStopping("val_lss")])
    assert task.trainer.global_step == 0
    with pytest.raises(ConfigurationError, match="val_loss"):
        fitted(
            BoringTask(), max_epochs=3, limit_val_batches=0, callbacks=[EarlyStopping("val_loss")]
        )


def test_an_unknown_monitor_is_an_error_at_the_first_check_where_hooks_might_log():
    class MightLog(BoringTask):
        def on_train_epoch_end(self):
            self.log("sometimes", 1.0)

    with pytest.raises(ConfigurationError, match="sometimes"):
        fitted(MightLog(), max_epochs=3, callbacks=[EarlyStopping("sometime")])
    trainer = fitted(MightLog(), max_epochs=3, callbacks=[EarlyStopping("sometimes", patience=9)])
    assert trainer.current_epoch == 3


def test_without_strict_a_missing_monitor_is_one_warning(caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(BoringTask(), max_epochs=3, callbacks=[EarlyStopping("x", strict=False)])
    assert trainer.current_epoch == 3
    assert sum("monitor='x'" in record.message for record in caplog.records) == 1


def test_verbose_prints_each_improvement(capsys):
    epochs_until_stop([3, 2, 2], max_epochs=3, verbose=True)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" improved")[0] for line in printed] == [
        "EarlyStopping: val_score = 3",
        "EarlyStopping: val_score = 2",
    ]


def test_a_resumed_run_goes_on_waiting_with_the_patience_that_it_was_given(tmp_path):
    task = Scripted([1, 2, 2, 2, 2, 2, 2, 2])
    trainer = fitted(task, max_epochs=3, callbacks=[EarlyStopping("val_score", patience=9)])
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    stopping = EarlyStopping("val_score", patience=4)
    again = Trainer(**quiet(max_epochs=9, callbacks=[stopping]))
    again.fit(Scripted(task.scores), ckpt_path=tmp_path / "a.ckpt")
    assert again.current_epoch == 5
    assert (stopping.patience, stopping.best_score) == (4, 1.0)


def test_another_task_is_judged_anew():
    stopping = EarlyStopping("val_score", patience=2)
    for _ in range(2):
        trainer = fitted(Scripted([1, 2, 2, 2]), max_epochs=9, callbacks=[stopping])
        assert trainer.current_epoch == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"mode": "mni"}, "Did you mean 'min'"), ({"patience": -1}, "patience=-1")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        EarlyStopping("val_loss", **arguments)


def test_epochs_before_the_first_one_judged_count_nothing():
    ran, stopping = epochs_until_stop([1, 2, 3, 4, 4, 4, 4, 4], patience=2, start_from_epoch=3)
    assert (ran, stopping.best_score) == (6, 4.0)
    with pytest.raises(ConfigurationError, match="start_from_epoch is -1"):
        EarlyStopping("val_loss", start_from_epoch=-1)


class Counts(NumberTask):
    """Its weight is minus the number of updates; what it logs comes from a list."""

    def __init__(self, scores):
        super().__init__(NumberData([1.0, 1.0]))
        self.scores = scores

    def on_train_epoch_end(self):
        self.log("score", self.scores[min(self.trainer.current_epoch, len(self.scores) - 1)])


@pytest.mark.parametrize(
    ("scores", "max_epochs", "best_epoch"),
    [([3, 1, 2, 2, 2], 9, 1), ([3, 1, 2], 3, 1), ([3, 2, 1], 3, 2), ([math.nan] * 3, 3, None)],
)
def test_the_weights_of_the_best_check_are_left_in_the_task(scores, max_epochs, best_epoch):
    task = Counts(scores)
    stopping = EarlyStopping("score", patience=2, restore_best_weights=True)
    trainer = fitted(task, max_epochs=max_epochs, callbacks=[stopping])
    expected = trainer.global_step if best_epoch is None else 2 * (best_epoch + 1)
    assert float(task.weight) == -expected
    assert stopping.best_step == (-1 if best_epoch is None else expected)


def test_without_restoring_the_last_weights_stay():
    task = Counts([3, 1, 2, 2, 2])
    stopping = EarlyStopping("score", patience=2)
    assert fitted(task, max_epochs=9, callbacks=[stopping]).global_step == -float(task.weight) == 8
    assert stopping.variables() == {}


def test_what_passes_the_stopping_threshold_is_restored():
    task = Counts([3, 1, 0])
    stopping = EarlyStopping("score", stopping_threshold=2, restore_best_weights=True)
    fitted(task, max_epochs=9, callbacks=[stopping])
    assert float(task.weight) == -4.0


def test_the_averages_that_were_judged_are_restored_beside_an_ema():
    class Judged(TwoParts):
        def on_train_epoch_start(self):
            self.notes = getattr(self, "notes", [])

        def on_validation_end(self):
            weights = bits(all_variables(self))
            self.notes.append({k: v for k, v in weights.items() if "seed" not in k})

    task = Judged()
    stopping = EarlyStopping("val_loss", patience=1, min_delta=9.0, restore_best_weights=True)
    fitted(task, max_epochs=9, seed=0, num_sanity_val_steps=0, callbacks=[EMA(0.5), stopping])
    assert len(task.notes) == 2
    left = {k: v for k, v in bits(all_variables(task)).items() if "seed" not in k}
    assert left == task.notes[0]
    assert left != task.notes[1]


@pytest.mark.slow
def test_a_resume_from_a_checkpoint_of_the_run_restores_the_same_weights(tmp_path):
    def run(path=None):
        saves = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=5, save_top_k=-1)
        # The first check is the best: no later one passes the margin.
        stopping = EarlyStopping("val_loss", min_delta=9.0, patience=3, restore_best_weights=True)
        arguments = quiet(max_epochs=9, seed=3, callbacks=[saves, stopping], log_every_n_steps=2)
        trainer = Trainer(**{**arguments, "enable_checkpointing": True})
        task = TwoParts()
        trainer.fit(task, ckpt_path=path)
        assert stopping.best_step == 8
        return everything(trainer)

    whole = run()
    checkpoint = tmp_path / "step=15.ckpt"
    again = run(checkpoint)
    for section in ("weights", "optimizers", "metrics"):
        assert again[section] == whole[section]
