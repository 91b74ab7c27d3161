"""What a Trainer would not call is refused by name, with what to write in its place."""

import re

import keras
import pytest
from helpers.boring import BoringData, BoringTask, fitted, quiet

from lightning_tf import Callback, Trainer, lightning_names
from lightning_tf.callbacks import LambdaCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hook_checks import HOOKS_OF_CALLBACKS, check_hooks, check_keras_hooks


def nothing(self, *arguments, **options):
    return None


def task_with(**members):
    return type("Mine", (BoringTask,), members)(data_with())


def data_with(**members):
    return type("Batches", (BoringData,), members)()


def callback_with(**members):
    return type("Look", (Callback,), members)()


def refusal(task=None, callbacks=()):
    with pytest.raises(ConfigurationError) as refused:
        check_hooks(task or task_with(), callbacks)
    return str(refused.value)


def test_every_hook_there_is_passes_in_tasks_and_callbacks():
    hooks = dict.fromkeys(HOOKS_OF_CALLBACKS, nothing)
    check_hooks(task_with(**hooks), [callback_with(**hooks)])


@pytest.mark.parametrize("name", sorted(lightning_names.HOOKS))
def test_hooks_of_lightning_and_keras_are_refused_with_the_way_to_write_them(name):
    remedy = lightning_names.HOOKS[name]
    said = f".{name}: a Trainer does not call it; {remedy}."
    assert refusal(task_with(**{name: nothing})) == f"Mine{said}"
    assert refusal(callbacks=[callback_with(**{name: nothing})]) == f"Look{said}"
    task = task_with()
    task.data = data_with(**{name: nothing})
    assert refusal(task) == f"Batches{said}"


@pytest.mark.parametrize("name", sorted(lightning_names.TASK))
def test_other_methods_that_lightning_calls_are_refused_in_tasks(name):
    assert f"Mine.{name}: a Trainer does not call it" in refusal(task_with(**{name: nothing}))


def test_a_misspelt_hook_is_refused_with_the_nearest():
    wrong = refusal(callbacks=[callback_with(on_train_epoch_ends=nothing)])
    assert "Look.on_train_epoch_ends is no hook" in wrong
    assert "Did you mean 'on_train_epoch_end'?" in wrong
    assert "name that does not begin with on_" in wrong
    # Also where it is set on the object, or is no plain method.
    task = task_with()
    task.on_fit_strat = lambda: None
    assert "Did you mean 'on_fit_start'?" in refusal(task)
    assert "on_test_ends" in refusal(task_with(on_test_ends=staticmethod(nothing)))


def test_every_name_that_begins_with_on_is_a_hook():
    assert "Mine.on_click is no hook that a Trainer calls." in refusal(task_with(on_click=nothing))
    check_hooks(task_with(on_gpu=True, on_ice="yes", _on_click=nothing, click=nothing), [])


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("configure_metric", "configure_metrics"),
        ("configure_optimizer", "configure_optimizers"),
        ("validation_steps", "validation_step"),
        ("load_state_dicts", "load_state_dict"),
        ("callback", "callbacks"),
    ],
)
def test_a_method_that_is_nearly_called_as_one_that_is_called_is_refused(name, right):
    assert f"but it calls {right}" in refusal(task_with(**{name: nothing}))
    # Beside the right one it is somebody's own.
    check_hooks(task_with(**{name: nothing, right: lambda self, *state: None}), [])


def test_methods_of_ones_own_pass():
    own = ("train", "step", "generator_step", "freeze", "forward", "losses", "dataset", "log_all")
    check_hooks(task_with(**dict.fromkeys(own, nothing)), [callback_with(helper=nothing)])
    task = task_with()
    task.backward = keras.layers.LSTM(2)  # a layer is no method
    check_hooks(task, [])


def test_data_modules_say_where_the_batches_come_from():
    for name in ("train_dataloader", "val_dataloader", "val_datasets", "prepare_datas"):
        task = task_with()
        task.data = data_with(**{name: nothing})
        assert f"Batches.{name}: a Trainer does not call it" in refusal(task)


def test_switches_that_nothing_reads_are_refused():
    assert "minimize(name, loss_fn)" in refusal(task_with(automatic_optimization=False))
    check_hooks(task_with(automatic_optimization=True), [])


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("on_train_epoch_end", lambda self: None, r"called with \(trainer, task\)"),
        ("on_train_epoch_end", lambda self, trainer: None, "too many positional"),
        ("on_train_batch_end", lambda self, t, m, outputs, batch, batch_idx: None, "batch_idx'"),
        ("on_train_batch_end", lambda self, t, m, batch_idx, outputs: None, "stands elsewhere"),
        ("setup", lambda self, stage: None, r"called with \(trainer, task, stage\)"),
        ("load_state_dict", lambda self: None, r"called with \(state\)"),
        ("state_dict", lambda self, trainer: None, "missing a required argument: 'trainer'"),
        ("next_step", lambda self: None, r"called with \(trainer\)"),
    ],
)
def test_hooks_of_callbacks_with_other_parameters_are_refused(name, method, message):
    with pytest.raises(ConfigurationError, match=rf"Look\.{name}.*{message}"):
        check_hooks(task_with(), [callback_with(**{name: method})])


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("on_train_start", lambda self, trainer: None, "neither the trainer nor the task"),
        ("on_validation_batch_start", lambda self, batch, batch_idx: None, r"\(batch_idx\)"),
        ("setup", lambda self: None, r"called with \(stage\)"),
        ("configure_model", lambda self, inputs: None, r"called with \(\)"),
        ("configure_optimizers", lambda self, epochs: None, "'epochs'"),
    ],
)
def test_hooks_of_tasks_with_other_parameters_are_refused(name, method, message):
    with pytest.raises(ConfigurationError, match=rf"Mine\.{name}.*{message}"):
        check_hooks(task_with(**{name: method}), [])


def test_other_ways_to_take_the_same_pass():
    members = {
        "on_train_batch_end": lambda self, *arguments: None,
        "on_fit_start": lambda self, trainer, pl_module, extra=None: None,
        "on_fit_end": classmethod(lambda cls, trainer, task: None),
        "setup": staticmethod(lambda trainer, task, stage: None),
    }
    check_hooks(task_with(), [callback_with(**members), LambdaCallback(on_fit_end=print)])
    task = task_with()
    task.data = data_with(train_dataset=lambda self, epoch, cached=True: None)
    check_hooks(task, [])
    task.data = data_with(train_dataset=lambda self: None)
    assert "Batches.train_dataset() is called with (epoch)" in refusal(task)


@pytest.mark.parametrize("entry_point", ["fit", "validate", "test", "predict"])
def test_every_entry_point_refuses_before_any_work(entry_point):
    began = []
    task = task_with(setup=lambda self, stage: began.append(stage), on_click=nothing)
    trainer = Trainer(**quiet(max_epochs=1))
    with pytest.raises(ConfigurationError, match="on_click"):
        list(getattr(trainer, entry_point)(task) or ())
    assert not began


def test_callbacks_that_a_task_brings_are_looked_at_too():
    wrong = callback_with(on_epoch_end=nothing)
    with pytest.raises(ConfigurationError, match=r"Look\.on_epoch_end"):
        fitted(task_with(callbacks=lambda self: [wrong]), max_epochs=1)


def test_an_answer_before_a_batch_that_nothing_knows_is_refused():
    ends = callback_with(on_train_batch_start=lambda self, trainer, task, batch_idx: -2)
    with pytest.raises(ConfigurationError, match="on_train_batch_start returned -2"):
        fitted(BoringTask(), max_epochs=1, callbacks=[ends])


@pytest.mark.parametrize("name", sorted(lightning_names.TRAINER_SETS))
def test_what_nobody_reads_of_a_trainer_cannot_be_set(name):
    trainer = Trainer(**quiet(max_epochs=1))
    with pytest.raises(ConfigurationError, match=rf"trainer\.{name} = 1: nothing reads it"):
        setattr(trainer, name, 1)


def test_misspelt_arguments_of_a_trainer_cannot_be_set():
    trainer = Trainer(**quiet(max_epochs=1))
    for name, right in (("max_epoch", "max_epochs"), ("limit_val_batch", "limit_val_batches")):
        with pytest.raises(ConfigurationError, match=f"Did you mean '{right}'"):
            setattr(trainer, name, 3)
    trainer.max_epochs, trainer.notes = 3, []
    assert trainer.max_epochs == 3


@pytest.mark.parametrize("name", sorted(lightning_names.TRAINER_READS))
def test_what_lightnings_trainer_has_is_told_where_it_is_read(name):
    trainer = Trainer(**quiet(max_epochs=1))
    with pytest.raises(AttributeError, match=f"'{name}', as Lightning's has"):
        getattr(trainer, name)


@pytest.mark.parametrize("name", sorted(lightning_names.GIVEN_TO_TASKS))
def test_what_lightnings_modules_have_is_told_where_a_task_uses_it(name):
    with pytest.raises(AttributeError, match=f"'{name}', as LightningModules have"):
        getattr(BoringTask(), name)
    assert not hasattr(BoringTask(), name)


@pytest.mark.parametrize("option", sorted(lightning_names.LOG_OPTIONS))
def test_options_of_lightnings_log_are_refused_with_the_reason(option):
    with pytest.raises(ConfigurationError, match=rf"log\('x'\) takes no {option}\. "):
        BoringTask().log("x", 1.0, **{option: True})


def test_keras_callbacks_are_checked_against_the_hooks_of_keras():
    def keras_with(**members):
        return type("Watch", (keras.callbacks.Callback,), members)()

    check_keras_hooks(keras.callbacks.EarlyStopping())
    check_keras_hooks(keras_with(on_epoch_end=lambda self, epoch, logs=None: None))
    for name, right in (("on_epoch_start", "on_epoch_"), ("on_train_batch_start", "on_train_b")):
        with pytest.raises(ConfigurationError, match=f"Watch.{name} is no hook.*'{right}"):
            Trainer(**quiet(max_epochs=1, callbacks=[keras_with(**{name: nothing})]))
    with pytest.raises(ConfigurationError, match=r"on_epoch_end.*called with \(epoch, logs\)"):
        check_keras_hooks(keras_with(on_epoch_end=lambda self, epoch: None))
    misspelt = keras.callbacks.LambdaCallback(on_epoch_ends=lambda epoch, logs: None)
    with pytest.raises(ConfigurationError, match="Did you mean 'on_epoch_end'"):
        check_keras_hooks(misspelt)


@pytest.mark.parametrize("name", ["manual_backward", "log_dict", "all_gather"])
def test_what_lightning_gives_says_so_inside_a_step_too(name):
    task = task_with(training_step=lambda self, batch: getattr(self, name)(batch))
    remedy = lightning_names.GIVEN_TO_TASKS[name]
    with pytest.raises(ConfigurationError, match=re.escape("training_step: 'Mine' object")) as no:
        fitted(task, max_epochs=1)
    assert remedy in str(no.value)


def test_a_step_may_set_nothing_of_the_trainer():
    class Sets(BoringTask):
        def training_step(self, batch):
            self.trainer.should_stop = True
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match=r"training_step sets trainer\.should_stop"):
        fitted(Sets(), max_epochs=1)


def test_a_request_that_no_fit_will_see_is_told(caplog):
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.request_stop("early")
    assert "'early') is lost" in caplog.text
    trainer.fit(BoringTask())
    assert trainer.global_step == 4


def test_a_model_that_configure_model_returns_is_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ConfigurationError, match=r"configure_model returned .*self\.model"):
        fitted(task_with(configure_model=lambda self: model), max_epochs=1)


@pytest.mark.parametrize(
    "configured",
    [
        ([keras.optimizers.SGD()], ["schedule"]),
        "sgd",
    ],
    ids=["tuple", "name"],
)
def test_optimizers_as_lightning_takes_them_are_refused_with_the_way_of_schedules(configured):
    with pytest.raises(ConfigurationError, match="schedule is an optimizer's learning_rate") as no:
        fitted(task_with(configure_optimizers=lambda self: configured), max_epochs=1)
    assert "_weights" not in str(no.value)
