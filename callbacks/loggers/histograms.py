"""Histograms: of weights, and of the gradients and activations that training itself computes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.callbacks.loggers.activation_counts import ActivationCounts
from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import OBSERVED, all_variables, optimizable_variables

BINS = 64
KINDS = ("gradients", "weights", "activations", "all")

Histogram = tuple[np.ndarray, np.ndarray]  # counts (n,), edges (n + 1,)


class Histograms:
    """Counts what training computes inside the compiled step, at every n-th update.

    No second pass is needed.

    Gradients are those that reach the optimizer: reduced, unscaled, the mean of an accumulation
    window, clipped. They are counted on the device, so memory grows by 66 numbers for each
    variable. Windows end before and after each n-th update, so that only the step between them
    counts. Activations are those of the batch before that update; see `ActivationCounts`.

    Args:
        kind: ``gradients``, ``weights``, ``all`` for both of these, or ``activations``.
        every_n_steps: Updates from one histogram to the next.

    Raises:
        ConfigurationError: An argument cannot work.

    Example:
        >>> histograms = Histograms("gradients", 100)
        >>> histograms.attach(task, trainer.training.optimizers)  # before the step is traced
        >>> histograms.begin(trainer)  # before the first update
        >>> histograms.read_due(trainer)  # after a window: {"gradients/model.dense.kernel": ...}
    """

    def __init__(self, kind: str = "gradients", every_n_steps: int = 100) -> None:
        self.kind = checked_choice("histograms", kind, KINDS)
        self.every_n_steps = checked_integer("histograms: every_n_steps", every_n_steps, least=1)
        self._counts_next: Any = None  # a variable: whether the next update is counted
        self._optimizers: list[Any] = []
        self._rows: dict[str, Any] = {}
        self._activations: ActivationCounts | None = None
        self._count_weights: Callable[[], dict[str, Any]] | None = None

    def next_step(self, step: int) -> int:
        """Return the next update before or after which a window must end."""
        # Before the update, to switch the counting on; after it, to read and switch it off.
        due = (step // self.every_n_steps + 1) * self.every_n_steps
        return due if due - 1 <= step else due - 1

    def is_next(self, step: int) -> bool:
        """Return whether the next update is to be counted."""
        return (step + 1) % self.every_n_steps == 0

    # ---- set-up

    def attach(self, task: Task, optimizers: Mapping[str, NamedOptimizer]) -> None:
        """Add the counting to the step, before it is traced.

        Args:
            task: Names the variables.
            optimizers: By name, built.
        """
        self.detach()
        names = {id(v): name for name, v in all_variables(task).items()}
        watched = {
            names.get(id(v), v.path): v
            for optimizer in optimizers.values()
            for v in optimizable_variables(optimizer.owner)
        }

        if self.kind == "activations":
            self._counts_next = tf.Variable(False, trainable=False, name=OBSERVED)
            self._activations = ActivationCounts(task, _count, BINS + 2, self._counts_next)
            return
        if self.kind != "gradients":
            self._count_weights = tf.function(
                lambda: {name: _count(v.value) for name, v in watched.items()}, autograph=False
            )
        if self.kind == "weights":
            return

        self._counts_next = tf.Variable(False, trainable=False)
        self._rows = {name: tf.Variable(tf.zeros([BINS + 2]), trainable=False) for name in watched}
        watched_names = {id(v): name for name, v in watched.items()}
        for optimizer in optimizers.values():
            inner = optimizer.optimizer
            # All gradients pass here on their way, whatever clipped or gathered them before.
            inner.apply = self._counting(inner.apply, watched_names)
            self._optimizers.append(inner)

    def detach(self) -> None:
        """Leave the optimizers; a step that was traced with the counting never counts again."""
        for optimizer in self._optimizers:
            # The class's method shows again once the object's is gone.
            if "apply" in vars(optimizer):
                del optimizer.apply
        self._optimizers, self._rows, self._count_weights = [], {}, None
        if self._activations is not None:
            self._activations.detach()
        self._counts_next = self._activations = None

    def _counting(
        self, apply: Callable[..., None], names: Mapping[int, str]
    ) -> Callable[[Sequence[Any], Sequence[Any]], None]:
        counts_next, rows = self._counts_next, self._rows

        def counted_apply(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
            def count() -> int:
                for gradient, variable in zip(gradients, variables, strict=True):
                    if id(variable) in names:
                        rows[names[id(variable)]].assign(_count(gradient))  # (BINS + 2,)
                return 0

            # Skips the counting on the device at all other updates.
            tf.cond(counts_next, count, lambda: 0)
            apply(gradients, variables)

        return counted_apply

    # ---- while training runs

    def begin(self, trainer: Trainer) -> None:
        """Count the first update of a fit if it is due."""
        self._set_counting(self.is_next(trainer.global_step))

    def read_due(self, trainer: Trainer) -> dict[str, Histogram]:
        """Return the histograms that are due at the end of a window, often none; see `read`."""
        step = trainer.global_step
        # A window without an update, inside an accumulation.
        if step == trainer.window_start_step:
            return {}

        histograms = self.read() if step % self.every_n_steps == 0 else {}
        self._set_counting(self.is_next(step))
        return histograms

    def _set_counting(self, on: bool) -> None:
        """Let the next update count its gradients, or not."""
        if self._counts_next is not None:
            self._counts_next.assign(on)

    def dead_units(self) -> dict[str, float]:
        """Return the shares of ReLUs that were 0 for the whole batch, by ``dead_units/<name>``."""
        dead = {} if self._activations is None else self._activations.dead_units()
        return {f"dead_units/{name}": share for name, share in dead.items()}

    def read(self) -> dict[str, Histogram]:
        """Return 64 counts and 65 edges by ``gradients/<name>``, ``weights/<name>`` and so on."""
        if self._activations is not None:
            rows = {f"activations/{name}": v.numpy() for name, v in self._activations.rows.items()}
            return {name: _split(row) for name, row in rows.items() if row[:BINS].any()}
        rows = {f"gradients/{name}": v.numpy() for name, v in self._rows.items()}
        if self._count_weights is not None:
            counted = self._count_weights()
            rows |= {f"weights/{name}": v.numpy() for name, v in counted.items()}
        # Nothing was counted of a variable that is frozen, or has no finite gradient.
        return {name: _split(row) for name, row in rows.items() if row[:BINS].any()}


def _count(values: Any) -> tf.Tensor:
    """Return the counts of 64 equal bins, then the lowest and the highest value; in the graph."""
    if isinstance(values, tf.IndexedSlices):
        values = values.values
    numbers = tf.reshape(tf.cast(values, tf.float32), [-1])  # (values,)
    numbers = tf.boolean_mask(numbers, tf.math.is_finite(numbers))  # (finite values,)

    low, high = tf.reduce_min(numbers), tf.reduce_max(numbers)  # ()
    low = tf.where(tf.math.is_finite(low), low, 0.0)  # where there is no number at all
    # Equal numbers need bins of some width, too: histogram_fixed_width raises otherwise.
    least = tf.maximum(tf.abs(low) * 1e-5, 1e-6)
    high = tf.where(tf.math.is_finite(high), tf.maximum(high, low + least), low + least)

    counts = tf.histogram_fixed_width(numbers, [low, high], BINS)  # (BINS,)
    return tf.concat([tf.cast(counts, tf.float32), [low, high]], axis=0)  # (BINS + 2,)


def _split(row: np.ndarray) -> Histogram:
    low, high = float(row[BINS]), float(row[BINS + 1])
    return row[:BINS].astype(np.int64), np.linspace(low, high, BINS + 1)
