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
        replica_batch: The replica's own; None on one device, which has the whole batch.
    """

    logged: dict[str, tf.Tensor] | None = None
    minimize: Callable[[str, Callable[[], Any]], tf.Tensor] | None = None
    replica_batch: ReplicaBatch | None = None


# Replicas are traced in threads that take turns, so no attribute of the task can hold this.
_current: ContextVar[StepContext | None] = ContextVar("step_context", default=None)


def current_step_context() -> StepContext | None:
    """Return the context of the step that this thread traces, or None."""
    return _current.get()


def current_replica_batch() -> ReplicaBatch | None:
    """Return the batch of the replica that this thread traces; None on one device."""
    context = _current.get()
    return None if context is None else context.replica_batch


@contextmanager
def enter_step_context(context: StepContext) -> Iterator[None]:
    """Make a context the one of the step that this thread traces, inside the ``with`` block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
