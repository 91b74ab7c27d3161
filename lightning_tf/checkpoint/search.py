"""CheckpointSearch: which checkpoint a path, ``"last"`` or ``"best"`` means, read and verified."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checkpoint.atomic_directory import final_name, locate
from lightning_tf.checkpoint.io import (
    TENSORS_FILE,
    Checkpoint,
    read_checkpoint,
    read_run,
)
from lightning_tf.checkpoint.order import newest_first
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import class_path, hparams_differences, is_name_of
from lightning_tf.storage import location
from lightning_tf.storage.location import is_url, local_path, on_this_disk
from lightning_tf.storage.remote_checkpoint import RUN_FILE, SUFFIX, look_up
from lightning_tf.storage.remote_files import local_run

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

CheckpointPath = str | os.PathLike[str]

MOST_SHOWN = 3  # of checkpoints that are passed over
# A scheme of RFC 3986, of at least two characters: "c:" is a drive.
SCHEME = re.compile(rf"({location.SCHEME}):(.+)", re.DOTALL)
WORDS = ("last", "best")
_sources: dict[str, Callable[[str, str], str]] = {}


def register_source(scheme: str, fetch: Callable[[str, str], str]) -> None:
    """Let ``ckpt_path="<scheme>:<reference>"`` mean a checkpoint that must be fetched first.

    Args:
        scheme: A letter, then letters, digits, ``+``, ``-`` and ``.``; at least two characters.
        fetch: Takes the reference and a folder for downloads; returns the checkpoint's directory,
            or raises a CheckpointError.

    Raises:
        ConfigurationError: The scheme can stand before no reference.

    Example:
        >>> register_source("shelf", lambda reference, folder: f"/mnt/shelf/{reference}")
        >>> trainer.test(task, ckpt_path="shelf:digits/best.ckpt")
    """
    if not re.fullmatch(location.SCHEME, scheme):
        raise ConfigurationError(
            f"register_source(scheme={scheme!r}): give a letter, then letters, digits, '+', '-' "
            "and '.', two characters at least."
        )
    _sources[scheme.lower()] = fetch


def is_checkpoint(path: Any) -> bool:
    """Return whether text or a path is what ``ckpt_path`` takes, and nothing else.

    Example:
        >>> is_checkpoint("last"), is_checkpoint("runs/epoch=1.ckpt"), is_checkpoint("photos")
        (True, True, False)
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        return False
    scheme = SCHEME.fullmatch(text)
    fetched = scheme is not None and scheme[1].lower() in _sources
    is_folder = (Path(text).expanduser() / RUN_FILE).is_file()
    return text in WORDS or fetched or text.endswith(SUFFIX) or is_folder


class CheckpointSearch:
    """Finds checkpoints for a Trainer and a task.

    ``"last"`` is the newest whole checkpoint of this run: of those that this Trainer's callbacks
    wrote, else of those that stand on the disk where its callbacks write, also from earlier
    processes. Of this run is what a ModelCheckpoint wrote, under the name that it still has, of the
    task's class with equal hyperparameters. A class that stood in another module when it was
    written is the same. Within a run updates decide which is the newest, between runs the clock.
    ``"best"`` is the best that the callbacks know of, else the best that the
    newest one of this run on the disk knows of.

    Args:
        trainer: Gives callbacks and loggers.
        task: Whose checkpoints are looked for.
        fit_key: Of a fit of a launch, which alone wrote what is looked for; None looks at all.

    Attributes:
        passed_over: By path, why a checkpoint is not of this run.
    """

    def __init__(
        self, trainer: Trainer, task: Task, fit_key: list[str | int] | None = None
    ) -> None:
        self._trainer, self._task, self._fit_key = trainer, task, fit_key
        self.passed_over: dict[str, str] = {}
        self._writers = [c for c in trainer.callbacks if isinstance(c, CheckpointCallback)]

    def __call__(self, ckpt_path: CheckpointPath) -> Checkpoint | None:
        """Read a checkpoint.

        Args:
            ckpt_path: A directory or its URL, ``"last"``, ``"best"``, or what a registered source
                knows.

        Returns:
            The checkpoint; None for ``"last"`` where none of this run was ever written.

        Raises:
            CheckpointError: It is missing or damaged; for ``"last"``, every one is.
            ConfigurationError: Nothing can tell the best, or nothing writes checkpoints.
        """
        if ckpt_path not in WORDS:
            return read_checkpoint(self._fetch(ckpt_path))
        if not self._writers:
            raise ConfigurationError(
                f"ckpt_path={ckpt_path!r}: no callback of this Trainer writes checkpoints; give a "
                "path, or leave enable_checkpointing on."
            )
        return self._last() if ckpt_path == "last" else self._best()

    def _fetch(self, path: CheckpointPath) -> CheckpointPath:
        scheme = None if is_url(path) else SCHEME.fullmatch(os.fspath(path))
        fetch = None if scheme is None else _sources.get(scheme[1].lower())
        if scheme is None or fetch is None:
            return path if is_url(path) else local_path("ckpt_path", path)
        return fetch(scheme[2], self._trainer.default_root_dir)

    def seen(self) -> str:
        """Return what was found and how it differs, for a message; empty where there was nothing.

        A run that is started again with one argument changed must learn that this is why.
        """
        if not self.passed_over:
            return ""
        shown = [f"{path} {why}" for path, why in list(self.passed_over.items())[:MOST_SHOWN]]
        more = len(self.passed_over) - len(shown)
        shown += [f"and {more} more"] if more else []
        return (
            f" What stands there is not of this run: {'; '.join(shown)}. To take it, give its path."
        )

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
        # Who judges by a metric comes first: for the others the newest is the best.
        judging_first = sorted(self._writers, key=lambda w: getattr(w, "monitor", None) is None)
        written = (getattr(writer, "best_model_path", "") for writer in judging_first)
        paths = [path for path in written if path and self._is_of_task(path, read_run(path))]
        if not paths:  # a new process: what an earlier one's callbacks held for the best
            for newest in self._newest_first():
                paths = _best_paths(read_run(newest))
                if paths:
                    break

        if not paths:
            raise ConfigurationError(
                "ckpt_path='best': no callback of this Trainer has written a checkpoint, and there "
                f"is none of this run in {', '.join(self._folders()) or 'any folder'}; give a path."
                f"{self.seen()}"
            )
        return read_checkpoint(paths[0])

    def _newest_first(self) -> Iterator[str]:
        """Yield what this Trainer wrote, then what stands on the disk; each once."""
        seen: set[str] = set()
        for path in chain(self._written(), self._on_disk()):
            if os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                yield path

    def _written(self) -> Iterator[str]:
        """Yield what this Trainer's callbacks wrote last, newest first, unless for another task."""
        damaged: dict[str, float] = {}
        fitting: list[tuple[str, dict[str, Any]]] = []
        for path in {getattr(writer, "last_model_path", "") for writer in self._writers} - {""}:
            try:
                run = read_run(path)
            except CheckpointError:
                damaged[path] = _written_at(path)  # `_last` says that it is damaged
                continue
            if self._is_of_task(path, run):
                fitting.append((path, run))
        yield from newest_first(fitting, damaged)

    def _on_disk(self) -> Iterator[str]:
        """Yield the run's checkpoints in the writers' folders, newest first."""
        damaged: dict[str, float] = {}
        fitting: list[tuple[str, dict[str, Any]]] = []
        folders = self._folders()
        for problem in (problem for folder in folders for problem in look_up(folder)):
            log.warning("ckpt_path='last' passes over a checkpoint: %s", problem)
        paths = {p for folder in folders for p in checkpoints_in(Path(folder))}
        for path in sorted(paths):
            try:
                run = read_run(path)
            except CheckpointError:
                if self._fit_key is None:  # else nothing tells whose it is
                    damaged[path] = _written_at(path)  # `_last` says that it is damaged
                continue
            if not (self._is_of_task(path, run) and self._has_its_name(path, run)):
                continue
            if "progress" in run:
                fitting.append((path, run))
            else:
                self.passed_over[path] = "holds weights only"

        self._say_which(newest_first(fitting))
        yield from newest_first(fitting, damaged)

    def _say_which(self, fitting: list[str]) -> None:
        """Warn where nothing tells several runs apart but their folders."""
        folders = sorted({os.path.dirname(path) for path in fitting})
        if len(folders) > 1:
            log.warning(
                "%d runs of %s with equal hyperparameters have checkpoints, in %s: the newest is "
                "taken, %s. Give a path to take another.",
                len(folders),
                type(self._task).__name__,
                ", ".join(folders),
                fitting[0],
            )

    def _is_of_task(self, path: str, run: dict[str, Any]) -> bool:
        """Return whether a checkpoint is of the task's class and hyperparameters; note why not."""
        if self._fit_key is not None and run.get("launched_fit") != self._fit_key:
            return False
        cls, recorded = type(self._task), str(run.get("task"))
        # The module of a script that ran is __main__, and classes move.
        if recorded != class_path(cls) and not is_name_of(recorded, cls):
            self.passed_over[path] = f"is of {recorded}, not of {class_path(cls)}"
            return False

        changes = hparams_differences(self._task.hparams, run.get("hparams"))
        if changes:
            self.passed_over[path] = f"has other hyperparameters: {', '.join(changes)}"
        return not changes

    def _has_its_name(self, path: str, run: dict[str, Any]) -> bool:
        """Return whether a callback wrote a checkpoint under the name it has; note why not."""
        written_by = run.get("written_by")
        if not isinstance(written_by, dict):
            self.passed_over[path] = "was written by no ModelCheckpoint"
            return False

        names = written_by.get("names", [])
        if os.path.basename(path) not in names:
            was = " and ".join(map(str, names))
            self.passed_over[path] = f"was renamed or copied: it was written as {was}"
            return False
        return True

    def _folders(self) -> list[str]:
        return [folder for w in self._writers for folder in w.folders(self._trainer)]


def checkpoint_of_run(run: str | os.PathLike[str], which: str | None = None) -> str:
    """Return the path of a run's best or newest checkpoint, also where the folder was moved.

    Args:
        run: Its folder, with ``checkpoints`` in it.
        which: ``best``, ``last``, or None for the best where one is known, else the last.

    Raises:
        CheckpointError: There is none that can be read, or none is known as the best.
    """
    folder = Path(local_run(run)) / "checkpoints"
    for problem in look_up(folder):
        log.warning("%s", problem)
    whole: dict[str, dict[str, Any]] = {}
    for path in sorted(checkpoints_in(folder)):
        try:
            whole[path] = read_run(path)
        except CheckpointError as error:
            log.warning("%s is passed over: %s", path, error)
    if not whole:
        raise CheckpointError(f"{folder} has no checkpoint that can be read; give --ckpt_path.")

    last = newest_first(whole.items())[0]
    # Where a folder was moved, the path that a callback kept of the best is another's.
    best = [folder / os.path.basename(path) for path in _best_paths(whole[last])]
    standing = [str(path) for path in best if str(path) in whole]
    if which == "best" and not standing:
        raise CheckpointError(f"{folder}: {last} knows of no best one that stands there; take it.")
    return standing[0] if standing and which != "last" else last


def _best_paths(run: Mapping[str, Any]) -> list[str]:
    """Return what a checkpoint's callbacks held for the best; first those with a metric."""
    states = sorted(run.get("callbacks", {}).items(), key=lambda item: "monitor=None" in item[0])
    best = [
        state["best"][0] for _, state in states if isinstance(state, dict) and state.get("best")
    ]
    return [on_this_disk(path) for path in best if path]


def checkpoints_in(folder: Path) -> set[str]:
    """Return the paths of a folder's checkpoints, whole or damaged."""
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
