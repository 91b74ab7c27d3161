import pytest
from helpers.boring import NumberData, NumberTask, Recorder, fitted

from lightning_tf import Callback, Task
from lightning_tf.callback import CheckpointCallback
from lightning_tf.hooks import Hooks, overrides
from lightning_tf.profiler import Profiler


class Notes(Callback):
    """Writes its name down, with the hook's."""

    def __init__(self, name, notes):
        self.name, self.notes = name, notes

    def on_train_epoch_end(self, trainer, task):
        self.notes.append(self.name)


class NotesAndSaves(CheckpointCallback, Notes):
    pass


class NotingTask(NumberTask):
    def __init__(self, data, notes):
        super().__init__(data)
        self.notes = notes

    def callbacks(self):
        return [NotesAndSaves("the task's checkpoint", self.notes), Notes("brought", self.notes)]

    def on_train_epoch_end(self):
        self.notes.append("task")


def test_callbacks_come_first_then_the_task_and_checkpoints_last(tmp_path):
    notes = []
    callbacks = [NotesAndSaves("checkpoint", notes), Notes("first", notes), Notes("second", notes)]
    fitted(
        NotingTask(NumberData([1]), notes),
        max_epochs=1,
        callbacks=callbacks,
        enable_checkpointing=True,
        default_root_dir=tmp_path,
    )
    assert notes == ["first", "second", "brought", "task", "checkpoint", "the task's checkpoint"]


def test_overriding_is_seen_on_classes_instances_and_tasks():
    assert not overrides(Callback(), "on_fit_start")
    assert overrides(Notes("", []), "on_train_epoch_end")
    assert overrides(Recorder(), "on_fit_start")
    assert not overrides(Recorder(), "on_train_batch_end")
    assert overrides(Recorder(batches=True), "on_train_batch_end")
    assert not overrides(Task(), "on_train_batch_end")


def hooks_of(task, *callbacks):
    return Hooks(None, task, callbacks, Profiler().region)


def test_only_who_overrides_a_batch_hook_watches_batches():
    class Watching(Task):
        def on_validation_batch_start(self, batch_idx):
            pass

    assert not hooks_of(Task(), Recorder(), Notes("", [])).watches_batches("train")
    assert hooks_of(Task(), Recorder(batches=True)).watches_batches("train")
    assert hooks_of(Watching()).watches_batches("validation")
    assert not hooks_of(Watching()).watches_batches("train")


def test_hooks_that_may_log_are_known():
    class Quiet(Notes):
        logs_metrics = False

    class Hooked(Task):
        def on_train_epoch_end(self):
            pass

    assert not hooks_of(Task(), Callback(), Quiet("", [])).may_log()
    assert hooks_of(Task(), Notes("", [])).may_log()
    assert hooks_of(Hooked()).may_log()


class Surrounds(Notes):
    """Writes its name down where it changes weights."""

    changes_weights = True

    def on_validation_start(self, trainer, task):
        self.notes.append(f"{self.name} start")

    def on_validation_end(self, trainer, task):
        self.notes.append(f"{self.name} end")


def test_a_callback_that_changes_weights_surrounds_all_others_in_validation():
    class Validates(NumberTask):
        def on_validation_start(self):
            notes.append("task start")

        def on_validation_end(self):
            notes.append("task end")

    class Late(Surrounds):
        changes_weights, runs_after_task = False, True

    notes = []
    callbacks = [Late("late", notes), Surrounds("outer", notes)]
    task = Validates(NumberData([1], held_out=[1]))
    fitted(task, max_epochs=1, callbacks=callbacks, num_sanity_val_steps=0)
    starts = ["outer start", "task start", "late start"]
    assert notes == [*starts, "task end", "late end", "outer end", "outer", "late"]


@pytest.mark.parametrize(
    ("logs", "declared", "may_log"),
    [
        (True, set(), True),
        (False, set(), False),
        ("a", {"a"}, False),
        (("a", "b"), {"a", "b"}, False),
    ],
)
def test_names_that_are_declared_are_known(logs, declared, may_log):
    class Says(Notes):
        logs_metrics = logs

    class Task_(Task):
        logs_metrics = logs

        def on_train_epoch_end(self):
            pass

        def on_exception(self, exception):
            pass

    for hooks in (hooks_of(Task(), Says("", [])), hooks_of(Task_())):
        assert hooks.declared_names() == declared
        assert hooks.may_log() is may_log
