"""CheckpointSearch: which checkpoint a path, ``"last"`` or ``"best"`` means, read and verified."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checkpoint.atomic_directory import final_name, locate
from lightning_tf.checkpoint.io import (
    RUN_FILE,
    TENSORS_FILE,
    Checkpoint,
    read_checkpoint,
    read_run,
)
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import class_path, has_hparams, is_name_of

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

CheckpointPath = str | os.PathLike[str]

SCHEME = re.compile(r"([a-z]{2,}):(.+)")  # at least two letters: "c:" is a drive
_sources: dict[str, Callable[[str, str], str]] = {}


def register_source(scheme: str, fetch: Callable[[str, str], str]) -> None:
    """Let ``ckpt_path="<scheme>:<reference>"`` mean a checkpoint that must be fetched first.

    Args:
        scheme: Lower-case letters, at least two.
        fetch: Takes the reference and a folder for downloads; returns the checkpoint's directory,
            or raises a CheckpointError.

    Example:
        >>> register_source("shelf", lambda reference, folder: f"/mnt/shelf/{reference}")
        >>> trainer.test(task, ckpt_path="shelf:digits/best.ckpt")
    """
    _sources[scheme] = fetch


class CheckpointSearch:
    """Finds checkpoints for a Trainer and a task.

    ``"last"`` is the newest whole checkpoint: of those that this Trainer's callbacks wrote, else of
    those of the task's class that stand on the disk where its callbacks write, also from earlier
    processes. A class that stood in another module when it was written is the same where its
    arguments are, too. ``"best"`` is the best that the callbacks know of, else the best that the
    newest one on the disk knows of.

    Args:
        trainer: Gives callbacks and loggers.
        task: Whose checkpoints are looked for.
    """

    def __init__(self, trainer: Trainer, task: Task) -> None:
        self._trainer = trainer
        self._task = task
        self._writers = [c for c in trainer.callbacks if isinstance(c, CheckpointCallback)]

    def __call__(self, ckpt_path: CheckpointPath) -> Checkpoint | None:
        """Read a checkpoint.

        Args:
            ckpt_path: A directory, ``"last"``, ``"best"``, or what a registered source knows.

        Returns:
            The checkpoint; None for ``"last"`` where none was ever written.

        Raises:
            CheckpointError: It is missing or damaged; for ``"last"``, every one is.
            ConfigurationError: Nothing can tell the best, or nothing writes checkpoints.
        """
        if ckpt_path not in ("last", "best"):
            return read_checkpoint(self._fetch(os.fspath(ckpt_path)))
        if not self._writers:
            raise ConfigurationError(
                f"ckpt_path={ckpt_path!r}: no callback of this Trainer writes checkpoints; give a "
                "path, or leave enable_checkpointing on."
            )
        return self._last() if ckpt_path == "last" else self._best()

    def _fetch(self, path: str) -> str:
        scheme = SCHEME.fullmatch(path)
        if scheme is None or scheme[1] not in _sources:
            return path
        return _sources[scheme[1]](scheme[2], self._trainer.default_root_dir)

    def _last(self) -> Checkpoint | None:
        damaged: list[CheckpointError] = []
        for path in self._newest_first():
            try:
                checkpoint = read_checkpoint(path)
            except CheckpointError as error:
                log.warning("ckpt_path='last' passes over a checkpoint: %s", error)
                damaged.append(error)
                continue
            if damaged:
                log.warning("ckpt_path='last' falls back to %s.", path)
            return checkpoint

        # Starting anew in silence, though something was saved, would lose a run.
        if damaged:
            reasons = "; ".join(map(str, damaged))
            raise CheckpointError(f"ckpt_path='last': no checkpoint can be read: {reasons}")
        return None

    def _best(self) -> Checkpoint:
        paths = [path for w in self._writers if (path := getattr(w, "best_model_path", ""))]
        if not paths:  # a new process: what an earlier one's callbacks held for the best
            for newest in self._newest_first():
                states = read_run(newest).get("callbacks", {}).values()
                best = [s["best"][0] for s in states if isinstance(s, dict) and s.get("best")]
                paths = [path for path in best if path]
                if paths:
                    break

        if not paths:
            raise ConfigurationError(
                "ckpt_path='best': no callback of this Trainer has written a checkpoint, and there "
                f"is none in {', '.join(self._folders()) or 'any folder'}; give a path."
            )
        return read_checkpoint(paths[0])

    def _newest_first(self) -> Iterator[str]:
        """Yield what this Trainer wrote, then what stands on the disk; each once."""
        written = [path for w in self._writers if (path := getattr(w, "last_model_path", ""))]
        seen: set[str] = set()
        for path in (*written, *self._on_disk()):
            if os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                yield path

    def _on_disk(self) -> list[str]:
        """Return the task's checkpoints in the writers' folders, newest first."""
        dated: list[tuple[float, str]] = []
        for path in {p for folder in self._folders() for p in _checkpoints_in(Path(folder))}:
            try:
                run = read_run(path)
            except CheckpointError:
                dated.append((_written_at(path), path))  # `_last` says that it is damaged
                continue
            # One without progress holds weights only: nothing to go on from.
            if "progress" in run and self._wrote(run):
                dated.append((run["saved_at"], path))
        return [path for _, path in sorted(dated, reverse=True)]

    def _wrote(self, run: dict[str, Any]) -> bool:
        """Return whether the task's class wrote a checkpoint, wherever the class stood then."""
        cls, recorded = type(self._task), str(run.get("task"))
        if recorded == class_path(cls):
            return True
        # The module of a script that ran is __main__, and classes move. Equal arguments tell such
        # a class from another one of the same name.
        return is_name_of(recorded, cls) and has_hparams(self._task.hparams, run.get("hparams"))

    def _folders(self) -> list[str]:
        return [folder for w in self._writers for folder in w.folders(self._trainer)]


def _checkpoints_in(folder: Path) -> set[str]:
    names = os.listdir(folder) if folder.is_dir() else []
    # A name whose directory a killed process had moved away counts as standing.
    paths = {folder / final for name in names if (final := final_name(name))}
    files = (RUN_FILE, TENSORS_FILE)  # one of them is enough: what lacks the other is damaged
    return {str(p) for p in paths if any((locate(p) / file).exists() for file in files)}


def _written_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
