"""StepContext: what a task, its metrics and its layers can reach while a step is traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.distribute.replica_batch import ReplicaBatch


@dataclass(frozen=True)
class StepContext:
    """One step that is being traced, on one replica.

    Attributes:
        logged: Where `Task.log` puts its tensors; None where a step cannot log.
        minimize: What `Task.minimize` calls; None outside `training_step`.
        part: The replica's part of the batch; None on one device, which has all of it.
    """

    logged: dict[str, tf.Tensor] | None = None
    minimize: Callable[[str, Callable[[], Any]], tf.Tensor] | None = None
    part: ReplicaBatch | None = None


# Replicas are traced in threads that take turns, so no attribute of the task can hold this.
_running: ContextVar[StepContext | None] = ContextVar("running_step", default=None)


def running_step() -> StepContext | None:
    """The step that this thread traces, or None."""
    return _running.get()


@contextmanager
def running(step: StepContext) -> Iterator[None]:
    """Make a step the one that this thread traces."""
    token = _running.set(step)
    try:
        yield
    finally:
        _running.reset(token)
