"""verify: train again between checkpoints of a run, and compare every bit."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checkpoint.io import (
    Checkpoint,
    machine,
    versions,
)
from lightning_tf.checkpoint.search import CheckpointPath
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger, Records
from lightning_tf.run.verification import TensorDifference, Verification, tensor_differences
from lightning_tf.run.verified_checkpoints import read_targets

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LEFT_OUT = "no callback takes the state of ModelCheckpoint"
# Arguments of a Trainer that do not move a number.
NOT_TRAINING = (
    *("default_root_dir", "logger", "callbacks", "profiler", "max_time"),
    *("enable_progress_bar", "enable_model_summary", "enable_checkpointing"),
)


def verify(
    trainer: Trainer,
    task: Task,
    start: CheckpointPath | None,
    ends: Sequence[CheckpointPath],
    again: Callable[[], tuple[Trainer, Task]] | None,
) -> Verification:
    """Train again from a checkpoint to later ones of the same run, and compare their tensors.

    Nothing of the run is written to: loggers and callbacks that write checkpoints are left out, and
    what others write goes to a folder that is removed.

    Args:
        trainer: With the arguments of the run.
        task: The same.
        start: The checkpoint to begin with; None is the beginning of the run.
        ends: Later ones, in any order.
        again: Gives both once more, where bits differ; None where that cannot be.

    Raises:
        CheckpointError: One is missing, damaged, of weights alone or not later than `start`.
        ConfigurationError: The run has no seed to begin with, or several workers train.
    """
    targets = read_targets(start, ends)
    verification = Verification(None if start is None else os.fspath(start))
    verification.tensors = len(next(iter(targets.values())).tensors)

    _check(trainer, task, start)
    with _warnings() as said:
        reached = _train_again(trainer, task, start, targets)
    verification.compared = {path: reached[path] for path in targets if path in reached}
    verification.unreached = {
        path: f"training ended at update {trainer.global_step}"
        for path in targets
        if path not in reached
    }

    first = verification.first_different
    if first is not None:
        target = targets[first]
        verification.reasons = [*_changes(trainer, target), *_averaging(trainer), *said]
        verification.reasons += _is_repeatable(again, start, {first: target}, reached[first])
    return verification


class _Comparison(CheckpointCallback):
    """Compares the run with checkpoints wherever it stands where one was written.

    A checkpoint's position does not say which hook wrote it: of those that stand there, the one
    that fits best counts.
    """

    def __init__(self, targets: Mapping[str, Checkpoint]) -> None:
        self.reached: dict[str, list[TensorDifference]] = {}
        self._targets = {path: (_position(c.run), c) for path, c in targets.items()}
        self._last = max(position["total_batches"] for position, _ in self._targets.values())
        self._steps = sorted({p["global_step"] for p, _ in self._targets.values()})

    def next_step(self, trainer: Trainer) -> int | None:
        """Return the update at which the next checkpoint was written."""
        return next((step for step in self._steps if step > trainer.global_step), None)

    def _compare(self, trainer: Trainer) -> None:
        here = _position({"progress": trainer.progress.state_dict()})
        for path, (position, checkpoint) in self._targets.items():
            if position != here:
                continue
            found = tensor_differences(trainer.snapshot().tensors, checkpoint.tensors)
            if path not in self.reached or len(found) < len(self.reached[path]):
                self.reached[path] = found
        if trainer.progress.total_batches > self._last:
            raise _PassedLast

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Compare."""
        self._compare(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Compare, unless the weights are those of no training."""
        if not trainer.sanity_checking:
            self._compare(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Compare."""
        self._compare(trainer)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Compare."""
        self._compare(trainer)


class _PassedLast(Exception):
    """Training is behind the last checkpoint to compare with."""


def _train_again(
    trainer: Trainer, task: Task, start: CheckpointPath | None, targets: Mapping[str, Checkpoint]
) -> dict[str, list[TensorDifference]]:
    comparison = _Comparison(targets)
    with _aside(trainer, comparison):
        try:
            trainer.fit(task, ckpt_path=start)
        except _PassedLast:
            log.debug("the last checkpoint to compare with is passed")
    return comparison.reached


@contextmanager
def _aside(trainer: Trainer, comparison: _Comparison) -> Iterator[None]:
    """Have a Trainer write nothing where its run stands."""
    kept = {
        name: getattr(trainer, name)
        for name in ("callbacks", "loggers", "records", "default_root_dir", "_enabled")
    }
    others = [c for c in trainer.callbacks if not isinstance(c, (Logger, CheckpointCallback))]
    with tempfile.TemporaryDirectory() as folder:
        trainer.callbacks, trainer.loggers = [*others, comparison], []
        trainer.records = Records([], lambda: trainer.progress)
        trainer.default_root_dir = folder
        trainer._enabled = (False, *trainer._enabled[1:])
        try:
            yield
        finally:
            for name, value in kept.items():
                setattr(trainer, name, value)


def _position(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run["progress"].items() if name != "seconds"}


def _check(trainer: Trainer, task: Task, start: CheckpointPath | None) -> None:
    if trainer.workers.count > 1:
        raise ConfigurationError(
            f"verify with {trainer.workers.count} workers: it trains on one; start it alone, with "
            "as many devices."
        )
    if start is None and trainer.seed is None:
        raise ConfigurationError(
            "the run has no seed, so its beginning cannot be repeated: give the checkpoint to "
            "begin with, or train with Trainer(seed=...)."
        )
    if start is None and (trainer.global_step or task.configured):
        raise ConfigurationError(
            "the Trainer and the task have worked already, so they cannot begin anew: make others, "
            "or give the checkpoint to begin with."
        )


# ---- why bits may differ


def _changes(trainer: Trainer, target: Checkpoint) -> list[str]:
    """Return what is another one than when the checkpoint was written."""
    then = {**target.run["versions"], **target.run.get("machine", {})}
    now = {**versions(), **machine()}
    reasons = [
        f"{name} was {then[name]} and is {now.get(name)}"
        for name in then
        if then[name] != now.get(name)
    ]
    was = target.run.get("settings", {})
    return reasons + [
        f"Trainer({name}) was {was[name]!r} and is {value!r}"
        for name, value in trainer.settings.items()
        if name in was and name not in NOT_TRAINING and was[name] != value
    ]


def _averaging(trainer: Trainer) -> list[str]:
    """Return what several replicas without synchronised statistics add to the reasons."""
    statistics = None if trainer.training is None else trainer.training.statistics
    if trainer.placement.num_replicas == 1 or not statistics:
        return []
    return [
        "every checkpoint averages the moving statistics of the replicas, and those that were "
        "written between the compared ones are not written again: compare all of them, or train "
        "with sync_batchnorm=True"
    ]


def _is_repeatable(
    make: Callable[[], tuple[Trainer, Task]] | None,
    start: CheckpointPath | None,
    target: Mapping[str, Checkpoint],
    before: list[TensorDifference],
) -> list[str]:
    """Train once more and say whether the two trainings here agree with one another."""
    if make is None:
        return []
    again = _train_again(*make(), start, target)
    if next(iter(again.values()), None) == before:
        return [
            "two trainings here differ from the checkpoint in the same way: unless one of the "
            "reasons above holds, it is the machine, a library, the data, the code or an argument"
        ]
    return [
        "two trainings here differ from each other, too: something draws without the run's seed "
        "(Python's or NumPy's random numbers in a step, tf.random without a seed), or an operation "
        "adds in another order each time; see Trainer(deterministic=True)"
    ]


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what the package warns of while it trains: much of it is about exactness."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)

    def note(record: logging.LogRecord) -> None:
        text = record.getMessage()
        if LEFT_OUT not in text and text not in said:
            said.append(text)

    handler.emit = note  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
