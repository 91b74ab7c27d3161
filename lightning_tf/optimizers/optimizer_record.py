"""What a checkpoint says of an optimizer: its class, its slots, and how it was configured."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.checks import is_number
from lightning_tf.hyperparameters import change_text, class_path, plain
from lightning_tf.keras_internals import learning_rate_of, optimized_variables

STEP, RATE = "iteration", "learning_rate"  # variables that are no slots
IGNORED = ("name", "module", "registered_name")  # of a configuration: they change no update

# Keras' optimizers tell the rate that they have now. One that a fit before has used is remembered
# as it was when `configure_optimizers` gave it first: a callback may have moved its rate since.
_configurations: WeakKeyDictionary[keras.optimizers.Optimizer, dict[str, Any]] = WeakKeyDictionary()


def configuration_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return how an optimizer was configured when it was first seen, as plain data."""
    if optimizer not in _configurations:
        _configurations[optimizer] = _configuration(optimizer)
    return _configurations[optimizer]


def named_variables(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return all variables of a built optimizer by names that are the same in every process.

    A slot's own name begins with its layer's, which Keras numbers by what the process made before;
    its position among the slots and its kind do not change.
    """
    rate = learning_rate_of(optimizer)
    named: dict[str, Any] = {}
    slots = []
    for variable in optimizer.variables:
        if variable.name == STEP and STEP not in named:
            named[STEP] = variable
        elif variable is rate:
            named[RATE] = variable
        else:
            slots.append(variable)

    kinds = slot_kinds(optimizer, slots)
    pairs = zip(kinds, slots, strict=True)
    return named | {f"{i:04d}.{kind}": slot for i, (kind, slot) in enumerate(pairs)}


def slot_kinds(optimizer: keras.optimizers.Optimizer, slots: list[Any]) -> list[str]:
    """Return what each slot is, such as ``momentum``."""
    trained = optimized_variables(optimizer)
    owners = {str(getattr(v, "path", v.name)).replace("/", "_").replace(":", "_") for v in trained}
    plain_names = {variable.name for variable in trained}
    return [_kind(slot.name, owners, plain_names) for slot in slots]


def _kind(name: str, owners: set[str], plain_names: set[str]) -> str:
    if name in plain_names:  # some of Keras' slots have the name of what they belong to
        return "slot"

    # From the end: the name of one layer may begin with that of another.
    for underscore in reversed([match.start() for match in re.finditer("_", name)]):
        if name[:underscore] in owners:
            return re.sub(r"\W", "_", name[underscore + 1 :])
    return re.sub(r"\W", "_", re.sub(r"_\d+$", "", name))  # Keras numbers what has no name


def record_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return what a checkpoint says of a built optimizer, as plain data."""
    names = (name.partition(".")[2] for name in named_variables(optimizer))
    return {
        "class": class_path(type(optimizer)),
        "slots": sorted({name for name in names if name}),
        "config": configuration_of(optimizer),
    }


def describe(record: dict[str, Any]) -> str:
    """Return the class and the slots of a record, for messages."""
    slots = ", ".join(record["slots"]) or "none"
    return f"{record['class'].rpartition('.')[2]} (slots: {slots})"


def fits(record: dict[str, Any], recorded: dict[str, Any]) -> bool:
    """Return whether an optimizer can go on with what another of a record has left."""
    return bool(
        # By its name alone: Keras and users move classes.
        record["class"].rpartition(".")[2] == recorded["class"].rpartition(".")[2]
        and record["slots"] == recorded["slots"]
    )


def configuration_changes(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what of a configuration has changed, such as ``learning_rate 0.01 -> 0.5``.

    What only one of them knows is of another version of Keras, and left out.
    """
    return [text for name in now for text in _changes(name, was.get(name, now[name]), now[name])]


def rate_changed(was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether a configuration has another learning rate or schedule."""
    return next(_changes(RATE, was.get(RATE), now.get(RATE)), None) is not None


def _changes(name: str, was: Any, now: Any) -> Iterator[str]:
    if name.rpartition(".")[2] in IGNORED or was == now:
        return
    if _is_object(was) and _is_object(now) and was["class_name"] == now["class_name"]:
        for key in {**was["config"], **now["config"]}:
            yield from _changes(f"{name}.{key}", was["config"].get(key), now["config"].get(key))
    else:
        yield change_text(name, _named(was), _named(now))


def _is_object(value: Any) -> bool:
    """Return whether a value is what Keras writes of an object, such as a schedule."""
    return (
        isinstance(value, dict) and "class_name" in value and isinstance(value.get("config"), dict)
    )


def _named(value: Any) -> Any:
    return {"type": value["class_name"]} if _is_object(value) else value


def _configuration(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():  # Keras warns that a lambda cannot be read safely
            warnings.simplefilter("ignore")
            config = dict(optimizer.get_config())
    except Exception:  # of a user's class: what it has of everybody's is still known
        names = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue")
        config = {name: getattr(optimizer, name, None) for name in names}

        rate = learning_rate_of(optimizer)
        config[RATE] = rate.numpy() if isinstance(rate, keras.Variable) else _schedule(rate)

    # What Keras writes of a function is its code, which differs by the lines above it.
    rate = learning_rate_of(optimizer)
    if not isinstance(rate, (keras.Variable, keras.optimizers.schedules.LearningRateSchedule)):
        config[RATE] = _function(rate)
    return {name: _plain(value) for name, value in config.items() if name not in IGNORED}


def _function(rate: Any) -> Any:
    """Return what tells a callable from another: the numbers and names in it, not its bytes."""
    if isinstance(rate, partial):
        config = {"function": _function(rate.func), "args": rate.args, "keywords": rate.keywords}
        return {"class_name": "partial", "config": config}
    if isinstance(rate, MethodType):
        config = {"function": _function(rate.__func__), "self": _attributes(rate.__self__)}
        return {"class_name": rate.__name__, "config": config}
    if not isinstance(rate, FunctionType):
        return {"class_name": type(rate).__name__, "config": _attributes(rate)}

    code = rate.__code__
    names = {name: rate.__globals__[name] for name in code.co_names if name in rate.__globals__}
    config = {
        "constants": code.co_consts,
        "names": code.co_names,
        "globals": {name: value for name, value in names.items() if is_number(value)},
        "defaults": rate.__defaults__,
        "closure": [cell.cell_contents for cell in rate.__closure__ or ()],
    }
    return {"class_name": rate.__name__, "config": config}


def _attributes(owner: Any) -> dict[str, Any]:
    return {n: v for n, v in getattr(owner, "__dict__", {}).items() if not n.startswith("_")}


def _schedule(rate: Any) -> Any:
    """Return a schedule as Keras would write it, also one of a user's class without get_config."""
    if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return rate
    try:
        config = rate.get_config()
    except Exception:
        config = _attributes(rate)
    return {"class_name": type(rate).__name__, "config": config}


def _plain(value: Any) -> Any:
    """Return plain data; numbers of NumPy, TensorFlow and Keras count as such."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (keras.Variable, tf.Variable, tf.Tensor, np.ndarray, np.generic)):
        array = np.asarray(value)
        return plain(array.item()) if array.ndim == 0 else plain(value)
    return plain(value)
