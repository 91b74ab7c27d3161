"""StepContext: what a task, its metrics and its layers can reach while a step is traced."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.checks import describe
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.distribute.replica_batch import ReplicaBatch
    from lightning_tf.traced_reads import TracedReads


POSITION = ("global_step", "current_epoch", "batch_idx")


@dataclass
class StepPosition:
    """Where a run is while a step runs, of which Python knows only where it is being traced.

    Attributes:
        tensors: By the names of `POSITION`, int32 scalars, which lie on the host of a GPU too.
        as_numbers: Whether the step gets numbers, for a trace that serves one position only.
        names: Those that the step has read.
    """

    tensors: dict[str, tf.Tensor]
    as_numbers: bool = False
    names: set[str] = field(default_factory=set)

    def read(self, name: str, number: int) -> Any:
        """Return an int64 tensor that is right at every batch, or the number of now."""
        self.names.add(name)
        return number if self.as_numbers else tf.cast(self.tensors[name], tf.int64)


_numbers = count()


@dataclass(frozen=True)
class StepContext:
    """One step that is being traced, on one replica.

    Attributes:
        logged: What `log` has put there, by name; None where a step cannot log.
        collected: What `collect` has put there, by name; None where nobody takes it.
        minimize: What `Task.minimize` calls; None outside `training_step`.
        replica_batch: The replica's own; None on one device, which has the whole batch.
        position: Where the run is at each batch; None where that stays.
        reads: Of the Python values that the step reads; None where nobody looks.
    """

    logged: dict[str, tf.Tensor] | None = None
    collected: dict[str, Any] | None = None
    minimize: Callable[[str, Callable[[], Any], Any], tf.Tensor] | None = None
    replica_batch: ReplicaBatch | None = None
    position: StepPosition | None = None
    reads: TracedReads | None = None
    # The loss that is computed now.
    _losses: list[tuple[str, int]] = field(default_factory=list, init=False)
    _given: dict[str, tuple[Any, tuple[str, int] | None]] = field(default_factory=dict, init=False)

    def log(self, name: str, value: Any) -> None:
        """Take a logged value.

        Raises:
            ConfigurationError: It is no scalar, or the step has logged another under its name.
        """
        if self.logged is None:
            raise RuntimeError("this step cannot log")
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"log got the name {name!r}; give a string.")
        tensor = scalar_tensor(value, f"log({name!r}) got", "a scalar, such as its mean")

        loss = self._losses[-1] if self._losses else None
        before, loss_before = self._given.get(name, (value, None))
        # A loss that a step minimizes repeatedly logs each time, and the last value stands.
        is_repeated = loss and loss_before and loss[0] == loss_before[0] and loss != loss_before
        if before is not value and not is_repeated:
            raise ConfigurationError(
                f"log({name!r}) is called twice in one step, and one value would hide the other; "
                "log the second under another name, or their mean once."
            )
        self.logged[name], self._given[name] = tensor, (value, loss)

    def collect(self, name: str, outputs: Any, what: str) -> None:
        """Take tensors of the examples, where somebody wants them.

        Args:
            name: Under which they are handed over.
            outputs: A nest of tensors, a row for each example.
            what: What gave them, for messages.

        Raises:
            ConfigurationError: One is no tensor of examples, or the name is taken.
        """
        for tensor in tf.nest.flatten(outputs):
            if not hasattr(tensor, "shape") or tf.TensorShape(tensor.shape).rank == 0:
                raise ConfigurationError(
                    f"{what}: {describe(tensor)} is of the whole batch; give one row for each "
                    "example, or a number to self.log(name, value)."
                )
        if self.collected is None:
            return
        if name in self.collected:
            raise ConfigurationError(f"{what}: the step has collected {name!r} already.")
        self.collected[name] = outputs

    @contextmanager
    def computing_loss(self, optimizer: str) -> Iterator[None]:
        """Know, inside the ``with`` block, for which optimizer a loss is minimized."""
        self._losses.append((optimizer, next(_numbers)))
        try:
            yield
        finally:
            self._losses.pop()


def scalar_tensor(value: Any, problem: str, wanted: str) -> tf.Tensor:
    """Return a number or tensor of a step as a float32 scalar.

    Args:
        value: What a step gave.
        problem: The message's beginning, such as ``log('k') got``; the value follows.
        wanted: What to give instead.

    Raises:
        ConfigurationError: It is no scalar: text, a dict, None or a vector.
    """
    try:
        tensor = None if value is None else tf.convert_to_tensor(value)
    except (TypeError, ValueError, tf.errors.OpError):
        tensor = None
    is_number = tensor is not None and (tensor.dtype.is_floating or tensor.dtype.is_integer)
    if tensor is None or tensor.shape.rank != 0 or not (is_number or tensor.dtype.is_bool):
        raise ConfigurationError(f"{problem} {describe(value)}; give {wanted}.")
    return tf.cast(tensor, tf.float32)  # (): sums over batches lose too much in half precision


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


@contextmanager
def noting_symbolic_tensors(step: str) -> Iterator[None]:
    """Add, to an error of Python that met a tensor without a value, how a step is run.

    Args:
        step: Its name.
    """
    try:
        yield
    except (TypeError, AttributeError, NotImplementedError) as error:
        if "symbolic" in str(error).lower() and not hasattr(error, "__notes__"):
            error.add_note(
                f"{step} is traced into a graph, where tensors have no values yet: use tf.where, "
                "tf.cond and keras.ops in the place of Python's if, float and NumPy, and "
                "self.log(name, value) in the place of print(float(value)). "
                "Trainer(run_eagerly=True) runs the step op by op, to look into it."
            )
        raise


@contextmanager
def naming_unset_attributes(task: Any, step: str) -> Iterator[None]:
    """Say what to do where a step reads an attribute that its task does not have yet.

    Raises:
        ConfigurationError: It does; steps are traced before most hooks run.
    """
    try:
        yield
    except AttributeError as error:
        if error.obj is not task:
            raise
        if "as LightningModules have" in str(error):
            raise ConfigurationError(f"{step}: {error}") from error
        close = difflib.get_close_matches(str(error.name), dir(task), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(
            f"{step} reads self.{error.name}, which {type(task).__name__} does not have when the "
            f"step is traced, before on_train_start.{hint} Set its first value in __init__, "
            "configure_model or on_fit_start; where a hook changes it later, the step is traced "
            "again."
        ) from error
