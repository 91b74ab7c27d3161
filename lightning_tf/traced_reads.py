"""TracedReads: the Python values that a step read when it was traced, and whether they changed."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers, watched_default_seeds
from lightning_tf.step_context import POSITION

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, Enum)
OPAQUE = (keras.Variable, tf.Variable, tf.Tensor, tf.Module, type, Exception)
COMPARED_BYTES = 2**20  # of an array; larger ones are compared by which object they are
DEPTH = 3  # of objects in objects
# What Keras sets on layers and models, and no call of theirs reads.
BOOKKEEPING = {"built", "compiled", "stop_training", "run_eagerly", "steps_per_execution"}
LIBRARIES = ("keras", "lightning_tf", "tensorflow")


class TracedReads:
    """The plain values among the attributes that a step reads while it is traced.

    A trace holds a Python number for ever. So those of the Task are noted, those of objects, lists
    and layers that it reads, and the numbers among the globals of its methods; later `change` tells
    whether one is another.

    Args:
        method: The step's name, for messages.

    Example:
        >>> reads = TracedReads("training_step")
        >>> with reads.tracing():
        ...     reads.watch("beta", lambda: task.beta)
        >>> task.beta = 1.0
        >>> reads.change()
        ('beta', 0.0, 1.0)
    """

    def __init__(self, method: str) -> None:
        self.method = method
        self._names: set[str] = set()
        self._checks: list[tuple[str, Callable[[], Any], Any, Any]] = []
        self._generators: dict[str, tuple[Callable[[], Any], Any]] = {
            "numpy.random": (_numpy_state, _numpy_state())
        }
        self._python_state, self._draws_in_python = random.getstate(), False

    # ---- while the step is traced

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Note in the ``with`` block, in which the step is traced."""
        with watched_default_seeds(self._draw_for_keras):
            yield
        self._note_python_draws()

        # What the step itself has moved, such as a count of its traces, is no input of it.
        self._checks = [check for check in self._checks if _stands(*check[1:])]

    def _draw_for_keras(self, least: int, most: int) -> int:
        self._note_python_draws()
        drawn = random.randint(least, most)
        self._python_state = random.getstate()
        return drawn

    def _note_python_draws(self) -> None:
        self._draws_in_python |= random.getstate() != self._python_state

    def note(self, owner: Any, name: str, value: Any) -> None:
        """Note that an attribute of the task was read."""
        if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
            read = partial(_generator_state, value)
            self._generators.setdefault(f"self.{name}", (read, read()))
        if name in self._names:
            return

        self._names.add(name)
        attribute = (
            None
            if name in object.__getattribute__(owner, "__dict__")
            else getattr(type(owner), name, None)
        )
        if inspect.isroutine(attribute):
            self._watch_globals(type(owner), name)
        elif not isinstance(attribute, property):  # what a property reads is noted by itself
            self.watch(f"self.{name}", partial(object.__getattribute__, owner, name))

    def note_written(self, name: str) -> None:
        """Note that the step itself sets an attribute, which is no input of it."""
        self._names.add(name)
        self._checks = [check for check in self._checks if check[0] != f"self.{name}"]

    def drawn(self) -> list[str]:
        """Return the generators of Python and NumPy that the step drew from."""
        others = [n for n, (read, before) in self._generators.items() if read() != before]
        return ["Python's random"] * self._draws_in_python + others

    def watch(self, label: str, read: Callable[[], Any], depth: int = DEPTH) -> None:
        """Keep a value, and those in it, to compare with later.

        Args:
            label: As the user writes it.
            read: Gives the value.
            depth: Of objects in objects that are looked through.
        """
        value = read()
        self._checks.append((label, read, value, _frozen(value)))

        for each in _objects_in(value):
            if isinstance(each, keras.Layer):
                self._watch_layers(label, each)
            elif depth:
                for name in _watched_names(each):
                    read_attribute = partial(vars(each).get, name)
                    self.watch(f"{label}.{name}", read_attribute, depth - 1)

    def _watch_layers(self, label: str, root: keras.Layer) -> None:
        for layer in flat_layers(root):
            attributes = vars(layer)
            for name, value in attributes.items():
                is_public = not name.startswith("_") and name not in BOOKKEEPING
                if is_public and isinstance(value, PLAIN):
                    read = partial(attributes.get, name)
                    where = f"{name} of {label}'s layer {layer.name!r}"
                    self._checks.append((where, read, value, _frozen(value)))

    def _watch_globals(self, kind: type, name: str) -> None:
        for base in kind.__mro__:
            function = inspect.unwrap(vars(base).get(name))  # type: ignore[arg-type]
            if not isinstance(function, FunctionType):
                continue
            variables = function.__globals__
            for each in function.__code__.co_names:
                if isinstance(variables.get(each), PLAIN) and not each.startswith("__"):
                    self.watch(each, partial(variables.get, each))

    # ---- afterwards

    def change(self) -> tuple[str, Any, Any] | None:
        """Return a value that is another now, what it was and what it is; None where all stand."""
        for label, read, value, frozen in self._checks:
            if not _stands(read, value, frozen):
                return label, value, read()
        return None


class TracedTrainer:
    """A Trainer as a step sees it while it is traced: what is read of it is noted.

    Args:
        trainer: The Trainer.
        reads: Of the step.
    """

    def __init__(self, trainer: Any, reads: TracedReads) -> None:
        self._trainer, self._reads = trainer, reads

    def __getattr__(self, name: str) -> Any:
        """Return the Trainer's attribute.

        Raises:
            ConfigurationError: It is a method, which would run once, when the step is traced.
        """
        value = getattr(self._trainer, name)
        if isinstance(value, MethodType):
            raise ConfigurationError(
                f"{self._reads.method} calls trainer.{name}, which would run once, when the step "
                "is traced: call it in a hook; log values of a step with self.log."
            )
        if name not in POSITION:
            self._reads.watch(f"self.trainer.{name}", partial(getattr, self._trainer, name), 1)
        return value


class _Same:
    """An object that equals itself alone."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def _frozen(value: Any) -> Any:
    """Return what equals later exactly where a value has stayed the same."""
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.nbytes <= COMPARED_BYTES else _Same(value)
        return value.shape, value.dtype.str, content
    if isinstance(value, dict):
        return dict, [(key, _frozen(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_frozen(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return set, sorted(map(repr, value))
    return _Same(value)


def _stands(read: Callable[[], Any], value: Any, frozen: Any) -> bool:
    """Return whether what is read equals what was kept of it."""
    now = read()
    return (now is value and isinstance(value, PLAIN)) or bool(_frozen(now) == frozen)


def _objects_in(value: Any) -> Iterator[Any]:
    """Yield what may hold plain values: the objects in a value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _objects_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _objects_in(item)
    elif not isinstance(value, (*PLAIN, *OPAQUE, np.ndarray)) and hasattr(value, "__dict__"):
        yield value


def _watched_names(value: Any) -> list[str]:
    is_users = not type(value).__module__.startswith(LIBRARIES)
    return [name for name in vars(value) if is_users or not name.startswith("_")]


def _numpy_state() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()
    return np.asarray(keys).tobytes(), *rest


def _generator_state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return repr(generator.get_state(legacy=False))
    return generator.getstate()
