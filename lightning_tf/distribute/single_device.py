"""SingleDevice: the placement of a run on one device, without a strategy around it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Compute, Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.workers import SINGLE_WORKER


class SingleDevice(Placement):
    """One device; every method calls what it is given and nothing more.

    Args:
        device: Such as ``/GPU:0``.

    Example:
        >>> SingleDevice("/CPU:0").all_reduce(3)
        3
    """

    num_replicas = 1
    input_shard = None
    copies_variables = False
    can_build_while_tracing = True
    can_window_predictions = True

    def __init__(self, device: str) -> None:
        super().__init__((device,), SINGLE_WORKER)

    @property
    def prefetch_device(self) -> str | None:
        """Return the device, where it is a GPU."""
        return self.device if self.is_gpu else None

    def _strategy_scope(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def run(self, compute: Compute, batch: Any) -> Any:
        """Call `compute` with the whole batch."""
        return compute(batch, None)

    def join(self, values: Any) -> Any:
        """Return the values themselves, whose rows are in order."""
        return values

    def real_rows(self, values: Any, replica_batch: ReplicaBatch | None) -> Any:
        """Return the values themselves: every example is there."""
        return values

    def each(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call `act` once."""
        return act(*args)

    def first(self, values: Any) -> Any:
        """Return the values themselves: there is one copy."""
        return values

    def run_if(self, predicate: tf.Tensor, act: Callable[[Any], Any], state: Any) -> Any:
        """Branch as any graph does."""
        return tf.cond(predicate, lambda: act(state), lambda: state)

    def apply_context(self) -> AbstractContextManager[Any]:
        """Return a context that does nothing."""
        return nullcontext()

    def all_reduce(self, values: Any) -> Any:
        """Return the values themselves: there is nothing to add."""
        return values

    def all_reduce_gradients(self, values: Any, gradients: Any) -> tuple[Any, Any]:
        """Return both as they are."""
        return values, gradients

    def merge(self, act: Callable[[Any], None], values: Any) -> None:
        """Call `act` at once."""
        act(values)
