"""Errors of options: what was wrong, in one sentence with the nearest right name."""

import inspect
import re
from collections.abc import Callable, Iterable
from importlib import import_module

from lightning_tf.exceptions import nearest

UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<option>--[\w.]+)")
OF_CLASS = re.compile(
    r"given class_path '(?P<path>[\w.]+)':\s+.*?Option '(?P<key>[\w.]+)' is not accepted", re.DOTALL
)
OF_GROUP = re.compile(r"Group '(?P<group>\w+)' does not accept option '(?P<key>\w+)'")
OF_NONE = re.compile(r"Option '(?P<key>[\w.]+)' is not accepted")
NO_CLASS = re.compile(r"Expected a dot import path string: (?P<name>\S+)|No module named '(\S+)'")
WRONG_VALUE = re.compile(
    r"Parser key \"(?P<key>[\w.]+)\":.*Given value: (?P<value>.*?)\s*\Z", re.DOTALL
)
EXPECTED = re.compile(r"Expected (?:a )?<class '(?P<type>[\w.]+)'>")


def explain(message: str, options: Iterable[str], tasks: Iterable[str]) -> str:
    """Return a sentence for what jsonargparse says about options.

    Args:
        message: Of jsonargparse, which tells of every type that it tried.
        options: Every option of the command, with dashes.
        tasks: Names of tasks.
    """
    # A message may match several of these: the most exact one comes first.
    explanations: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (UNRECOGNIZED, lambda m: _unknown(m["option"], options)),
        (OF_CLASS, lambda m: _not_of(m["path"], m["key"])),
        (OF_GROUP, lambda m: _unknown(f"--{m['group']}.{m['key']}", options)),
        (OF_NONE, lambda m: _unknown(f"--{m['key']}", options)),
        (NO_CLASS, lambda m: _no_class(m[1] or m[2], tasks)),
        (WRONG_VALUE, lambda m: _wrong_value(m, message)),
    )

    for pattern, explanation in explanations:
        match = pattern.search(message)
        if match is not None:
            return explanation(match)
    return message  # jsonargparse's own words are better than none


def _unknown(option: str, options: Iterable[str]) -> str:
    return f"there is no option {option}.{_hint(option, options)}"


def _not_of(path: str, key: str) -> str:
    module, _, name = path.rpartition(".")
    cls = getattr(import_module(module), name)
    known = {
        parameter.name
        for base in inspect.getmro(cls)
        if "__init__" in vars(base)
        for parameter in inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    return f"{name} has no argument {key!r}.{nearest(key, known - {'self'})}"


def _no_class(name: str, tasks: Iterable[str]) -> str:
    return f"there is no {name!r} to import; give a name or an import path.{nearest(name, tasks)}"


def _wrong_value(match: re.Match[str], message: str) -> str:
    types = [name for name in EXPECTED.findall(message) if name != "NoneType"]
    expected = f"; expected {' or '.join(dict.fromkeys(types))}" if types else ""
    return f"--{match['key']}: {match['value']!r} cannot be used{expected}."


def _hint(option: str, options: Iterable[str]) -> str:
    # All of them would fill a screen; --help lists them.
    hint = nearest(option, options).split(" Known:")[0]
    return hint or " --help lists them all."
