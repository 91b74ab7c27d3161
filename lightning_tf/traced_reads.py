"""TracedReads: the Python values that a step read when it was traced, and whether they changed."""

from __future__ import annotations

import dis
import inspect
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from io import IOBase
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.frozen_value import CONTAINERS, PLAIN, freeze, stands
from lightning_tf.keras_internals import flat_layers, watched_default_seeds

OPAQUE = (keras.Variable, tf.Variable, tf.Tensor, type, Exception)
DEPTH = 6  # of objects in objects
# What Keras sets on layers and models, and no call of theirs reads.
BOOKKEEPING = {"built", "compiled", "stop_training", "run_eagerly", "steps_per_execution"}
BOOKKEEPING |= {"call_signature_parameters", "input_names", "output_names"}
BOOKKEEPING |= {"stop_evaluating", "stop_predicting", "history", "get_metrics_result"}
# What Keras computes with, though its name is private.
PRIVATE_ARGUMENTS = {"_fn_kwargs"}
LIBRARIES = {"keras", "keras_cv", "keras_hub", "lightning_tf", "numpy", "tensorflow"}
LIBRARIES |= sys.stdlib_module_names - {"__main__"}
MISSING = object()  # what an attribute is that is not there


COMPUTED_WITH = (FunctionType, MethodType, partial)
REGULARIZERS = (keras.regularizers.Regularizer, keras.constraints.Constraint)


class TracedReads:
    """The plain values among the attributes that a step reads while it is traced.

    A trace holds a Python number for ever. So those of the Task are noted, those of objects, lists
    and layers that it reads, and those that its functions find among their globals, in their
    closures and defaults and in the user's classes; later `change` tells whether one is another.

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
        self._met: dict[int, tuple[Any, int]] = {}
        self._kind: type = object  # of the task
        self._checks: list[tuple[str, Callable[[], Any], Any, Any]] = []
        self._generators: dict[str, tuple[Callable[[], Any], Any]] = {
            "numpy.random": (_numpy_state, _numpy_state())
        }
        self._iterators: set[str] = set()
        self._python_state, self._draws_in_python = random.getstate(), False

    # ---- while the step is traced

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Note in the ``with`` block, in which the step is traced."""
        with watched_default_seeds(self._draw_for_keras):
            yield
        self._note_python_draws()

        # What the step itself has moved, such as a count of its traces, is no input of it.
        self._checks = [check for check in self._checks if stands(*check[1:])]

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
        self._note_iterator(f"self.{name}", value)
        if name in self._names:
            return

        self._names.add(name)
        self._kind = type(owner)
        attributes = object.__getattribute__(owner, "__dict__")
        attribute = None if name in attributes else getattr(type(owner), name, None)
        if inspect.isroutine(attribute):
            self.watch(f"self.{name}", partial(attributes.get, name))  # where one replaces it
            for function in _methods(type(owner), name):
                self._watch_function(function, DEPTH, owner)
            return

        if isinstance(attribute, property):  # what it reads of the task is noted by itself
            for function in _methods(type(owner), name):
                self._watch_function(function, DEPTH, owner)
            return

        self.watch(f"self.{name}", partial(read_attribute, owner, name))

    def note_all(self, owner: Any) -> None:
        """Note that the dictionary of the task's attributes was read."""
        if "__dict__" not in self._names:
            self._names.add("__dict__")
            attributes = object.__getattribute__(owner, "__dict__")
            self._watch_value("the attributes of self", partial(_plain_names, owner))
            for name, value in list(attributes.items()):
                if isinstance(value, (*PLAIN, *CONTAINERS)):
                    self._watch_value(f"self.{name}", partial(attributes.get, name))

    def note_missing(self, owner: Any, name: str) -> None:
        """Note that the step asked for an attribute which the task does not have."""
        if name not in self._names:
            self._names.add(name)
            self._watch_value(f"self.{name}", partial(read_attribute, owner, name))

    def note_written(self, name: str) -> None:
        """Note that the step itself sets an attribute, which is no input of it."""
        self._names.add(name)
        self._checks = [check for check in self._checks if check[0] != f"self.{name}"]

    def _note_iterator(self, label: str, value: Any) -> None:
        """Note an iterator of Python; those of TensorFlow move with each batch."""
        if isinstance(value, Iterator) and not isinstance(value, (tf.data.Iterator, IOBase)):
            self._iterators.add(label)

    def iterated(self) -> list[str]:
        """Return the iterators of Python that the step read."""
        return sorted(self._iterators)

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
        value = self._watch_value(label, read)
        for each in _objects_in(value):
            self._watch_object(label, each, depth)

    def watch_optimizer(self, name: str, optimizer: keras.optimizers.Optimizer) -> None:
        """Keep the plain options of an optimizer, such as its momentum."""
        label = f"optimizer {name!r}" if name else "the optimizer"
        self._watch_attributes(label, optimizer, 0)

    def watch_metrics(self, metrics: Mapping[str, keras.metrics.Metric]) -> None:
        """Keep what metrics compute with, such as a threshold."""
        for name, metric in metrics.items():
            self._watch_object(f"self.metrics[{name!r}]", metric, DEPTH)

    def pass_over(self, objects: Iterable[Any]) -> None:
        """Keep nothing of these: what they hold while the step is traced is the Trainer's."""
        for each in objects:
            self._met[id(each)] = each, DEPTH

    def _watch_value(self, label: str, read: Callable[[], Any]) -> Any:
        value = read()
        self._checks.append((label, read, value, freeze(value)))
        return value

    def _is_new(self, each: Any, depth: int) -> bool:
        """Return whether an object is met for the first time, or with more depth than before."""
        _, before = self._met.get(id(each), (None, -1))
        if depth <= before:
            return False
        self._met[id(each)] = each, depth  # kept, so that its id stays its
        return True

    def _watch_object(self, label: str, each: Any, depth: int, owner: Any = None) -> None:
        if isinstance(each, partial):
            for part in _objects_in((each.func, each.args, each.keywords)):
                self._watch_object(label, part, depth)
            self._watch_value(label, lambda: (each.args, each.keywords))
        elif isinstance(each, MethodType):
            self._watch_object(label, each.__func__, depth)
            if depth and not hasattr(each.__self__, "hparams"):  # what a task has is noted as read
                self._watch_object(label, each.__self__, depth - 1)
        elif isinstance(each, FunctionType):
            self._watch_function(each, depth, owner)
        elif isinstance(each, keras.Layer):
            self._watch_layers(label, each, depth)
        elif depth and self._is_new(each, depth):
            self._watch_attributes(label, each, depth - 1)

    def _watch_attributes(self, label: str, each: Any, depth: int) -> None:
        """Keep what an object of no layer's class computes with."""
        for name in _watched_names(each):
            self.watch(f"{label}.{name}", partial(read_attribute, each, name), depth)
        self._watch_value(f"the attributes of {label}", partial(_plain_names, each))
        if _is_users(type(each)):
            for function in _methods(type(each)):
                self._watch_function(function, depth, each)

    def _watch_layers(self, label: str, root: keras.Layer, depth: int) -> None:
        # A backbone is met by itself and in its model.
        for layer in [each for each in flat_layers(root) if self._is_new(each, depth)]:
            attributes, is_users = vars(layer), _is_users(type(layer))
            names = _names_of(type(layer))  # type: ignore[arg-type]
            for name, value in list(attributes.items()):
                where = f"{name} of {label}'s layer {layer.name!r}"
                read = partial(attributes.get, name)
                if name in BOOKKEEPING or (name.startswith("_") and name not in names):
                    continue
                if isinstance(value, PLAIN) or _is_constant(value):
                    self._watch_value(where, read)
                elif isinstance(value, COMPUTED_WITH) and not _is_of_library(value):
                    self._watch_object(where, value, depth)
                elif isinstance(value, REGULARIZERS):
                    self._watch_object(where, value, 1)
                elif is_users and not isinstance(value, (keras.Layer, *OPAQUE)):
                    self._watch_parts(where, read, depth)

            if is_users:
                for function in _methods(type(layer)):
                    self._watch_function(function, depth, layer)

    def _watch_parts(self, label: str, read: Callable[[], Any], depth: int) -> None:
        """Keep what a user's layer holds beside layers and variables."""
        parts = [e for e in _objects_in(read()) if not isinstance(e, keras.Layer)]
        self._watch_value(label, read)
        for each in parts:
            self._watch_object(label, each, max(depth - 1, 0))

    def _watch_function(self, function: Any, depth: int, owner: Any = None) -> None:
        """Keep what a user's function computes with, beside its arguments.

        Args:
            function: A function.
            depth: Of objects in objects that are looked through.
            owner: The object whose method it is; numbers of its class are among what it reads.
        """
        function = inspect.unwrap(function)
        if not isinstance(function, FunctionType) or _is_of_library(function):
            return
        if not self._is_new(function, depth):
            return

        code = function.__code__
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if not isinstance(_content(cell), type):  # __class__, of super()
                self._note_iterator(name, _content(cell))
                self.watch(name, partial(_content, cell), depth)
        if function.__defaults__ or function.__kwdefaults__:
            self.watch(
                f"a default of {function.__name__}",
                lambda: (function.__defaults__, function.__kwdefaults__),
                depth,
            )
        self._watch_value(f"an attribute of {function.__name__}", lambda: dict(vars(function)))

        self._watch_globals(function, depth)
        for kind in {type(owner), self._kind}:  # a helper may read the class of the task it gets
            self._watch_class(kind, _names_in(code)[1])

    def _watch_globals(self, function: FunctionType, depth: int) -> None:
        variables = function.__globals__
        globals_read, names = _names_in(function.__code__)
        for name in globals_read & variables.keys():
            value = variables[name]
            if isinstance(value, type):
                self._watch_class(value, names)
            elif isinstance(value, ModuleType):
                self._watch_module(value, names, depth)
            elif not (
                name.startswith("__") or (inspect.isroutine(value) and _is_of_library(value))
            ):
                self._note_iterator(name, value)
                self.watch(name, partial(variables.get, name), depth)

    def _watch_class(self, kind: type, names: frozenset[str]) -> None:
        """Keep the plain attributes of a user's class among those that a function names."""
        for base in kind.__mro__:
            if _is_users(base):
                for name in names & vars(base).keys():
                    if isinstance(vars(base)[name], (*PLAIN, *CONTAINERS)):
                        self._watch_value(f"{base.__name__}.{name}", partial(vars(base).get, name))

    def _watch_module(self, module: ModuleType, names: frozenset[str], depth: int) -> None:
        if _is_library(module.__name__):
            return
        for name in names & vars(module).keys():
            if not isinstance(vars(module)[name], (type, ModuleType)):
                read = partial(vars(module).get, name)
                self.watch(f"{module.__name__}.{name}", read, depth)

    # ---- afterwards

    def change(self) -> tuple[str, Any, Any] | None:
        """Return a value that is another now, what it was and what it is; None where all stand."""
        for label, read, value, frozen in self._checks:
            if not stands(read, value, frozen):
                return label, value, read()
        return None


def _objects_in(value: Any) -> Iterator[Any]:
    """Yield what may hold plain values: the objects and functions in a value."""
    if isinstance(value, dict):
        for item in list(value.values()):
            yield from _objects_in(item)
    elif isinstance(value, (list, tuple, deque)):
        for item in value:
            yield from _objects_in(item)
    elif isinstance(value, (*PLAIN, *OPAQUE, np.ndarray, ModuleType)):
        return
    elif isinstance(value, tf.Module):
        if _is_users(type(value)):
            yield value
    elif hasattr(value, "__dict__") or _slots(type(value)) or isinstance(value, MethodType):
        yield value


def _watched_names(value: Any) -> list[str]:
    """Return the attributes of an object that hold what it computes with."""
    is_users = _is_users(type(value))
    names = [n for n in _own(value) if is_users or n[0] != "_" or n in PRIVATE_ARGUMENTS]
    if is_users:  # those of its class, which an attribute of its own may come to hide
        plain = (*PLAIN, *CONTAINERS)
        for base in filter(_is_users, type(value).__mro__):
            names += [n for n, v in vars(base).items() if n[:2] != "__" and isinstance(v, plain)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_self_")]  # TensorFlow's


def _own(value: Any) -> list[str]:
    """Return the names of an object's own attributes."""
    return [*getattr(value, "__dict__", ()), *(n for n in _slots(type(value)) if _has(value, n))]


def _slots(kind: type) -> list[str]:
    slots = [vars(base).get("__slots__", ()) for base in kind.__mro__ if _is_users(base)]
    names = [n for each in slots for n in ((each,) if isinstance(each, str) else each)]
    return [name for name in names if not name.startswith("__")]


def _has(value: Any, name: str) -> bool:
    return read_attribute(value, name) is not MISSING


def read_attribute(value: Any, name: str) -> Any:
    """Return an attribute as Python finds it, without what `__getattr__` would make up."""
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return MISSING


def _plain_names(value: Any) -> list[str]:
    """Return the names of an object's attributes that hold plain values."""
    is_users = _is_users(type(value))
    attributes = getattr(value, "__dict__", {})
    return [
        name
        for name, each in attributes.items()
        if isinstance(each, PLAIN) and (is_users or not name.startswith("_"))
    ]


@cache
def _names_of(kind: type) -> frozenset[str]:
    """Return the names in the methods of the user's part of a class."""
    codes = [function.__code__ for function in _methods(kind)]
    return frozenset(name for code in codes for name in _names_in(code)[1])


def _is_constant(value: Any) -> bool:
    """Return whether an attribute of a layer holds numbers that a trace keeps."""
    if isinstance(value, tf.Tensor):
        return not tf.is_symbolic_tensor(value)
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, PLAIN) or _is_constant(item) for item in value)
    return isinstance(value, np.ndarray)


def _methods(kind: type, name: str | None = None) -> list[Any]:
    """Return the functions that a user's class defines, or those behind one of its names."""
    found: list[Any] = []
    for base in filter(_is_users, kind.__mro__):
        for key, value in vars(base).items():
            if key == name if name is not None else key == "__call__" or key[:2] != "__":
                function = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if inspect.isfunction(function):
                    found.append(inspect.unwrap(function))
    return found


@cache
def _names_in(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Return the globals that a code reads, and all names in it, its inner functions included."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname.startswith("LOAD_GLOBAL")}
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            its_globals, its_names = _names_in(inner)
            found, names = found | its_globals, names | its_names
    return frozenset(found), frozenset(names)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return MISSING


@cache
def _is_library(module: str) -> bool:
    if module.split(".")[0] in LIBRARIES:
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _is_users(kind: type) -> bool:
    return not _is_library(kind.__module__)


def _is_of_library(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    return _is_library(getattr(function, "__module__", None) or "")


def _numpy_state() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()
    return np.asarray(keys).tobytes(), *rest


def _generator_state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return repr(generator.get_state(legacy=False))
    return generator.getstate()
