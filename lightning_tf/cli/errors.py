"""Errors of options: what was wrong, in one sentence with the nearest right name."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from lightning_tf.cli.short_options import arguments_of
from lightning_tf.exceptions import nearest

# What jsonargparse says, which tells of every type that it tried.
UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<option>--[\w.]+)")
NO_OPTION = re.compile(r"unrecognized arguments: (?P<word>\S+)")
MISSING = re.compile(r"\A(?:the following|following) arguments are required: (?P<names>[\w., ]+)")
IN_CLASS = r"Problem with given class_path '(?P<path>[\w.]+)':\s+"
OF_CLASS = re.compile(IN_CLASS + r".*?Option '(?P<key>[\w.]+)' is not accepted", re.DOTALL)
REQUIRED = re.compile(IN_CLASS + r"the following arguments are required: (?P<names>[\w., ]+)")
NO_ATTRIBUTE = re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'")
NO_MODULE = re.compile(IN_CLASS + r"(?P<reason>No module named '(?P<module>[\w.]+)')")
NO_KIND = re.compile(r"Import path does not correspond to a subclass of (?P<kind>\w+)")
NO_NAME = re.compile(r"Expected a dot import path string: (?P<name>\S+)")
OF_GROUP = re.compile(r"Group '(?P<group>\w+)' does not accept option '(?P<key>\w+)'")
OF_NONE = re.compile(r"Option '(?P<key>[\w.]+)' is not accepted")
ANY_IN_CLASS = re.compile(IN_CLASS + r"(?!Parser key)(?P<reason>\S.*?)\n", re.DOTALL)
KEY = re.compile(r"Parser key \"(?P<key>[\w.]+)\":")
ONE_LINE = re.compile(KEY.pattern + r" (?P<reason>\S.*)")
REASON = re.compile(
    r"Errors:\n\s+- (?!Expected|Does not|Invalid content)(?P<reason>[^\n]*[^:\n])\n"
)
NESTED = r"NestedArg\(key='(?P<key>[\w.]+)', val="
GIVEN = re.compile(
    rf"(?:Given value: |Got value: )(?:{NESTED})?(?P<value>.*?)\)?\s*$", re.MULTILINE
)
EXPECTED = re.compile(r"Expected (?:a )?(?P<type>one of [^\n]+|<class '[\w.]+'>|list)")


def explain(message: str, options: Iterable[str], known: Mapping[str, Iterable[str]]) -> str:
    """Return a sentence for what jsonargparse says about options.

    Args:
        message: Of jsonargparse.
        options: Every option of the command, with dashes.
        known: Names of classes by the option that takes them: ``task``, ``trainer.callbacks``.
    """
    keys = KEY.findall(message)
    match = GIVEN.search(message)  # the first is of the innermost key
    if match is not None and match["key"] and len(keys) == 1:
        keys.append(match["key"])
    key = ".".join(keys)
    names = known.get(key, ())

    # A message may match several of these: the most exact one comes first.
    explanations: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (UNRECOGNIZED, lambda m: _unknown(m["option"], options)),
        (NO_OPTION, lambda m: f"{m['word']!r} is no option. --help lists them all."),
        (MISSING, lambda m: f"--{m['names'].strip()} is missing."),
        (OF_CLASS, lambda m: _not_of(m["path"], m["key"])),
        (REQUIRED, lambda m: _required(key, m["path"], m["names"])),
        (NO_MODULE, lambda m: _no_module(key, m, names)),
        (NO_ATTRIBUTE, lambda m: _no_attribute(key, m["module"], m["name"])),
        (NO_KIND, lambda m: f"--{key}: {_given(message)} is no {m['kind']}.{nearest('', names)}"),
        (NO_NAME, lambda m: _no_class(key, m["name"], names)),
        (OF_GROUP, lambda m: _unknown(f"--{m['group']}.{m['key']}", options)),
        (OF_NONE, lambda m: _unknown(f"--{m['key']}", options)),
        (ANY_IN_CLASS, lambda m: f"--{key} {_last(m['path'])}: {' '.join(m['reason'].split())}"),
        (REASON, lambda m: f"--{key}: {_given(message)} cannot be used: {m['reason'].strip()}."),
        (ONE_LINE, lambda m: f"--{m['key']}: {m['reason'].strip()}"),
        (KEY, lambda m: _wrong_value(key, message)),
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
    return f"{name} has no argument {key!r}.{nearest(key, _constructor(module, name))}"


def _constructor(module: str, name: str) -> frozenset[str]:
    return arguments_of(getattr(import_module(module), name))


def _required(key: str, path: str, names: str) -> str:
    first = names.split(",")[0].strip()
    return f"{_last(path)} needs {names.strip()}: give it, --{key}.{first}=VALUE."


def _no_module(key: str, match: re.Match[str], names: Iterable[str]) -> str:
    """Tell a module that is missing from one that imports something that is missing."""
    module = match["path"].rpartition(".")[0]
    if module == match["module"] or module.startswith(f"{match['module']}."):
        return _no_class(key, match["path"], names)
    return f"--{key}: {module} cannot be imported: {match['reason']}."


def _no_attribute(key: str, module: str, name: str) -> str:
    classes = [n for n, each in vars(sys.modules[module]).items() if isinstance(each, type)]
    own = [n for n in classes if getattr(sys.modules[module], n).__module__ == module]
    return f"--{key}: {module} has no {name!r}.{nearest(name, own)}"


def _no_class(key: str, name: str, names: Iterable[str]) -> str:
    give = "give a name or an import path"
    return f"--{key}: there is no {name!r} to import; {give}.{nearest(name, names)}"


def _wrong_value(key: str, message: str) -> str:
    types = [name for name in EXPECTED.findall(message) if "NoneType" not in name]
    names = [name.removeprefix("<class '").removesuffix("'>") for name in dict.fromkeys(types)]
    inner = [name for name in names if "." not in name] or names  # of a task those of its argument
    expected = f"; expected {' or '.join(inner)}" if inner else ""
    return f"--{key}: {_given(message)} cannot be used{expected}."


def _given(message: str) -> str:
    match = GIVEN.search(message)
    return "the value" if match is None else repr(match["value"].strip("'"))


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _hint(option: str, options: Iterable[str]) -> str:
    # All of them would fill a screen; --help lists them.
    hint = nearest(option, options).split(" Known:")[0]
    return hint or " --help lists them all."
