"""Unknown arguments are refused with the nearest one, or with what other libraries' mean here."""

import inspect
import re

import numpy as np
import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Callback, Task, Trainer, callbacks
from lightning_tf.arguments import SWITCHES
from lightning_tf.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from lightning_tf.data import ArrayData, DataModule, ImageFolder, TextFolder
from lightning_tf.exceptions import ConfigurationError, UnknownArgumentError
from lightning_tf.spellings import CALLBACKS, EVALUATION, FIT, TASKS, TRAINER
from lightning_tf.tasks import KerasTask, TabularClassification


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 3}, "'epochs'. Instead: max_epochs"),
        ({"max_epoch": 3}, "Did you mean 'max_epochs'"),
        ({"gpus": 1}, "accelerator='gpu'"),
        ({"batch_size": 8}, "batch_size of the data"),
        ({"resume_from_checkpoint": "x"}, "ckpt_path"),
        ({"accumulate_grad_batch": 2}, "Did you mean 'accumulate_grad_batches'"),
        ({"validation_data": 1}, "task.data"),
    ],
)
def test_of_the_trainer(arguments, message):
    with pytest.raises(UnknownArgumentError, match=re.escape(message)):
        Trainer(**arguments)
    with pytest.raises(TypeError):  # what Python itself would raise
        Trainer(**arguments)


def test_the_trainer_takes_named_arguments_only():
    with pytest.raises(UnknownArgumentError, match="got 1 arguments without names and takes none"):
        Trainer(10)


@pytest.mark.parametrize("entry_point", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("datamodule", "which takes a DataModule"),
        ("epochs", "Trainer(max_epochs=...)"),
        ("ckpt", "'ckpt_path'"),
    ],
)
def test_of_entry_points(entry_point, name, message):
    with pytest.raises(UnknownArgumentError, match=re.escape(message)):
        getattr(Trainer(**quiet()), entry_point)(BoringTask(), **{name: 1})


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (ModelCheckpoint, {"filepath": "x"}, "dirpath and filename"),
        (ModelCheckpoint, {"save_best_only": True}, "save_top_k=1"),
        (EarlyStopping, {"monitor": "val_loss", "patiense": 3}, "Did you mean 'patience'"),
        (ReduceLROnPlateau, {"monitor": "val_loss", "threshold": 3}, "min_delta"),
        (CSVLogger, {"save_dir": "x"}, "root"),
        (
            TabularClassification,
            {"data": "x.csv", "learning_rat": 1},
            "Did you mean 'learning_rate'",
        ),
    ],
)
def test_of_callbacks_loggers_and_tasks(kind, arguments, message):
    with pytest.raises(UnknownArgumentError, match=re.escape(message)):
        kind(**arguments)


def test_of_classes_that_users_write():
    class Mine(Callback):
        def __init__(self, rate=1):
            self.rate = rate

    class Model(Task):
        def __init__(self, **anything):
            self.anything = anything

    with pytest.raises(UnknownArgumentError, match="Did you mean 'rate'"):
        Mine(rat=2)
    assert Model(whatever=1).anything == {"whatever": 1}
    with pytest.raises(TypeError, match="missing"):
        EarlyStopping()


def test_no_name_that_is_an_argument_here_stands_for_another():
    import inspect

    import lightning_tf.callbacks as callbacks

    assert not TRAINER.keys() & inspect.signature(Trainer.__init__).parameters.keys()
    for method, known in ((Trainer.fit, FIT), (Trainer.predict, EVALUATION)):
        assert not known.keys() & inspect.signature(method).parameters.keys()
    for name, spellings in CALLBACKS.items():
        known = inspect.signature(getattr(callbacks, name).__init__).parameters
        assert not spellings.keys() & known.keys(), name
    assert not TASKS["KerasTask"].keys() & inspect.signature(KerasTask.__init__).parameters.keys()


# ---- values as Lightning writes them


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ({"max_steps": -1}, "max_steps", None),
        ({"max_epochs": -1}, "max_epochs", None),
        ({"limit_val_batches": None}, "limit_val_batches", 1.0),
        ({"limit_train_batches": None}, "limit_train_batches", 1.0),
        ({"val_check_interval": None}, "val_check_interval", 1.0),
        ({"num_sanity_val_steps": None}, "num_sanity_val_steps", 2),
        ({"log_every_n_steps": None}, "log_every_n_steps", 50),
        ({"gradient_clip_val": 0}, "gradient_clip_val", None),
        ({"gradient_clip_algorithm": None}, "gradient_clip_algorithm", "norm"),
        ({"precision": None}, "precision", "float32"),
        ({"precision": 16}, "precision", "mixed_float16"),
        ({"precision": "bf16"}, "precision", "mixed_bfloat16"),
        ({"precision": 32}, "precision", "float32"),
        ({"default_root_dir": None}, "default_root_dir", "."),
        ({"min_epochs": 0, "min_steps": 0}, "min_steps", 0),
        ({"max_time": None}, "max_time", None),
    ],
    ids=str,
)
def test_values_mean_what_they_mean_there(arguments, name, expected):
    trainer = Trainer(**quiet(**arguments))
    assert (getattr(trainer, name), type(getattr(trainer, name))) == (expected, type(expected))


def test_rows_of_steps_can_be_switched_off():
    from helpers.boring import NumberData, NumberTask, Rows

    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=2, logger=rows, log_every_n_steps=0))
    trainer.fit(NumberTask(NumberData(range(60))))
    assert [sorted(row) for _, row in rows.rows] == [["epoch", "train/loss_epoch"]] * 2


def test_an_endless_fit_ends_where_something_asks_for_it():
    from helpers.boring import NumberData, NumberTask

    class Stops(Callback):
        def on_train_epoch_end(self, trainer, task):
            if trainer.current_epoch == 3:
                trainer.request_stop("enough")

    trainer = Trainer(**quiet(max_epochs=-1, callbacks=Stops()))
    trainer.fit(NumberTask(NumberData(range(2))))
    assert trainer.current_epoch == 4
    trainer.max_epochs = None
    with pytest.raises(ConfigurationError, match="max_epochs=-1"):
        trainer.fit(trainer.task)


# ---- attributes that are set later


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_epochs", "3", "max_epochs is '3'"),
        ("limit_val_batches", 5.5, "at most 1.0"),
        ("limit_train_batches", 0, "nothing to train on"),
        ("max_time", "tomorrow", "max_time='tomorrow'"),
        ("accumulate_grad_batches", 2, "GradientAccumulationScheduler"),
        ("ckpt_path", 7, "can be read only"),
        ("stop_reason", "x", "request_stop"),
    ],
)
def test_attributes_are_checked_as_arguments_are(name, value, message):
    trainer = Trainer(**quiet(max_epochs=1))
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        setattr(trainer, name, value)


def test_a_limit_that_is_set_inside_an_epoch_is_told_to_hold_from_the_next(caplog):
    from helpers.boring import NumberData, NumberTask

    class Sets(Callback):
        def __init__(self, hook):
            setattr(self, hook, self.act)

        def act(self, trainer, task, *rest):
            if trainer.current_epoch == 0:
                trainer.limit_train_batches = 1

    for hook, steps, told in (
        ("on_train_window_end", 4 + 1, 1),
        ("on_train_epoch_start", 4 + 1, 1),
        ("on_fit_start", 1 + 1, 0),
    ):
        caplog.clear()
        trainer = Trainer(**quiet(max_epochs=2, callbacks=Sets(hook)))
        trainer.fit(NumberTask(NumberData(range(4))))
        assert trainer.global_step == steps, hook
        assert sum("holds from the next" in record.message for record in caplog.records) == told


def test_every_remedy_names_an_argument_that_there_is():
    ours = set(inspect.signature(Trainer).parameters)
    for table in (TRAINER, FIT, EVALUATION):
        named = re.findall(r"Trainer\((\w+)=", " ".join(table.values()))
        named += [remedy for remedy in table.values() if table is TRAINER and remedy.isidentifier()]
        assert set(named) <= ours
    for name, table in CALLBACKS.items():
        known = inspect.signature(getattr(callbacks, name)).parameters
        for remedy in table.values():
            if not remedy.startswith(("nothing", "Trainer(")):
                first = re.match(r"\w+", remedy)[0]
                assert first in known, (name, remedy)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_on_or_off(name):
    for value in ("no", "auto", "warn", 2, 1.0):
        with pytest.raises(ConfigurationError, match=rf"{name} is {value!r}; give True or False"):
            Trainer(**quiet(**{name: value}))
    trainer = Trainer(**quiet(**{name: None}))
    if hasattr(trainer, name):
        with pytest.raises(ConfigurationError, match="give True or False"):
            setattr(trainer, name, "no")


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (ArrayData, {"split_see": 1}, "ArrayData has no argument 'split_see'. Did you mean"),
        (ImageFolder, {"image_siz": 8}, "ImageFolder has no argument 'image_siz'. Did you mean"),
        (TextFolder, {"encodin": "x"}, "TextFolder has no argument 'encodin'. Did you mean 'enc"),
        (DataModule, {"batchsize": 8}, "DataModule has no argument 'batchsize'. Did you mean"),
    ],
)
def test_of_data_modules(kind, arguments, message):
    with pytest.raises(UnknownArgumentError, match=re.escape(message)):
        kind(**arguments)


def test_of_data_modules_that_users_write():
    class Mine(DataModule):
        def __init__(self, path, **anything):
            self.path, self.anything = path, anything

    class Passes(ArrayData):
        def __init__(self, x, *, scale=1.0, **options):
            super().__init__(x * scale, **options)

    assert Mine(path="x", whatever=1).anything == {"whatever": 1}
    assert Passes(x=np.ones((4, 1)), scale=2.0, batch_size=2).batch_size == 2


def test_a_home_folder_of_nobody_is_refused():
    with pytest.raises(ConfigurationError, match="no user 'no_such_user'"):
        Trainer(**quiet(default_root_dir="~no_such_user/runs"))
