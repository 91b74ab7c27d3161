"""CheckpointKeeper: which checkpoints of a run are kept, which is the last, which are deleted."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from lightning_tf.callbacks.checkpoint_folder import CheckpointFolder
from lightning_tf.callbacks.top_k import TopK

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LAST_NAME = "last"


class CheckpointKeeper:
    """Writes checkpoints, keeps the k best and the last, and deletes what it wrote before.

    Never deleted are the checkpoint that the run was resumed from, the one that the last is a link
    to, and anything in another folder.

    Args:
        top: Ranks by score.
        save_last: Whether there is a last one; ``"link"`` for a symbolic link where that will do.
        versioned: See `CheckpointFolder`.
        weights_only: See `Trainer.save_checkpoint`.

    Attributes:
        last_path: The last checkpoint, the newest without `save_last`; empty before the first.
        saved_step: The update of the newest checkpoint, -1 before the first.

    Example:
        >>> keeper = CheckpointKeeper(TopK(3, "min"), save_last=True)
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
        self.last_path = ""
        self.saved_step = -1
        self.folder: CheckpointFolder | None = None
        self._elsewhere: tuple[str, float] | None = None  # the best one, in an older folder
        self._resumed_from = ""
        self._warned = False

    def open(self, path: str, resumed_from: str | None = None) -> None:
        """Take up a folder.

        Args:
            path: The folder; made by the first checkpoint.
            resumed_from: A checkpoint that must stay.
        """
        self.folder = CheckpointFolder(path, self.versioned)
        self._resumed_from = os.path.realpath(resumed_from) if resumed_from else ""

    @property
    def best(self) -> tuple[str, float | None]:
        """The best checkpoint and its score; empty and None before the first."""
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
            "best": list(self.best),
            "last_model_path": self.last_path,
            "saved_step": self.saved_step,
        }

    def take_back(self, state: dict[str, Any]) -> None:
        """Of checkpoints in another folder, only the best is remembered, and none deleted."""
        self.saved_step = state["saved_step"]
        if self.folder is not None and state["dirpath"] == self.folder.path:
            self.top.scores = dict(state["scores"])
            self.last_path = state["last_model_path"]
        path, score = state["best"]
        if path and path not in self.top.scores and os.path.isdir(path):
            self._elsewhere = (path, score)

    # ---- writing

    def offer(self, trainer: Trainer, name: str, score: float) -> str:
        """Write where the score is among the best, and the last one in any case.

        Args:
            trainer: Writes.
            name: Without folder and suffix.
            score: What it is ranked by.

        Returns:
            What was written; empty where nothing was.
        """
        if self.top.would_keep(score):
            # The one that goes may have the same name: then it is replaced where it stands.
            going = {self.top.worst} if self.top.is_full else set()
            path = self._open_folder().free(name, going - {self._resumed_from})
            return self._write(trainer, path, score)
        return self._write(trainer, "") if self.save_last else ""

    def set_aside(self, trainer: Trainer, name: str) -> str:
        """Write one that is not ranked and stays."""
        return self._write(trainer, self._open_folder().free(name))

    def _open_folder(self) -> CheckpointFolder:
        if self.folder is None:
            raise RuntimeError("open() comes first")
        return self.folder

    def _write(self, trainer: Trainer, path: str, score: float | None = None) -> str:
        """Write a checkpoint, then the last one, then delete what is no longer among the best.

        The books come first, because a checkpoint holds them: the run that is resumed from it must
        know of it.
        """
        folder = self._open_folder()
        scores, last, step = dict(self.top.scores), self.last_path, self.saved_step
        dropped = [] if score is None else self.top.add(path, score)
        self.last_path = folder.free(LAST_NAME, (last,)) if self.save_last else path
        self.saved_step = trainer.global_step
        try:
            if path:
                trainer.save_checkpoint(path, weights_only=self.weights_only)
                scores, step = dict(self.top.scores), self.saved_step  # that one stands
            if self.save_last:
                self._write_last(trainer, path)
        except OSError as error:
            self.top.scores, self.last_path, self.saved_step = scores, last, step
            self._warn(error)
            return ""
        finally:
            for old in dropped:
                if old not in self.top.scores and trainer.is_global_zero:
                    self._remove(old)
        return path or self.last_path

    def _write_last(self, trainer: Trainer, path: str) -> None:
        if self.save_last != "link" or not path:
            trainer.save_checkpoint(self.last_path, weights_only=self.weights_only)
        elif trainer.is_global_zero:
            self._open_folder().link(self.last_path, path)

    def _remove(self, path: str) -> None:
        kept = (self._resumed_from, os.path.realpath(self.last_path))
        try:
            if os.path.realpath(path) not in kept:
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
