import errno
import json
import logging
import math
import os
import shutil
import time
from datetime import timedelta

import pytest
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, Rows, quiet
from helpers.scripted import Scripted

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, ModelCheckpoint
from lightning_tf.callbacks.checkpointing import checkpoint_manager
from lightning_tf.checkpoint.io import read_checkpoint, write_checkpoint
from lightning_tf.exceptions import CheckpointError, ConfigurationError, NonFiniteLossError


class Fails(Callback):
    """Raises when an update is done."""

    def __init__(self, step, error=RuntimeError, hook="on_train_window_end"):
        self.every_n_steps, self.error = step, error
        setattr(self, hook, self._fail)

    def _fail(self, trainer, task):
        if trainer.stage != "sanity_check" and trainer.global_step >= self.every_n_steps:
            raise self.error("on purpose")


def trained(tmp_path, checkpoint, task=None, kind=Trainer, resume=None, **arguments):
    """Fit for 3 epochs of 4 updates."""
    defaults = {"max_epochs": 3, "default_root_dir": tmp_path, "callbacks": [checkpoint]}
    trainer = kind(**{**quiet(), **defaults, **arguments, "enable_checkpointing": True})
    trainer.fit(task or BoringTask(), ckpt_path=resume)
    return trainer


def saved_names(tmp_path):
    folder = tmp_path / "checkpoints"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def run_of(path):
    with open(os.path.join(path, "run.json")) as file:
        return json.load(file)


def step_of(path):
    return run_of(path)["progress"]["global_step"]


# ---- which are kept


def test_by_default_the_newest_is_kept(tmp_path):
    checkpoint = ModelCheckpoint()
    trained(tmp_path, checkpoint)
    assert saved_names(tmp_path) == ["epoch=2-step=12.ckpt"]
    path = str(tmp_path / "checkpoints" / "epoch=2-step=12.ckpt")
    assert checkpoint.best_model_path == checkpoint.last_model_path == path
    assert checkpoint.best_model_score is None
    assert checkpoint.best_k_models == {}


def test_the_best_k_are_kept(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", save_top_k=2, filename="{epoch}")
    trained(tmp_path, checkpoint, Scripted([3, 1, 4, 2, 5]), max_epochs=5)
    assert saved_names(tmp_path) == ["epoch=1.ckpt", "epoch=3.ckpt"]
    assert checkpoint.best_model_score == 1.0
    assert checkpoint.best_model_path.endswith("epoch=1.ckpt")
    assert checkpoint.kth_best_model_path.endswith("epoch=3.ckpt")
    assert sorted(checkpoint.best_k_models.values()) == [1.0, 2.0]


def test_mode_max_keeps_the_highest(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", mode="max", filename="{val_score:.1f}")
    trained(tmp_path, checkpoint, Scripted([3, 4, 1]))
    assert saved_names(tmp_path) == ["val_score=4.0.ckpt"]


def test_an_equal_score_is_not_better(tmp_path):
    trained(tmp_path, ModelCheckpoint(monitor="val_score"), Scripted([2, 2, 2]))
    assert saved_names(tmp_path) == ["epoch=0-step=4.ckpt"]


def test_nan_is_never_the_best(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", filename="{epoch}")
    trained(tmp_path, checkpoint, Scripted([math.nan, 7, math.nan]))
    assert saved_names(tmp_path) == ["epoch=1.ckpt"]
    assert checkpoint.best_model_score == 7.0
    checkpoint = ModelCheckpoint(tmp_path / "nan", monitor="val_score")
    trained(tmp_path, checkpoint, Scripted([math.nan]))
    assert checkpoint.best_model_path == ""


@pytest.mark.parametrize(
    ("keep", "count"), [(-1, 3), pytest.param(0, 0, marks=pytest.mark.slow), (1, 1)]
)
def test_all_or_none_can_be_kept(tmp_path, keep, count):
    trained(tmp_path, ModelCheckpoint(save_top_k=keep))
    trained(tmp_path / "monitored", ModelCheckpoint(monitor="loss", mode="max", save_top_k=keep))
    assert len(saved_names(tmp_path)) == count
    assert len(saved_names(tmp_path / "monitored")) == count


# ---- names


def test_a_fixed_name_is_replaced_where_it_stands(tmp_path):
    checkpoint = ModelCheckpoint(filename="newest")
    trained(tmp_path, checkpoint)
    assert saved_names(tmp_path) == ["newest.ckpt"]
    assert step_of(checkpoint.best_model_path) == 12


def test_a_checkpoint_of_another_run_is_left_alone(tmp_path):
    trained(tmp_path, ModelCheckpoint(filename="best", save_last=True))
    before = run_of(tmp_path / "checkpoints" / "best.ckpt")
    checkpoint = ModelCheckpoint(filename="best", save_last=True)
    trained(tmp_path, checkpoint, max_epochs=1)
    assert saved_names(tmp_path) == ["best-v1.ckpt", "best.ckpt", "last-v1.ckpt", "last.ckpt"]
    assert run_of(tmp_path / "checkpoints" / "best.ckpt") == before
    assert checkpoint.last_model_path.endswith("last-v1.ckpt")


@pytest.mark.slow
def test_without_the_version_counter_it_is_replaced(tmp_path):
    for epochs in (2, 1):
        checkpoint = ModelCheckpoint(filename="best", enable_version_counter=False)
        trained(tmp_path, checkpoint, max_epochs=epochs)
    assert saved_names(tmp_path) == ["best.ckpt"]
    assert step_of(checkpoint.best_model_path) == 4


def test_a_metric_in_the_name_is_the_one_of_these_weights(tmp_path):
    checkpoint = ModelCheckpoint(filename="{val_score:.0f}", every_n_train_steps=3, save_top_k=-1)
    trained(tmp_path, checkpoint, Scripted([7, 8, 9]))
    # Due after updates 3, 6, 9 and 12; val_score is measured after 4, 8 and 12.
    assert saved_names(tmp_path) == ["val_score=7.ckpt", "val_score=8.ckpt", "val_score=9.ckpt"]
    assert step_of(tmp_path / "checkpoints" / "val_score=7.ckpt") == 4


# ---- where


def test_the_folder_is_that_of_the_logger_unless_given(tmp_path):
    checkpoint = ModelCheckpoint()
    trainer = trained(tmp_path, checkpoint, logger=CSVLogger(), max_epochs=1)
    assert checkpoint.dirpath == os.path.join(trainer.log_dir, "checkpoints")
    assert os.listdir(checkpoint.dirpath) == ["epoch=0-step=4.ckpt"]
    trained(tmp_path, ModelCheckpoint(tmp_path / "mine"), logger=CSVLogger(), max_epochs=1)
    assert os.listdir(tmp_path / "mine") == ["epoch=0-step=4.ckpt"]


# ---- when


def test_every_n_epochs(tmp_path):
    trained(tmp_path, ModelCheckpoint(every_n_epochs=2, save_top_k=-1), max_epochs=5)
    assert saved_names(tmp_path) == ["epoch=1-step=8.ckpt", "epoch=3-step=16.ckpt"]


def test_every_n_train_steps(tmp_path):
    trained(tmp_path, ModelCheckpoint(every_n_train_steps=5, save_top_k=-1))
    assert saved_names(tmp_path) == ["epoch=1-step=5.ckpt", "epoch=2-step=10.ckpt"]


def test_every_n_train_steps_counts_updates(tmp_path):
    checkpoint = ModelCheckpoint(every_n_train_steps=2, save_top_k=-1, filename="{step}")
    trained(tmp_path, checkpoint, accumulate_grad_batches=2, max_epochs=2)
    assert saved_names(tmp_path) == ["step=2.ckpt", "step=4.ckpt"]


def test_train_time_interval(tmp_path):
    class Sleeps(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            if trainer.global_step in (6, 9):
                time.sleep(0.3)

    checkpoint = ModelCheckpoint(train_time_interval=timedelta(seconds=0.25), save_top_k=-1)
    trained(tmp_path, checkpoint, callbacks=[Sleeps(), checkpoint])
    assert {"epoch=1-step=6.ckpt", "epoch=2-step=9.ckpt"} <= set(saved_names(tmp_path))
    trained(tmp_path / "long", ModelCheckpoint(train_time_interval=timedelta(hours=1)))
    assert saved_names(tmp_path / "long") == []


def test_0_switches_a_trigger_off(tmp_path):
    trained(tmp_path, ModelCheckpoint(every_n_epochs=0))
    assert saved_names(tmp_path) == []


def test_validation_inside_the_epoch_makes_checkpoints_there(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_loss", save_top_k=-1, filename="{step}")
    trained(tmp_path, checkpoint, val_check_interval=0.5, max_epochs=2)
    assert saved_names(tmp_path) == [f"step={step}.ckpt" for step in (2, 4, 6, 8)]
    for path, score in checkpoint.best_k_models.items():
        assert run_of(path)["metrics"]["latest"]["val_loss"] == score


def test_save_on_train_epoch_end_waits_for_a_value_of_these_weights(tmp_path):
    checkpoint = ModelCheckpoint(
        monitor="val_loss", save_top_k=-1, filename="{step}", save_on_train_epoch_end=True
    )
    trained(tmp_path, checkpoint, val_check_interval=3)
    # At updates 4, 8 and 12 val_loss is one of 3, 7 and 11; the next measurement is used instead.
    assert saved_names(tmp_path) == ["step=11.ckpt", "step=7.ckpt"]


def test_epochs_without_validation_are_saved_where_no_metric_is_needed(tmp_path):
    arguments = {"check_val_every_n_epoch": 2}
    trained(tmp_path, ModelCheckpoint(save_top_k=-1), **arguments)
    assert [name[:7] for name in saved_names(tmp_path)] == ["epoch=0", "epoch=1", "epoch=2"]
    checkpoint = ModelCheckpoint(monitor="val_loss", save_top_k=-1)
    trained(tmp_path / "monitored", checkpoint, **arguments)
    assert saved_names(tmp_path / "monitored") == ["epoch=1-step=8.ckpt"]


def test_a_monitor_is_never_stale(tmp_path):
    scores = [3, 2, 1]
    checkpoint = ModelCheckpoint(
        monitor="val_score", every_n_train_steps=3, save_top_k=-1, filename="{step}"
    )
    trained(tmp_path, checkpoint, Scripted(scores))
    kept = {step_of(path): score for path, score in checkpoint.best_k_models.items()}
    assert kept == {4: 3.0, 8: 2.0, 12: 1.0}


def test_a_trigger_just_before_validation_waits_for_it(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", every_n_train_steps=4, save_top_k=-1)
    trained(tmp_path, checkpoint, Scripted([3, 2, 1]))
    assert list(checkpoint.best_k_models.values()) == [3.0, 2.0, 1.0]


def test_a_metric_that_the_end_of_the_epoch_measures_again_is_the_later_one(tmp_path):
    checkpoint = ModelCheckpoint(monitor="loss", every_n_train_steps=4)
    trainer = trained(tmp_path, checkpoint, log_every_n_steps=2, max_epochs=1)
    # At update 4, the row has the mean of two batches, and a moment later the epoch that of all.
    assert checkpoint.best_model_score == trainer.callback_metrics["loss"]


def test_a_training_monitor_is_used_where_a_row_measured_it(tmp_path):
    checkpoint = ModelCheckpoint(
        monitor="loss", every_n_train_steps=2, save_top_k=-1, filename="{step}"
    )
    trained(tmp_path, checkpoint, log_every_n_steps=3, limit_val_batches=0, max_epochs=2)
    # Due at 2, 4, 6, 8; rows at 3 and 6; the epochs end at 4 and 8.
    assert saved_names(tmp_path) == [f"step={step}.ckpt" for step in (3, 4, 6, 8)]


def test_a_metric_that_the_task_logs_at_the_end_of_the_epoch_is_in_time(tmp_path):
    class LogsAtEnd(BoringTask):
        def on_train_epoch_end(self):
            self.log("late", float(10 - self.trainer.current_epoch))

    checkpoint = ModelCheckpoint(monitor="late", save_top_k=-1)
    trained(tmp_path, checkpoint, LogsAtEnd())
    assert list(checkpoint.best_k_models.values()) == [10.0, 9.0, 8.0]


def test_a_monitor_that_is_never_measured_in_time_is_said(tmp_path, caplog):
    class LogsEarly(BoringTask):
        def on_train_epoch_start(self):
            self.log("early", 1.0)

    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trained(tmp_path, ModelCheckpoint(monitor="early"), LogsEarly())
    assert saved_names(tmp_path) == []
    assert "wrote nothing" in caplog.text


def test_nothing_is_written_twice_at_one_update(tmp_path):
    class Counts(Trainer):
        seen_steps = ()

        def snapshot(self, weights_only=False):
            self.seen_steps = (*self.seen_steps, self.global_step)
            return super().snapshot(weights_only)

    checkpoint = ModelCheckpoint(every_n_epochs=1, save_on_train_epoch_end=False)
    trainer = trained(tmp_path, checkpoint, kind=Counts, val_check_interval=0.5)
    assert trainer.seen_steps == (2, 4, 6, 8, 10, 12)
    checkpoint.save_on_train_epoch_end = None
    trainer.max_epochs, trainer.seen_steps = 4, ()
    trainer.fit(trainer.task)
    assert trainer.seen_steps == (14, 16)


@pytest.mark.parametrize("arguments", [{"fast_dev_run": True}, {"max_epochs": 0}])
def test_a_trial_run_writes_nothing(tmp_path, arguments):
    checkpoint = ModelCheckpoint(every_n_train_steps=1, save_last=True, save_on_exception=True)
    trained(tmp_path, checkpoint, **arguments)
    assert saved_names(tmp_path) == []


# ---- the last one


def test_save_last_is_a_whole_checkpoint_of_its_own(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", save_last=True)
    trained(tmp_path, checkpoint, Scripted([1, 2, 3]))
    assert saved_names(tmp_path) == ["epoch=0-step=4.ckpt", "last.ckpt"]
    assert step_of(checkpoint.last_model_path) == 12
    assert not os.path.islink(checkpoint.last_model_path)


def test_save_last_as_a_link_points_at_what_was_just_written(tmp_path):
    checkpoint = ModelCheckpoint(save_last="link")
    trained(tmp_path, checkpoint)
    assert saved_names(tmp_path) == ["epoch=2-step=12.ckpt", "last.ckpt"]
    assert os.readlink(checkpoint.last_model_path) == "epoch=2-step=12.ckpt"


def test_the_last_is_never_older_than_the_run(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", save_last="link", filename="{epoch}")
    trained(tmp_path, checkpoint, Scripted([2, 3, 1, 4]), max_epochs=4)
    assert saved_names(tmp_path) == ["epoch=2.ckpt", "last.ckpt"]
    assert not os.path.islink(checkpoint.last_model_path)  # epoch 3 is not among the best
    assert step_of(checkpoint.last_model_path) == 16
    assert step_of(checkpoint.best_model_path) == 12


def test_save_last_works_without_any_best(tmp_path):
    checkpoint = ModelCheckpoint(save_top_k=0, save_last="link")
    trained(tmp_path, checkpoint)
    assert saved_names(tmp_path) == ["last.ckpt"]
    assert step_of(checkpoint.last_model_path) == 12


def test_weights_only_leaves_out_the_rest(tmp_path):
    checkpoint = ModelCheckpoint(save_weights_only=True, save_last=True)
    trained(tmp_path, checkpoint)
    for path in (checkpoint.best_model_path, checkpoint.last_model_path):
        assert "progress" not in run_of(path)


# ---- resuming


def resumed(tmp_path, checkpoint, path, task=None, **arguments):
    defaults = {"max_epochs": 5, "default_root_dir": tmp_path, "callbacks": [checkpoint]}
    trainer = Trainer(**{**quiet(), **defaults, **arguments, "enable_checkpointing": True})
    trainer.fit(task or BoringTask(), ckpt_path=path)
    return trainer


def test_a_checkpoint_knows_itself(tmp_path):
    first = ModelCheckpoint(monitor="val_score", save_last=True)
    trained(tmp_path, first, Scripted([3, 2, 1]))
    for path in (first.best_model_path, first.last_model_path):
        second = ModelCheckpoint(monitor="val_score", save_last=True)
        resumed(tmp_path, second, path, Scripted([9, 9, 9, 9, 9]), max_epochs=4)
        assert second.best_model_path == first.best_model_path
        assert second.best_model_score == 1.0
        assert step_of(second.last_model_path) == 16
        assert saved_names(tmp_path) == ["epoch=2-step=12.ckpt", "last.ckpt"]
        trained(tmp_path, ModelCheckpoint(filename="unrelated"), max_epochs=1)
        shutil.rmtree(tmp_path / "checkpoints" / "unrelated.ckpt")


def test_the_one_resumed_from_stays(tmp_path):
    first = ModelCheckpoint(save_last="link")
    trained(tmp_path, first)
    second = ModelCheckpoint(save_last="link")
    resumed(tmp_path, second, first.last_model_path)
    names = ["epoch=2-step=12.ckpt", "epoch=4-step=20.ckpt", "last.ckpt"]
    assert saved_names(tmp_path) == names
    assert step_of(second.last_model_path) == 20


@pytest.mark.slow
def test_the_one_resumed_from_is_not_replaced_either(tmp_path):
    first = ModelCheckpoint(filename="best")
    trained(tmp_path, first)
    resumed(tmp_path, ModelCheckpoint(filename="best"), first.best_model_path)
    assert saved_names(tmp_path) == ["best-v1.ckpt", "best.ckpt"]
    assert step_of(tmp_path / "checkpoints" / "best.ckpt") == 12


@pytest.mark.slow
def test_a_new_folder_remembers_the_best_and_deletes_nothing_elsewhere(tmp_path):
    first = ModelCheckpoint(tmp_path / "first", monitor="val_score", save_top_k=2)
    trained(tmp_path, first, Scripted([1, 2, 3]))
    before = sorted(os.listdir(tmp_path / "first"))
    second = ModelCheckpoint(tmp_path / "second", monitor="val_score", save_top_k=1)
    path = first.kth_best_model_path
    resumed(tmp_path, second, path, Scripted([9, 9, 5, 4, 3]))
    assert sorted(os.listdir(tmp_path / "first")) == before
    assert os.listdir(tmp_path / "second") == ["epoch=4-step=20.ckpt"]
    assert second.best_model_path == first.best_model_path
    assert second.best_model_score == 1.0
    better = ModelCheckpoint(tmp_path / "third", monitor="val_score")
    resumed(tmp_path, better, path, Scripted([9, 9, 0.5, 9, 9]))
    assert better.best_model_path == str(tmp_path / "third" / "epoch=2-step=12.ckpt")


def test_best_and_last_are_found_by_name(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", save_last=True)
    trainer = trained(tmp_path, checkpoint, Scripted([1, 2, 3]))
    final = trainer.validate(trainer.task)["val_loss"]
    assert trainer.validate(trainer.task, ckpt_path="last")["val_loss"] == final
    assert trainer.validate(trainer.task, ckpt_path="best")["val_loss"] != final


def test_another_task_starts_without_checkpoints(tmp_path):
    checkpoint = ModelCheckpoint(monitor="val_score", filename="{val_score}")
    trained(tmp_path, checkpoint, Scripted([1]), max_epochs=1)
    trained(tmp_path, checkpoint, Scripted([5]), max_epochs=1)
    assert saved_names(tmp_path) == ["val_score=1.0.ckpt", "val_score=5.0.ckpt"]
    assert checkpoint.best_model_score == 5.0


# ---- failures


def test_save_on_exception_writes_what_there_is(tmp_path):
    for error in (RuntimeError, KeyboardInterrupt):
        checkpoint = ModelCheckpoint(tmp_path / error.__name__, save_on_exception=True)
        with pytest.raises(error, match="on purpose"):
            trained(tmp_path, checkpoint, callbacks=[Fails(6, error), checkpoint])
        assert checkpoint.last_model_path.endswith("exception-epoch=1-step=6.ckpt")
        assert step_of(checkpoint.last_model_path) == 6
        assert sorted(os.listdir(tmp_path / error.__name__)) == [
            "epoch=0-step=4.ckpt",
            "exception-epoch=1-step=6.ckpt",
        ]


def test_an_exception_in_validation_is_one_of_training(tmp_path):
    checkpoint = ModelCheckpoint(save_on_exception=True, save_last=True)
    callbacks = [Fails(8, hook="on_validation_start"), checkpoint]
    with pytest.raises(RuntimeError):
        trained(tmp_path, checkpoint, callbacks=callbacks)
    names = ["epoch=0-step=4.ckpt", "exception-epoch=1-step=8.ckpt", "last.ckpt"]
    assert saved_names(tmp_path) == names
    assert step_of(checkpoint.last_model_path) == 8


@pytest.mark.slow
def test_an_exception_writes_nothing_unless_asked_nor_twice_nor_bad_weights(tmp_path):
    asked, not_asked = ModelCheckpoint(save_on_exception=True), ModelCheckpoint()
    for checkpoint, step in ((not_asked, 6), (asked, 4)):
        callbacks = [Fails(step, hook="on_train_epoch_start"), checkpoint]
        with pytest.raises(RuntimeError):
            trained(tmp_path / str(step), checkpoint, callbacks=callbacks)
    assert saved_names(tmp_path / "4") == ["epoch=0-step=4.ckpt"]
    assert saved_names(tmp_path / "6") == ["epoch=1-step=8.ckpt"]
    bad = ModelCheckpoint(save_on_exception=True)
    with pytest.raises(NonFiniteLossError):
        trained(tmp_path / "bad", bad, NumberTask(NumberData([1.0, math.nan])))
    assert saved_names(tmp_path / "bad") == []


def test_a_full_disk_is_warned_about_and_older_ones_stay(tmp_path, caplog, monkeypatch):
    def refuse(path, state):
        if json.loads(state.run)["progress"]["epoch"] in (1, 2):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_checkpoint(path, state)

    monkeypatch.setattr(checkpoint_manager, "write_checkpoint", refuse)
    checkpoint = ModelCheckpoint(monitor="val_score", save_last=True, filename="{epoch}")
    arguments = {**quiet(max_epochs=3, callbacks=[checkpoint]), "enable_checkpointing": True}
    trainer = Trainer(**arguments, default_root_dir=tmp_path)
    with (
        caplog.at_level(logging.WARNING, "lightning_tf"),
        pytest.raises(CheckpointError, match="No space left"),  # the newest stands on no disk
    ):
        trainer.fit(Scripted([4, 3, 2, 3.5]))
    assert saved_names(tmp_path) == ["epoch=0.ckpt", "last.ckpt"]
    assert checkpoint.best_model_score == 4.0
    assert step_of(checkpoint.last_model_path) == 4
    assert caplog.text.count("could not be written") == 2
    assert "(2 in a row)" in caplog.text
    trainer.max_epochs = 4
    trainer.fit(trainer.task)
    assert saved_names(tmp_path) == ["epoch=3.ckpt", "last.ckpt"]
    assert checkpoint.best_model_score == 3.5


def full_disk(monkeypatch, *, epochs):
    def refuse(path, state):
        if json.loads(state.run)["progress"]["epoch"] in epochs:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_checkpoint(path, state)

    monkeypatch.setattr(checkpoint_manager, "write_checkpoint", refuse)


def test_a_run_ends_after_so_many_failures_in_a_row_and_goes_on_from_what_stands(
    tmp_path, monkeypatch
):
    full_disk(monkeypatch, epochs=list(range(1, 9)))
    checkpoint = ModelCheckpoint(max_save_failures=2)
    with pytest.raises(CheckpointError, match=r"2 checkpoints in a row .* ckpt_path='last'"):
        trained(tmp_path, checkpoint, BoringTask(), max_epochs=9)
    assert saved_names(tmp_path) == ["epoch=0-step=4.ckpt"]
    monkeypatch.undo()
    again = ModelCheckpoint()
    trainer = trained(tmp_path, again, BoringTask(), max_epochs=2, resume="last")
    assert trainer.resumed
    assert step_of(again.last_model_path) == 8


def test_failures_with_a_success_between_them_are_not_in_a_row(tmp_path, monkeypatch, caplog):
    full_disk(monkeypatch, epochs=(1, 3))
    trained(tmp_path, ModelCheckpoint(max_save_failures=2), BoringTask(), max_epochs=5)
    assert caplog.text.count("(1 in a row)") == 2


def test_a_run_that_is_to_go_on_whatever_happens_does(tmp_path, monkeypatch, caplog):
    full_disk(monkeypatch, epochs=range(5))
    trained(tmp_path, ModelCheckpoint(max_save_failures=None), BoringTask(), max_epochs=6)
    assert "(5 in a row)" in caplog.text
    assert saved_names(tmp_path) == ["epoch=5-step=24.ckpt"]


def free_bytes(monkeypatch, count):
    usage = shutil.disk_usage("/")._replace(free=count)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)


def test_a_disk_without_room_for_one_checkpoint_is_refused_before_training(tmp_path, monkeypatch):
    free_bytes(monkeypatch, 3)
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=r"0\.0 MiB free, and a checkpoint .* make room"):
        trained(tmp_path, ModelCheckpoint(), task)
    assert task.trainer.global_step == 0


def test_a_disk_without_room_for_all_checkpoints_is_warned_about(tmp_path, monkeypatch, caplog):
    free_bytes(monkeypatch, 600)
    trained(tmp_path, ModelCheckpoint(save_last=True), BoringTask())
    assert "up to 3 checkpoints of this run" in caplog.text


def test_a_full_disk_is_only_warned_about_where_the_run_is_to_go_on(tmp_path, monkeypatch, caplog):
    free_bytes(monkeypatch, 3)
    trained(tmp_path, ModelCheckpoint(max_save_failures=None), BoringTask())
    assert "none can be written before there is room" in caplog.text


def test_a_disk_that_does_not_say_what_is_free_is_tried(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr("shutil.disk_usage", refuse)
    trained(tmp_path, ModelCheckpoint())
    assert saved_names(tmp_path)


def test_what_cannot_be_deleted_is_warned_about(tmp_path, caplog, monkeypatch):
    def refuse(path, **arguments):
        if not arguments:
            raise PermissionError(f"not allowed: {path}")

    monkeypatch.setattr(
        "lightning_tf.callbacks.checkpointing.checkpoint_directory.shutil.rmtree", refuse
    )
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trained(tmp_path, ModelCheckpoint())
    assert len(saved_names(tmp_path)) == 3
    assert caplog.text.count("not allowed") == 1


# ---- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "val_los"}, "Did you mean 'val_loss'"),
        ({"filename": "{epoch}-{val_acc:.2f}"}, "nothing logs 'val_acc'.*val_accuracy"),
        ({"filename": "{epok}"}, "Did you mean 'epoch'"),
    ],
)
def test_an_unknown_name_is_an_error_before_training(tmp_path, arguments, message):
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=message):
        trained(tmp_path, ModelCheckpoint(**arguments), task)
    assert task.trainer.global_step == 0


def test_an_unknown_name_is_an_error_at_the_save_where_hooks_might_log(tmp_path):
    class MightLog(BoringTask):
        def on_train_epoch_end(self):
            self.log("sometimes", 1.0)

    task = MightLog()
    with pytest.raises(ConfigurationError, match="Did you mean 'sometimes'"):
        trained(tmp_path, ModelCheckpoint(monitor="sometime", every_n_train_steps=1), task)
    assert task.trainer.current_epoch == 0
    checkpoint = ModelCheckpoint(monitor="sometimes", every_n_train_steps=1)
    trained(tmp_path, checkpoint, MightLog())
    assert checkpoint.best_model_score == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "mxa"}, "Did you mean 'max'"),
        ({"save_last": "copy"}, "save_last is 'copy'"),
        ({"save_top_k": 2}, "a monitor"),
        ({"save_top_k": -2, "monitor": "loss"}, "save_top_k=-2"),
        ({"every_n_epochs": 1, "every_n_train_steps": 5}, "give one of them"),
        ({"every_n_train_steps": -1}, "every_n_train_steps=-1"),
        ({"train_time_interval": 30}, "timedelta"),
        ({"filename": "{epoch"}, "filename="),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        ModelCheckpoint(**arguments)


def test_unknown_lengths_work(tmp_path):
    task = BoringTask(BoringData(known_length=False))
    trained(tmp_path, ModelCheckpoint(every_n_train_steps=3, save_top_k=-1), task)
    assert [name[-9:] for name in saved_names(tmp_path)] == [
        "ep=3.ckpt",
        "ep=6.ckpt",
        "p=12.ckpt",
        "ep=9.ckpt",
    ]


class Told(Rows):
    """Notes what it is told of checkpoints, and whether they stood there and then."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def after_save_checkpoint(self, callback):
        run = read_checkpoint(callback.last_model_path).run
        self.steps.append(run["progress"]["global_step"])


def test_loggers_are_told_of_every_checkpoint_while_it_stands(tmp_path):
    logger = Told()
    trained(tmp_path, ModelCheckpoint(every_n_train_steps=2), logger=logger)
    assert logger.steps == [2, 4, 6, 8, 10, 12]


def test_loggers_are_told_of_what_was_written_when_training_failed(tmp_path):
    logger = Told()
    saves = ModelCheckpoint(save_on_exception=True)
    with pytest.raises(RuntimeError, match="on purpose"):
        trained(tmp_path, saves, logger=logger, callbacks=[saves, Fails(6)])
    assert logger.steps == [4, 6]


def test_loggers_are_not_told_of_what_the_disk_refused(tmp_path, monkeypatch):
    def refuses(path, state):
        raise OSError(errno.ENOSPC, "full")

    logger = Told()
    monkeypatch.setattr(checkpoint_manager, "write_checkpoint", refuses)
    with pytest.raises(CheckpointError, match="full"):
        trained(tmp_path, ModelCheckpoint(), logger=logger)
    assert logger.steps == []
