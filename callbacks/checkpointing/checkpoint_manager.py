"""CheckpointManager: which checkpoints of a run are kept, which is the last, which are deleted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tf.callbacks.checkpointing.checkpoint_directory import CheckpointDirectory
from lightning_tf.callbacks.checkpointing.top_k import TopK
from lightning_tf.checkpoint.atomic_directory import sweep
from lightning_tf.checkpoint.background_save import BackgroundSave
from lightning_tf.checkpoint.io import Snapshot, write_checkpoint

if TYPE_CHECKING:
    from lightning_tf.distribute.workers import Workers
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LAST_NAME = "last"


@dataclass
class Books:
    """What is kept.

    Attributes:
        scores: Of the best checkpoints, by path.
        last_path: The last checkpoint; empty before the first.
        saved_step: The update of the newest checkpoint, -1 before the first.
        interim: A checkpoint that only bridges a termination; the next one takes its place.
    """

    scores: dict[str, float]
    last_path: str = ""
    saved_step: int = -1
    interim: str = ""


class CheckpointManager:
    """Writes checkpoints, keeps the k best and the last, and deletes what it wrote before.

    Writing happens in the background: training waits for the copy to host memory, and for the save
    before where that is still under way.

    Never deleted are the checkpoint that the run was resumed from, the one that the last is a link
    to, and anything in another folder.

    Args:
        top: Ranks by score.
        save_last: Whether there is a last one; ``"link"`` for a symbolic link where that will do.
        versioned: See `CheckpointDirectory`.
        weights_only: See `Trainer.save_checkpoint`.

    Attributes:
        failure: Why the newest checkpoint could not be written; None where it was.
        count: Saves that are known to have succeeded.

    Example:
        >>> keeper = CheckpointManager(TopK(3, "min"), save_last=True)
        >>> keeper.open("checkpoints")
        >>> keeper.offer(trainer, "epoch=0", 0.25)
    """

    def __init__(
        self,
        top: TopK,
        *,
        save_last: bool | str | None,
        versioned: bool = True,
        weights_only: bool = False,
    ) -> None:
        self.top = top
        self.save_last = save_last
        self.versioned, self.weights_only = versioned, weights_only
        self.folder: CheckpointDirectory | None = None
        self.failure: OSError | None = None
        self.count = 0
        self._books = Books(top.scores)
        self._saving: BackgroundSave | None = None
        self._before = self._books  # what holds where the save under way fails
        self._going: list[str] = []  # what the save under way deletes once it has succeeded
        self._elsewhere: tuple[str, float] | None = None  # the best one, in an older folder
        self._resumed_from = ""
        self._warned = False
        self._writes = True

    def open(self, path: str, resumed_from: str | None = None, *, writes: bool = True) -> None:
        """Take up a folder.

        Args:
            path: The folder; made by the first checkpoint.
            resumed_from: A checkpoint that must stay.
            writes: Whether this process writes and deletes there: of several workers, the chief.
        """
        self.folder = CheckpointDirectory(path, self.versioned)
        self._resumed_from = os.path.realpath(resumed_from) if resumed_from else ""
        self._writes = writes
        if writes:
            sweep(Path(path))

    @property
    def last_path(self) -> str:
        """The last checkpoint, the newest without `save_last`; empty before the first."""
        self.settle()
        return self._books.last_path

    @property
    def saved_step(self) -> int:
        """The update of the newest checkpoint, -1 before the first."""
        self.settle()
        return self._books.saved_step

    @property
    def best(self) -> tuple[str, float | None]:
        """The best checkpoint and its score; empty and None before the first."""
        self.settle()
        return self._best()

    def _best(self) -> tuple[str, float | None]:
        path = self.top.best
        score = self.top.scores.get(path)
        if self._elsewhere and (score is None or self.top.is_better(self._elsewhere[1], score)):
            return self._elsewhere
        return path, score

    # ---- state

    def state(self) -> dict[str, Any]:
        """The books, the checkpoint that is being written included."""
        return {
            "dirpath": self.folder and self.folder.path,
            "scores": self.top.scores,
            "best": list(self._best()),
            "last_model_path": self._books.last_path,
            "saved_step": self._books.saved_step,
            "interim": self._books.interim,
            "going": self._going,
        }

    def take_back(self, state: dict[str, Any]) -> None:
        """Of checkpoints in another folder, only the best is remembered, and none deleted."""
        self._books.saved_step = state["saved_step"]
        if self.folder is not None and state["dirpath"] == self.folder.path:
            self.top.scores = self._books.scores = dict(state["scores"])
            self._books.last_path = state["last_model_path"]
            self._books.interim = state["interim"]
            self._remove(state["going"])  # the process may have been killed before it did
        self._remember_best(state)

    def _remember_best(self, state: dict[str, Any]) -> None:
        path, score = state["best"]
        if path and path not in self.top.scores and os.path.isdir(path):
            self._elsewhere = (path, score)

    def agree(self, workers: Workers) -> None:
        """Give every worker the chief's books, once its save under way has ended.

        What is due next follows from them, and all must come to the same: a copy of the run to host
        memory gathers from every worker. Nothing on one worker but to settle.
        """
        self.settle()
        if workers.count == 1:
            return
        told = workers.broadcast({**self.state(), "failure": self.failure and str(self.failure)})
        if workers.is_chief:
            return
        self.top.scores = dict(told["scores"])
        self._books = Books(
            self.top.scores, told["last_model_path"], told["saved_step"], told["interim"]
        )
        self._remember_best(told)
        self.failure = None if told["failure"] is None else OSError(told["failure"])

    # ---- writing

    def offer(self, trainer: Trainer, name: str, score: float) -> str:
        """Write where the score is among the best, and the last one in any case.

        Args:
            trainer: Gives the run's snapshot.
            name: Without folder and suffix.
            score: What it is ranked by.

        Returns:
            What is being written; empty where nothing is.
        """
        self.settle()
        if self.top.would_keep(score):
            # The one that goes may have the same name: then it is replaced where it stands.
            going = {self.top.worst} if self.top.is_full else set()
            path = self._open_folder().free(name, going - {self._resumed_from})
            return self._write(trainer, path, score)
        return self._write(trainer, "") if self.save_last else ""

    def set_aside(self, trainer: Trainer, name: str, *, interim: bool = False) -> str:
        """Write one that is not ranked, and wait for it.

        Args:
            trainer: Gives the run's snapshot.
            name: Without folder and suffix.
            interim: Delete it as soon as another one is written.
        """
        self.settle()
        path = self._open_folder().free(name)
        self._write(trainer, path, interim=interim)
        self.settle()
        return "" if self.failure else path

    def settle(self) -> None:
        """Wait for the save under way; where it failed, warn and go back to the books before."""
        saving, self._saving = self._saving, None
        if saving is None:
            return
        self.failure = saving.wait()
        if self.failure is not None:
            self._books = self._before
            self.top.scores = self._books.scores
            self._warn(self.failure)
        else:
            self.count += 1

    def settle_if_done(self) -> None:
        """`settle`, unless that would wait."""
        if self._saving is not None and self._saving.is_done:
            self.settle()

    def _open_folder(self) -> CheckpointDirectory:
        if self.folder is None:
            raise RuntimeError("open() comes first")
        return self.folder

    def _write(
        self, trainer: Trainer, path: str, score: float | None = None, *, interim: bool = False
    ) -> str:
        """Write a checkpoint, then the last one, then delete what is no longer kept.

        The books come first, because a checkpoint holds them: the run that is resumed from it must
        know of it.
        """
        before = replace(self._books, scores=dict(self.top.scores))
        dropped = [] if score is None else self.top.add(path, score)
        last = self._open_folder().free(LAST_NAME, (before.last_path,)) if self.save_last else path
        self._books = Books(self.top.scores, last, trainer.global_step, path if interim else "")
        self._going = [old for old in (*dropped, before.interim) if old and old != path]
        try:
            state = trainer.snapshot(weights_only=self.weights_only)
        except BaseException:
            self._books, self.top.scores = before, before.scores
            raise
        self._before = before

        def work() -> None:
            if path:
                write_checkpoint(path, state)
                # That one stands, whatever becomes of the last.
                self._before = replace(self._books, last_path=before.last_path)
            if self.save_last:
                self._write_last(last, path, state)
            self._remove(self._going, interim=before.interim)

        if trainer.is_global_zero:
            self._saving = BackgroundSave(work)
        return path or last

    def _write_last(self, last: str, path: str, state: Snapshot) -> None:
        if self.save_last == "link" and path:
            self._open_folder().link(last, path)
        else:
            write_checkpoint(last, state)

    def _remove(self, paths: Iterable[str], interim: str = "") -> None:
        if not self._writes:
            return
        kept = {self._resumed_from, os.path.realpath(self._books.last_path)}
        for path in paths:
            try:
                if path == interim or os.path.realpath(path) not in kept:
                    self._open_folder().remove(path)
            except OSError as error:
                self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            log.warning(
                "a checkpoint could not be written or deleted in %s; the run goes on with those "
                "that there are, and later failures are not reported: %s",
                self._open_folder().path,
                error,
            )
        self._warned = True
