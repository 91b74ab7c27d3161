"""task_of_run: the trained task of a run's folder."""

import os
from importlib import import_module
from pathlib import Path

from lightning_tf.checkpoint.io import read_run
from lightning_tf.checkpoint.search import WORDS, checkpoint_of_run
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.remote_files import local_run
from lightning_tf.task import Task


def task_of_run(
    run: str | os.PathLike[str], ckpt_path: str | os.PathLike[str] | None = None
) -> tuple[Task, str]:
    """Return the task of a run as a checkpoint has it, and the path of that.

    Args:
        run: The folder.
        ckpt_path: ``best``, ``last``, a checkpoint's folder; None for the best where one is known,
            else the last.

    Raises:
        CheckpointError: There is none, or the task needs more than it holds.
        ConfigurationError: The task's class cannot be imported.

    Example:
        >>> task, path = task_of_run("runs/version_0")
    """
    is_word = ckpt_path is None or ckpt_path in WORDS
    run = local_run(run) if is_word else run
    if is_word and not Path(run).expanduser().is_dir():
        raise ConfigurationError(f"{run} is no folder; give that of a run, as runs/version_0.")
    path = checkpoint_of_run(run, None if ckpt_path is None else str(ckpt_path)) if is_word else ""
    path = path or str(ckpt_path)
    return _class_named(str(read_run(path).get("task")), path).from_checkpoint(path), path


def _class_named(name: str, path: str) -> type[Task]:
    module, _, cls = name.rpartition(".")
    try:
        found = getattr(import_module(module), cls)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is of the task {name}, which cannot be imported ({error}): call "
            "lightning_tf.serving_app(task) in a program that has the class."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise ConfigurationError(f"{path} is of {name}, and that is no Task.")
    return found
