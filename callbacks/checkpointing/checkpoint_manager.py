"""CheckpointManager: which checkpoints of a run stay, which is the last, which are deleted."""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.checkpointing.checkpoint_directory import (
    NAMES_LOCK,
    CheckpointDirectory,
)
from lightning_tf.callbacks.checkpointing.top_k import TopK
from lightning_tf.checkpoint.atomic_directory import sweep
from lightning_tf.checkpoint.background_save import BackgroundSave
from lightning_tf.checkpoint.io import Snapshot, write_checkpoint
from lightning_tf.distribute.workers import Workers
from lightning_tf.storage.location import on_this_disk, portable
from lightning_tf.storage.remote_checkpoint import look_up
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LAST_NAME = "last"


@dataclass
class CheckpointRecords:
    """The checkpoints that a run has on the disk.

    Attributes:
        scores: Scores of the best checkpoints, by path.
        last_path: The last checkpoint; empty before the first.
        saved_step: The update of the newest checkpoint; -1 before the first.
        interim: A checkpoint that only bridges a termination; the next one replaces it.
    """

    scores: dict[str, float]
    last_path: str = ""
    saved_step: int = -1
    interim: str = ""


class CheckpointManager:
    """Writes checkpoints, keeps the k best and the last, and deletes the others that it wrote.

    A checkpoint is written in the background. Training waits for the copy to host memory, and for
    the save before it where that has not ended.

    It never deletes the checkpoint that the run was resumed from, the one that the last is a link
    to, or anything in another folder.

    Args:
        top: Ranks checkpoints by score.
        save_last: Whether to write a last one; ``"link"`` for a symbolic link where possible.
        versioned: See `CheckpointDirectory`.
        weights_only: See `Trainer.save_checkpoint`.

    Attributes:
        failure: Why the newest checkpoint could not be written; None where it was.
        failures: How many in a row could not.
        count: How many saves have succeeded so far.

    Example:
        >>> manager = CheckpointManager(TopK(3, "min"), save_last=True)
        >>> manager.open("checkpoints")
        >>> manager.prepare_folder()
        >>> manager.save(trainer, "epoch=0", 0.25)
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
        self.failures = self.count = 0

        self._records = CheckpointRecords(top.scores)
        self._records_on_failure = self._records  # what holds where the save under way fails
        self._saving: BackgroundSave | None = None
        self._doomed: list[str] = []  # what the save under way deletes once it has succeeded
        self._best_elsewhere: tuple[str, float] | None = None  # the best one, in an older folder
        self._resumed_from = ""
        self._warned_of_deletion = False
        self._writer, self._writes = "", True
        self._is_held_elsewhere: Callable[[str], bool] = lambda path: False

    def open(
        self,
        path: str,
        resumed_from: str | None = None,
        *,
        writer: str = "",
        writes: bool = True,
        is_held_elsewhere: Callable[[str], bool] = lambda path: False,
    ) -> None:
        """Choose the folder.

        Args:
            path: The folder; the first checkpoint makes it.
            resumed_from: A checkpoint that must stay.
            writer: The callback's key; each checkpoint holds it and the names that it was given.
            writes: Whether this process writes and deletes there; one of several workers does.
            is_held_elsewhere: Whether another callback of the run keeps a checkpoint, which then
                is not deleted; asked in the thread that deletes.
        """
        self.folder = CheckpointDirectory(path, self.versioned)
        self._resumed_from = os.path.realpath(resumed_from) if resumed_from else ""
        self._writer, self._writes = writer, writes
        self._is_held_elsewhere = is_held_elsewhere

    def prepare_folder(self) -> None:
        """Delete what a killed process left half written, and learn which names the store has.

        Called by the process that writes there, before the first save.

        Raises:
            CheckpointError: The store does not answer.
        """
        path = self._open_folder().path
        sweep(Path(path))
        look_up(path)

    @property
    def last_path(self) -> str:
        """Return the path of the last checkpoint, empty before the first."""
        self.wait()
        return self._records.last_path

    @property
    def newest_path(self) -> str:
        """Return `last_path`, also of the save under way; never waits."""
        return self._records.last_path

    @property
    def saved_step(self) -> int:
        """Return the update of the newest checkpoint, -1 before the first."""
        self.wait()
        return self._records.saved_step

    @property
    def best(self) -> tuple[str, float | None]:
        """Return the best checkpoint and its score; empty and None before the first."""
        self.wait()
        return self._best()

    def _best(self) -> tuple[str, float | None]:
        path = self.top.best
        # A run that was resumed into another folder may have its best checkpoint in the old one.
        score = self.top.scores.get(path)
        if self._best_elsewhere and (
            score is None or self.top.is_better(self._best_elsewhere[1], score)
        ):
            return self._best_elsewhere
        return path, score

    def holds(self, path: str) -> bool:
        """Return whether it keeps a checkpoint, also one that it is writing; never waits."""
        records = self._records
        kept = path in records.scores or path in (records.last_path, records.interim)
        return kept or path == os.path.realpath(records.last_path)

    # ---- state

    def state_dict(self) -> dict[str, Any]:
        """Return the records, with the checkpoint that is being written; paths may be URLs."""
        state = {
            "dirpath": self.folder and self.folder.path,
            "scores": self.top.scores,
            "best": list(self._best()),
            "last_model_path": self._records.last_path,
            "saved_step": self._records.saved_step,
            "interim": self._records.interim,
            "going": self._doomed,
        }
        return _with_paths(state, portable)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the records; of checkpoints in another folder, keep the best and delete none.

        Args:
            state: What `with_local_paths` returned.
        """
        self._records.saved_step = state["saved_step"]

        if self.folder is not None and state["dirpath"] == self.folder.path:
            self.top.scores = self._records.scores = dict(state["scores"])
            self._records.last_path = state["last_model_path"]
            self._records.interim = state["interim"]
            # The process that wrote the state may have been killed before it deleted them.
            self._remove(state["going"])

        self._remember_best(state)

    def _remember_best(self, state: dict[str, Any]) -> None:
        path, score = state["best"]
        # The user may have deleted it since.
        if path and path not in self.top.scores and os.path.isdir(path):
            self._best_elsewhere = (path, score)

    def broadcast_records(self, workers: Workers) -> None:
        """Give every worker the chief's records, once its save under way has ended.

        The next save depends on them, and all workers must decide the same: copying the run to
        host memory gathers from every worker. A single worker only waits for its save.
        """
        self.wait()
        if workers.count == 1:
            return

        failure = self.failure and str(self.failure)
        outcome = {"failure": failure, "failures": self.failures}
        state = workers.broadcast({**self.state_dict(), **outcome})
        if workers.is_chief:
            return
        state = with_local_paths(state)

        self.top.scores = dict(state["scores"])
        self._records = CheckpointRecords(
            self.top.scores, state["last_model_path"], state["saved_step"], state["interim"]
        )
        self._remember_best(state)
        self.failure = None if state["failure"] is None else OSError(state["failure"])
        self.failures = state["failures"]

    # ---- writing

    def save(self, trainer: Trainer, name: str, score: float) -> str:
        """Begin to write a checkpoint if its score is among the best, and the last in any case.

        Args:
            trainer: Gives the run's snapshot.
            name: The checkpoint's name, without folder and suffix.
            score: Ranks it.

        Returns:
            The path that is being written; empty where there is none.
        """
        self.wait()
        if not self.top.would_keep(score):
            return self.save_last_only(trainer) if self.save_last else ""

        # The worst may have the same name: then it is replaced where it stands.
        dropped = {self.top.worst} if self.top.is_full else set()
        path = self._open_folder().claim_path(name, dropped - {self._resumed_from})
        return self._write(trainer, path, score)

    def save_last_only(self, trainer: Trainer) -> str:
        """Begin to write the last checkpoint, and no other; return its path."""
        self.wait()
        return self._write(trainer, "")

    def save_unranked(self, trainer: Trainer, name: str, *, interim: bool = False) -> str:
        """Write a checkpoint that is not ranked, and wait for it.

        Args:
            trainer: Gives the run's snapshot.
            name: The checkpoint's name, without folder and suffix.
            interim: Delete it as soon as another one is written.

        Returns:
            Its path; empty where it could not be written.
        """
        self.wait()
        path = self._open_folder().claim_path(name)
        self._write(trainer, path, interim=interim)
        self.wait()
        return "" if self.failure else path

    def wait(self) -> None:
        """Wait for the save under way; if it failed, warn, and return to the records before it."""
        saving, self._saving = self._saving, None
        if saving is None:
            return

        self.failure = saving.wait()
        if self.failure is not None:
            self._records = self._records_on_failure
            self.top.scores = self._records.scores
            self.failures += 1
            log.warning(
                "a checkpoint could not be written in %s (%d in a row); older ones stay: %s",
                self._open_folder().path,
                self.failures,
                self.failure,
            )
        else:
            self.count += 1
            self.failures = 0

    def wait_if_done(self) -> None:
        """Take the result of a save that has ended; never wait for one that has not."""
        if self._saving is not None and self._saving.is_done:
            self.wait()

    def _open_folder(self) -> CheckpointDirectory:
        if self.folder is None:
            raise RuntimeError("call open() first")
        return self.folder

    def _write(
        self, trainer: Trainer, path: str, score: float | None = None, *, interim: bool = False
    ) -> str:
        """Write a checkpoint, then the last one, then delete what is no longer kept.

        The records change first, because the checkpoint holds them: a run that is resumed from it
        must know of it.
        """
        before = replace(self._records, scores=dict(self.top.scores))
        folder = self._open_folder()
        last = folder.claim_path(LAST_NAME, (before.last_path,)) if self.save_last else path
        interim_path = path if interim else ""
        with NAMES_LOCK:  # nobody deletes what stands under these names from now on
            dropped = [] if score is None else self.top.add(path, score)
            self._records = CheckpointRecords(
                self.top.scores, last, trainer.global_step, interim_path
            )
        self._doomed = [old for old in (*dropped, before.interim) if old and old != path]

        try:
            state = trainer.snapshot(weights_only=self.weights_only)
        except BaseException:  # also Ctrl-C: nothing was written
            self._records, self.top.scores = before, before.scores
            folder.release(path, last)
            raise
        self._records_on_failure = before

        # One that was renamed or copied since no longer fits its name: "last" passes over it.
        names = sorted({os.path.basename(p) for p in (path, last) if p})
        state = state.including(written_by={"callback": self._writer, "names": names})

        # Runs in a thread: it may read the copy of the run, never the run itself.
        def work() -> None:
            try:
                self._write_all(path, last, state, before)
            finally:
                folder.release(path, last)

        # Every worker helped to copy the run; the chief alone writes.
        if trainer.is_global_zero:
            self._saving = BackgroundSave(work)
        else:
            folder.release(path, last)
        return path or last

    def _write_all(self, path: str, last: str, state: Snapshot, before: CheckpointRecords) -> None:
        if path:
            write_checkpoint(path, state)
            # That one stands now, even if the last one fails.
            self._records_on_failure = replace(self._records, last_path=before.last_path)
        if self.save_last:
            self._write_last(last, path, state)
        self._remove(self._doomed, interim=before.interim)

    def _write_last(self, last: str, path: str, state: Snapshot) -> None:
        if self.save_last == "link" and path:
            self._open_folder().link(last, path)
        else:
            write_checkpoint(last, state)

    def _remove(self, paths: Iterable[str], interim: str = "") -> None:
        if not self._writes:
            return

        protected = {self._resumed_from, os.path.realpath(self._records.last_path)}
        for path in paths:
            try:
                if path == interim or os.path.realpath(path) not in protected:
                    self._open_folder().remove(path, self._is_held_elsewhere)
            except OSError as error:
                self._warn_about_deletion(error)

    def _warn_about_deletion(self, error: OSError) -> None:
        if not self._warned_of_deletion:
            log.warning(
                "a checkpoint could not be deleted in %s; it stays, and later ones that stay are "
                "not reported: %s",
                self._open_folder().path,
                error,
            )
        self._warned_of_deletion = True


def with_local_paths(state: dict[str, Any]) -> dict[str, Any]:
    """Return what `CheckpointManager.state_dict` gave, with paths as this machine has them."""
    return _with_paths(state, on_this_disk)


def _with_paths(state: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    best, score = state["best"]
    return {
        **state,
        "dirpath": state["dirpath"] and change(state["dirpath"]),
        "scores": {change(path): value for path, value in state["scores"].items()},
        "best": [best and change(best), score],
        "last_model_path": state["last_model_path"] and change(state["last_model_path"]),
        "interim": state["interim"] and change(state["interim"]),
        "going": [change(path) for path in state["going"]],
    }
