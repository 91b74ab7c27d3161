"""What tasks, data modules and callbacks define beside what a Trainer calls: refused by name.

A hook that never runs fails silently. So every method whose name begins with ``on_`` must be a hook
that there is, and take what the Trainer passes; a method of one's own needs another name.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping
from functools import partial, partialmethod
from typing import Any

import keras

from lightning_tf.callback import Callback
from lightning_tf.data.data_module import DataModule
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.lightning_names import CALLBACK, DATA_MODULE, HOOKS, TASK, TASK_SWITCHES
from lightning_tf.task import Task

ALIKE = 0.88  # of difflib: configure_metric, not configure_network
HOOKS_OF_CALLBACKS = [name for name in vars(Callback) if name.startswith("on_")]
HOOKS_OF_DATA = [name for name in vars(DataModule) if name.startswith("on_")]
HOOKS_OF_KERAS = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_")]
WHY = "A method of your own needs a name that does not begin with on_."

# What a Trainer calls besides hooks.
STATE = ("setup", "teardown", "state_dict", "load_state_dict")
OF_CALLBACKS = (*STATE, "next_step", "variables", "saved_weights")
DATASETS = ("train_dataset", "val_dataset", "test_dataset", "predict_dataset")
OF_DATA = ("setup", "teardown", "prepare_data", *DATASETS)
CONFIGURES = ("configure_data", "configure_model", "configure_optimizers", "configure_metrics")
OF_TASKS = (*STATE, *CONFIGURES, "configure_host_metrics", "callbacks", "constant_variables")
STEPS = ("training_step", "validation_step", "test_step", "predict_step")


def check_hooks(task: Task, callbacks: Iterable[Callback]) -> None:
    """Refuse what a Trainer would pass over, before anything runs.

    Args:
        task: With its data.
        callbacks: All of the run.

    Raises:
        ConfigurationError: A hook, a method or a switch is none that a Trainer calls or reads, or
            a hook takes other arguments; the message says what to write.
    """
    own = _own_methods(task)
    _refuse_unknown(task, own, HOOKS_OF_CALLBACKS, {**HOOKS, **TASK})
    _refuse_alike(task, (*OF_TASKS, *STEPS))
    _refuse_switches(task)
    for name in own & set(OF_TASKS):
        _check_parameters(task, name, _parameters(Task, name))
    for name in own & set(HOOKS_OF_CALLBACKS):
        _check_parameters(task, name, _parameters(Callback, name)[2:])  # no trainer, no task

    if isinstance(task.data, DataModule):
        own = _own_methods(task.data)
        _refuse_unknown(task.data, own, HOOKS_OF_DATA, {**HOOKS, **DATA_MODULE})
        _refuse_alike(task.data, OF_DATA)
        for name in own & {*HOOKS_OF_DATA, *OF_DATA}:
            _check_parameters(task.data, name, _parameters(DataModule, name))

    for callback in callbacks:
        own = _own_methods(callback)
        _refuse_unknown(callback, own, HOOKS_OF_CALLBACKS, {**HOOKS, **CALLBACK})
        _refuse_alike(callback, OF_CALLBACKS)
        for name in own & {*HOOKS_OF_CALLBACKS, *OF_CALLBACKS}:
            _check_parameters(callback, name, _parameters(Callback, name))


def check_keras_hooks(callback: keras.callbacks.Callback) -> None:
    """Refuse hooks of a Keras callback that fit does not call either.

    Raises:
        ConfigurationError: It has a method ``on_...`` that is no hook of Keras, or a hook takes
            other arguments than fit passes.
    """
    own = _own_methods(callback)
    _refuse_unknown(callback, own, HOOKS_OF_KERAS, {}, called_by="Keras")
    for name in own & set(HOOKS_OF_KERAS):
        _check_parameters(callback, name, _parameters(keras.callbacks.Callback, name))


def _refuse_unknown(
    part: Any,
    own: set[str],
    hooks: Collection[str],
    remedies: Mapping[str, str],
    called_by: str = "a Trainer",
) -> None:
    """Refuse methods that look like hooks and are none, and those of Lightning."""
    for name in sorted(own - set(hooks)):
        owner = f"{type(part).__name__}.{name}"
        if name in remedies:
            raise ConfigurationError(f"{owner}: {called_by} does not call it; {remedies[name]}.")
        if name.startswith("on_"):
            close = difflib.get_close_matches(name, hooks, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ConfigurationError(f"{owner} is no hook that {called_by} calls. {hint}{WHY}")


def _refuse_alike(part: Any, called: Collection[str]) -> None:
    """Refuse a method that is nearly called as one that a Trainer calls and its class lacks."""
    for kind in _own_classes(part):
        missing = [name for name in called if name not in vars(kind)]
        for name, value in vars(kind).items():
            close = difflib.get_close_matches(name, missing, n=1, cutoff=ALIKE)
            if close and name not in called and inspect.isroutine(value):
                raise ConfigurationError(
                    f"{type(part).__name__}.{name}: a Trainer does not call it, but it calls "
                    f"{close[0]}. Rename it, or give a method of your own a name that is less "
                    "alike."
                )


def _refuse_switches(task: Task) -> None:
    for name, (harmless, remedy) in TASK_SWITCHES.items():
        value = getattr(task, name, harmless)
        if value != harmless:
            raise ConfigurationError(
                f"{type(task).__name__}.{name} = {value!r}: nothing reads it; {remedy}."
            )


def _own_classes(part: Any) -> list[type]:
    """Return an object's classes, from its own on, but those of this package and of Keras."""
    kinds = type(part).__mro__
    return [k for k in kinds if k.__module__.split(".")[0] not in {"lightning_tf", "keras"}]


def _own_methods(part: Any) -> set[str]:
    """Return the methods that an object has of its own classes, or was given itself."""
    found = {
        name: getattr(value, "__func__", value)  # of a static or class method
        for names in (*map(vars, reversed(_own_classes(part))), vars(part))
        for name, value in names.items()
    }
    functions = (partial, partialmethod)
    return {n for n, v in found.items() if inspect.isroutine(v) or isinstance(v, functions)}


def _check_parameters(part: Any, name: str, expected: list[str]) -> None:
    """Refuse a method that cannot take what is passed, or takes it in another order."""
    try:
        signature = inspect.signature(getattr(part, name))
    except (TypeError, ValueError):  # some functions of C have none
        return

    wrong = f"{type(part).__name__}.{name}{signature} is called with ({', '.join(expected)})"
    hint = ""
    if isinstance(part, Task) and {"trainer", "task", "pl_module"} & signature.parameters.keys():
        hint = " A task's own hooks get neither the trainer nor the task: it has self.trainer."
    try:
        signature.bind(*expected)
    except TypeError as error:
        written = f"{name}({', '.join(['self', *expected])})"
        raise ConfigurationError(f"{wrong}: {error}. Write {written}.{hint}") from None

    positions = {name: index for index, name in enumerate(signature.parameters)}
    moved = [n for index, n in enumerate(expected) if positions.get(n, index) != index]
    if moved:
        raise ConfigurationError(f"{wrong}, in this order: {moved[0]} stands elsewhere.{hint}")


def _parameters(base: type, name: str) -> list[str]:
    return list(inspect.signature(getattr(base, name)).parameters)[1:]
