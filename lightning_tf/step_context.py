"""StepContext: what a task, its metrics and its layers can reach while a step is traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.distribute.replica_batch import ReplicaBatch
    from lightning_tf.traced_reads import TracedReads


POSITION = ("global_step", "current_epoch", "batch_idx")


@dataclass
class StepPosition:
    """Where a run is while a step runs, of which Python knows only where it is being traced.

    Attributes:
        tensors: By the names of `POSITION`, int64 scalars.
        as_numbers: Whether the step gets numbers, for a trace that serves one position only.
        names: Those that the step has read.
    """

    tensors: dict[str, tf.Tensor]
    as_numbers: bool = False
    names: set[str] = field(default_factory=set)

    def read(self, name: str, number: int) -> Any:
        """Return a tensor that is right at every batch, or the number of now."""
        self.names.add(name)
        return number if self.as_numbers else self.tensors[name]


@dataclass(frozen=True)
class StepContext:
    """One step that is being traced, on one replica.

    Attributes:
        logged: Where `Task.log` puts its tensors; None where a step cannot log.
        minimize: What `Task.minimize` calls; None outside `training_step`.
        replica_batch: The replica's own; None on one device, which has the whole batch.
        position: Where the run is at each batch; None where that stays.
        reads: Of the Python values that the step reads; None where nobody looks.
    """

    logged: dict[str, tf.Tensor] | None = None
    minimize: Callable[[str, Callable[[], Any]], tf.Tensor] | None = None
    replica_batch: ReplicaBatch | None = None
    position: StepPosition | None = None
    reads: TracedReads | None = None


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
