"""Hyperparameters: a constructor's arguments as plain data, and the way back; a task's state."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightning_tf.checks import plain_number
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.identifying_text import identifying_text
from lightning_tf.spellings import CALLBACKS, TASKS, refuse_unknown
from lightning_tf.storage.location import is_url


def plain_arguments(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call of `cls`, defaults included, as plain data by name.

    What is no plain data (a model, arrays) is recorded as ``{"type": "package.Class"}``.

    Raises:
        UnknownArgumentError: The class has no such argument.
    """
    init = cls.__init__  # type: ignore[misc]
    try:
        bound = inspect.signature(init).bind(None, *args, **kwargs)
    except TypeError:
        elsewhere = {**CALLBACKS, **TASKS}.get(cls.__name__, {})
        refuse_unknown(cls.__name__, init, args, kwargs, elsewhere)
        return {}  # the call of __init__ that follows raises the same error with a better trace
    bound.apply_defaults()

    hparams: dict[str, Any] = {}
    for parameter in list(bound.signature.parameters.values())[1:]:  # the first is self
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            hparams.update({key: plain(item) for key, item in value.items()})
        else:
            hparams[parameter.name] = plain(value)
    return hparams


def plain(value: Any) -> Any:
    """Return JSON-able data as it is; anything else as its type, with what tells it from others.

    Example:
        >>> plain({1, 2})
        {'type': 'builtins.set', 'text': '[1, 2]'}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if is_url(value):  # a UPath
        return str(value)
    if isinstance(value, np.generic):
        number = plain_number(value)
        return {"type": class_path(type(value))} if number is None else number
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(item) for key, item in value.items()}
    text = identifying_text(value)
    return {"type": class_path(type(value)), **({} if text is None else {"text": text})}


def is_plain(value: Any) -> bool:
    """Return whether a value is plain data as it stands: numbers, text, and lists of these."""
    return _first_unplain(value)[1] is None


def checked_state(name: str, state: Any) -> dict[str, Any]:
    """Return what a `state_dict` gave as JSON can hold it.

    Args:
        name: Of whose state it is.
        state: A dict of strings, numbers, booleans, None, and lists and dicts of these. Numbers of
            NumPy, TensorFlow and Keras become Python's.

    Raises:
        ConfigurationError: It holds something else; names the first such entry.
    """
    state = _with_plain_numbers(state)
    place, value = _first_unplain(state) if isinstance(state, dict) else ("", state)
    if value is not None or state is None:
        raise ConfigurationError(
            f"{name}.state_dict(){place} is a {type(value).__name__}; give plain data: a dict with "
            "strings as keys, of numbers, strings, lists, dicts and arrays of numbers."
        )
    plain_state: dict[str, Any] = state
    return plain_state


def call_arguments(
    cls: type, recorded: Mapping[str, Any], replaced: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword arguments that build a `cls` again.

    Args:
        cls: Whose constructor is to be called.
        recorded: What `plain_arguments` returned.
        replaced: Arguments that take the place of recorded ones.

    Raises:
        CheckpointError: An argument that is no plain data is not replaced.
    """
    # All at once: a user should not learn of them one by one.
    missing = {
        name: value
        for name, value in recorded.items()
        if name not in replaced and holds_a_type(value)
    }
    if missing:
        asked = ", ".join(f"{name}={_example(value)}(...)" for name, value in missing.items())
        raise CheckpointError(
            f"a checkpoint holds plain data only; call "
            f"{cls.__name__}.from_checkpoint(path, {asked}) to give the rest again."
        )

    named = {**recorded, **replaced}
    positional: list[Any] = []
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            # What stands before *args can only be passed by position then.
            positional = [named.pop(p.name) for p in parameters if _precedes(p) and p.name in named]
            positional += named.pop(parameter.name, [])
    return positional, named


# ---- classes, as they are recorded


def class_path(cls: type) -> str:
    """Return the module and the qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def is_name_of(path: str, cls: type) -> bool:
    """Return whether a recorded path names a class, wherever the class stood then."""
    return path.rpartition(".")[2] == cls.__name__


def hparams_differences(hparams: Mapping[str, Any], recorded: Any) -> list[str]:
    """Return what of a new task's hyperparameters a checkpoint recorded otherwise, as text.

    Args:
        hparams: The new task's. What is None in them may have been learned from the data of the
            run that was recorded.
        recorded: The checkpoint's; classes in them may have moved since.
    """
    known = recorded if isinstance(recorded, dict) else {}
    return [
        change_text(name, known.get(name, "nothing"), value)
        for name, value in hparams.items()
        if name not in known
        or (
            value is not None and not _equal(_without_modules(value), _without_modules(known[name]))
        )
    ]


def _equal(one: Any, other: Any) -> bool:
    """Return whether plain data are equal; NaN, an argument as any, equals itself."""
    return one == other or repr(one) == repr(other)


def change_text(name: str, was: Any, now: Any) -> str:
    """Return how a plain value changed, such as ``learning_rate 0.01 -> 0.5``."""
    return f"{name} {_short(was)} -> {_short(now)}"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.7g}"  # float32's digits: what Keras has rounded reads as it was given
    if _is_type(value):
        text = value.get("text", "")
        return f"{_short_name(value)}({text})" if 0 < len(text) <= 60 else _short_name(value)
    text = value if value == "nothing" else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _without_modules(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_modules(item) for item in value]
    if _is_type(value):
        return {**value, "type": _short_name(value)}
    if isinstance(value, dict):
        return {key: _without_modules(item) for key, item in value.items()}
    return value


def _is_type(value: Any) -> bool:
    return isinstance(value, dict) and {"type"} <= set(value) <= {"type", "text"}


def _short_name(value: dict[str, Any]) -> str:
    return str(value["type"]).rpartition(".")[2]


def holds_a_type(value: Any) -> bool:
    """Return whether a recorded value stands for what is no plain data."""
    if isinstance(value, list):
        return any(holds_a_type(item) for item in value)
    if isinstance(value, dict):
        return _is_type(value) or any(holds_a_type(item) for item in value.values())
    return False


def _example(value: Any) -> str:
    return _short_name(value) if _is_type(value) else "..."


def _with_plain_numbers(value: Any) -> Any:
    """Return a state with Python's numbers, and everything else as it is."""
    if isinstance(value, dict):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_plain_numbers(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    number = plain_number(value)
    return value if number is None else number


def _first_unplain(value: Any) -> tuple[str, Any]:
    """Return the place, such as ``['words'][3]``, and the value of what is no plain data.

    The value is None where all is plain.
    """
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        parts: Any = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return "", None if isinstance(value, (bool, int, float, str)) else value
    for key, part in parts:
        place, unplain = _first_unplain(part)
        if unplain is not None:
            return f"[{key!r}]{place}", unplain
    return "", None


def _precedes(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
