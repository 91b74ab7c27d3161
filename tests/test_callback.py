import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Recorder, fitted, quiet

from lightning_tf import Callback, Task, Trainer
from lightning_tf.callback import CheckpointCallback, Hooks, overrides
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
    given = [NotesAndSaves("checkpoint", notes), Notes("first", notes), Notes("second", notes)]
    fitted(
        NotingTask(NumberData([1]), notes),
        max_epochs=1,
        callbacks=given,
        enable_checkpointing=True,
        default_root_dir=tmp_path,
    )
    assert notes == ["first", "second", "brought", "task", "checkpoint", "the task's checkpoint"]


class Every(Callback):
    def __init__(self, every):
        self.every_n_steps, self.due, self.looked = every, [], 0

    def on_train_window_end(self, trainer, task):
        self.looked += 1
        if self.is_due(trainer):
            self.due.append(trainer.global_step)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_cadence_is_honoured_exactly_and_in_updates(accumulate, length):
    callback = Every(7)
    data = NumberData(range(50), length=length)
    trainer = fitted(
        NumberTask(data), max_epochs=3, accumulate_grad_batches=accumulate, callbacks=callback
    )
    expected = list(range(7, trainer.global_step + 1, 7))
    assert callback.due == expected
    assert trainer.global_step == 3 * -(-50 // accumulate)


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_an_update_that_a_flush_completes_is_seen(length):
    callback = Every(3)
    data = NumberData([1, 2, 3, 4, 5], length=length)
    fitted(NumberTask(data), max_epochs=2, accumulate_grad_batches=2, callbacks=callback)
    assert callback.due == [3, 6]


def test_several_cadences_do_not_disturb_each_other():
    three, five = Every(3), Every(5)
    fitted(NumberTask(NumberData(range(31))), max_epochs=1, callbacks=[three, five])
    assert three.due == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
    assert five.due == [5, 10, 15, 20, 25, 30]
    assert three.looked == five.looked


def test_a_callback_without_a_cadence_is_never_due():
    callback = Every(None)
    fitted(NumberTask(NumberData(range(10))), max_epochs=1, callbacks=callback)
    assert callback.looked > 0
    assert callback.due == []


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


def test_the_name_of_the_state_is_the_class():
    assert Notes("", []).state_key == "Notes"
    assert Callback().state_dict() == {}


@pytest.mark.parametrize("method", ["on_fit_start", "on_train_epoch_end", "teardown"])
def test_the_base_class_does_nothing(method):
    arguments = (None, None, "fit") if method == "teardown" else (None, None)
    assert getattr(Callback(), method)(*arguments) is None


# ---- what a callback adds to the compiled step


class Sums(Callback):
    """Adds up the weight after every update, on the device."""

    def on_optimizers_configured(self, trainer, task):
        assert task.traced == {"training": 0, "validation": 0}
        self.resumed_to, self.total = trainer.global_step, tf.Variable(0.0)
        for optimizer in trainer.training.optimizers.values():
            optimizer.after_update.append(self.add)

    def add(self, variables):
        for variable in variables:
            self.total.assign_add(tf.convert_to_tensor(variable))

    def variables(self):
        return {"total": self.total}


def test_a_callback_acts_after_every_update_and_its_variables_are_resumed(tmp_path):
    numbers = [1, 2, 3, 4, 5, 6]
    part = Sums()
    trainer = fitted(NumberTask(NumberData(numbers)), max_steps=4, callbacks=[part])
    trainer.save_checkpoint(tmp_path / "four")
    assert float(part.total) == -(1 + 3 + 6 + 10)
    rest = Sums()
    again = Trainer(**quiet(max_epochs=1, callbacks=[rest]))
    again.fit(NumberTask(NumberData(numbers)), ckpt_path=tmp_path / "four")
    assert rest.resumed_to == 0
    assert float(rest.total) == -(1 + 3 + 6 + 10 + 15 + 21)


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
