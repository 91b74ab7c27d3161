"""A task of one's own that is given by the path of its file."""

import ast
import inspect
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.task import Task

FILE = re.compile(r"(?P<path>.+\.py)(?::{1,2}(?P<name>\w+))?")
COMMENT = "# --task "  # before the path in a config, which knows the import path alone


def task_of_file(given: str) -> str:
    """Return the import path of a task, after its file was imported where it is given by that.

    Args:
        given: ``folder/net.py:Net``, ``net.py`` of one task, or a name or import path, which is
            returned as it is.

    Raises:
        ConfigurationError: The file is missing or cannot be imported, or has no such task.
    """
    match = FILE.fullmatch(given)
    if match is None:
        return given
    module = _imported(Path(match["path"]).expanduser())
    tasks = {
        name: each
        for name, each in vars(module).items()
        if inspect.isclass(each) and issubclass(each, Task) and each.__module__ == module.__name__
    }

    name = match["name"]
    if name is None and len(tasks) != 1:
        raise ConfigurationError(
            f"{given} has {len(tasks)} tasks: {', '.join(tasks) or 'none'}; give one of them, as "
            f"{match['path']}:NAME."
        )
    if name is not None and name not in tasks:
        what = f"{name} is no Task" if hasattr(module, name) else f"there is no {name}"
        raise ConfigurationError(f"{match['path']}: {what}.{nearest(name, tasks)}")
    return f"{module.__name__}.{name or next(iter(tasks))}"


def import_file_of(config: str | os.PathLike[str]) -> None:
    """Import the file of the task that a config was written with, where it has one.

    Args:
        config: A file that ``lightning-tf fit`` wrote.

    Raises:
        ConfigurationError: The file is missing or cannot be imported.
    """
    try:
        first = Path(config).read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return  # the parser says what is wrong with it
    if first.startswith(COMMENT):
        _imported(Path(ast.literal_eval(first.removeprefix(COMMENT))))


def comment_of(given: str | None) -> str:
    """Return the line of a config by which its task's file is found again, or nothing.

    Args:
        given: What stood after ``--task``.
    """
    match = None if given is None else FILE.fullmatch(given)
    return "" if match is None else f"{COMMENT}{os.path.abspath(match['path'])!r}\n"


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"--task: there is no file {path}.")
    if not path.stem.isidentifier():
        raise ConfigurationError(f"--task: {path} cannot be imported: its name is no identifier.")

    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = import_module(path.stem)
    except Exception as error:
        raise ConfigurationError(
            f"{path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if Path(str(getattr(module, "__file__", ""))).resolve() != path.resolve():
        raise ConfigurationError(
            f"--task: {path} has the name of another module, {module.__file__ or path.stem}; "
            "rename it."
        )
    return module
