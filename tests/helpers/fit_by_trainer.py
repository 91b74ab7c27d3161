"""A pytest plugin: Model.fit, evaluate and predict go through a Trainer, in Keras' own tests.

``pytest -p helpers.fit_by_trainer keras/src/callbacks/history_test.py`` runs them so, and writes a
line of JSON for each test to the file that FIT_BY_TRAINER_REPORT names: its name, which of the
three methods it called, whether it passed, and the error's class and message. With
FIT_BY_TRAINER=off the methods stay Keras'.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer as FitTrainer
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils, get_data_adapter
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from lightning_tf import DataModule, Trainer
from lightning_tf.callbacks import keras_adapter
from lightning_tf.tasks import KerasTask
from lightning_tf.tasks.keras_task import keras_task, model_checks

# What test files of Keras import beside Keras: another backend, and a file that no wheel has.
jax, conftest = ModuleType("jax"), ModuleType("conftest")
jax.Array = type("Array", (), {})
conftest.skip_if_backend = lambda backend, reason: lambda test: test
sys.modules.setdefault("jax", jax)
sys.modules.setdefault("conftest", conftest)

METHODS = ("fit", "evaluate", "predict")
called: set[str] = set()
last_error: list[BaseException] = []


class FitData(DataModule):
    """What fit, evaluate and predict got, as Keras' own adapters make it batches."""

    def __init__(self, make, val=None):
        super().__init__()
        self.make, self.val = make, val

    def train_dataset(self, epoch):
        return self.make()

    def val_dataset(self):
        return None if self.val is None else self.val()

    def test_dataset(self):
        return self.make()

    def predict_dataset(self):
        return self.make()


def batches(x, y=None, sample_weight=None, **options):
    """Return a function that makes the data set of an epoch."""
    adapter = get_data_adapter(x, y, sample_weight, **options)

    def make():
        dataset = adapter.get_tf_dataset()
        if not isinstance(adapter, ArrayDataAdapter):
            return dataset
        return dataset.apply(tf.data.experimental.assert_cardinality(adapter.num_batches))

    return make


def run(model, data, method, callbacks=None, options=None, **arguments):
    """Make the task and the Trainer, and call the entry point."""
    called.add(method)
    task = KerasTask(model, data=data, **(options or {}))
    given = getattr(callbacks, "callbacks", callbacks) or []
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            callbacks=list(tf.nest.flatten(given)),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
            **arguments,
        )
        if method == "predict":
            return trainer.predict(task, collect=True)
        return getattr(trainer, "fit" if method == "fit" else "test")(task)


def fit(
    model,
    x=None,
    y=None,
    batch_size=None,
    epochs=1,
    verbose="auto",
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    class_weight=None,
    sample_weight=None,
    initial_epoch=0,
    steps_per_epoch=None,
    validation_steps=None,
    validation_batch_size=None,
    validation_freq=1,
):
    model._assert_compile_called("fit")
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = array_slicing.train_validation_split(
            (x, y, sample_weight), validation_split=validation_split
        )
    train = batches(x, y, sample_weight, batch_size=batch_size, shuffle=shuffle)

    val = None
    if validation_data is not None:
        parts = data_adapter_utils.unpack_x_y_sample_weight(validation_data)
        val = batches(*parts, batch_size=validation_batch_size or batch_size)
    history = next((c for c in callbacks or () if isinstance(c, keras.callbacks.History)), None)
    added = [] if history else [history := keras.callbacks.History()]
    options = {"class_weight": class_weight, "initial_epoch": initial_epoch}
    limits = {"limit_val_batches": validation_steps}
    if int(train().cardinality()) == tf.data.UNKNOWN_CARDINALITY:
        limits["limit_train_batches"] = steps_per_epoch
    else:
        options["steps_per_epoch"] = steps_per_epoch
    run(
        model,
        FitData(train, val),
        "fit",
        options=options,
        callbacks=[*(getattr(callbacks, "callbacks", callbacks) or ()), *added],
        max_epochs=epochs,
        check_val_every_n_epoch=validation_freq,
        **{name: steps for name, steps in limits.items() if steps is not None},
    )
    model.history = history
    return history


def evaluate(
    model,
    x=None,
    y=None,
    batch_size=None,
    verbose="auto",
    sample_weight=None,
    steps=None,
    callbacks=None,
    return_dict=False,
):
    model._assert_compile_called("evaluate")
    make = batches(x, y, sample_weight, batch_size=batch_size)
    limit = {} if steps is None else {"limit_test_batches": steps}
    values = run(model, FitData(make), "evaluate", callbacks=callbacks, **limit)
    logs = {name.removeprefix("test_"): value for name, value in values.items()}
    if return_dict:
        return logs
    return list(logs.values()) if len(logs) > 1 else logs["loss"]


def predict(model, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
    make = batches(x, batch_size=batch_size)
    limit = {} if steps is None else {"limit_predict_batches": steps}
    outputs = run(model, FitData(make), "predict", callbacks=callbacks, **limit)
    return keras.tree.map_structure(lambda *rows: _joined(rows), *outputs)


def _joined(rows):
    if isinstance(rows[0], np.ndarray) and rows[0].dtype == object:  # of a ragged tensor
        return tf.ragged.constant([example.tolist() for row in rows for example in row])
    return keras.ops.convert_to_numpy(tf.concat([tf.convert_to_tensor(row) for row in rows], 0))


# ---- of pytest


def pytest_configure(config):
    if os.environ.get("FIT_BY_TRAINER") == "off":
        for name in METHODS:
            _note_calls(name, getattr(FitTrainer, name))
        return

    FitTrainer.fit, FitTrainer.evaluate, FitTrainer.predict = fit, evaluate, predict
    # Keras' tests make models of a layer and what keras.Model has of its Trainer.
    keras_task.check_model = model_checks.check_own_steps
    keras_adapter.main_model = lambda task: ("model", task.model)


def _note_calls(name, method):
    def noting(model, *args, **kwargs):
        called.add(name)
        return method(model, *args, **kwargs)

    setattr(FitTrainer, name, noting)


def pytest_runtest_setup(item):
    called.clear()


def pytest_runtest_makereport(item, call):
    if call.when != "call":
        return
    error = call.excinfo and call.excinfo.value
    file = Path(str(item.path))
    line = {
        "test": f"{file.parent.name}/{file.name}::{item.nodeid.split('::', 1)[1]}",
        "calls": sorted(called),
        "passed": error is None,
        "skipped": type(error).__name__ in {"Skipped", "SkipTest"},
        "error": type(error).__name__ if error else "",
        "message": str(error)[:400] if error else "",
    }
    with Path(os.environ["FIT_BY_TRAINER_REPORT"]).open("a") as report:
        report.write(json.dumps(line) + "\n")
