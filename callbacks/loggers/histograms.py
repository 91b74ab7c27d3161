"""Histograms: histograms of weights and of the gradients that training itself computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.variables import all_variables, optimizable_variables

if TYPE_CHECKING:
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

BINS = 64
KINDS = ("gradients", "weights", "all")

Counted = tuple[np.ndarray, np.ndarray]


class Histograms:
    """Counts gradients inside the compiled step, at every n-th update, without a second pass.

    Gradients are those that reach the optimizer: reduced, unscaled, the mean of an accumulation
    window, clipped. They are counted on the device, so memory grows by 66 numbers for each
    variable. Windows end before and after each n-th update, so that the step between them can be
    told to count.

    Args:
        kind: ``gradients``, ``weights`` or ``all``.
        every_n_steps: Updates between two histograms.

    Raises:
        ConfigurationError: An argument cannot work.

    Example:
        >>> watch = Histograms("gradients", 100)
        >>> watch.attach(task, trainer.training.optimizers)  # before the step is traced
        >>> watch.begin(trainer)  # before the first update
        >>> watch.taken(trainer)  # after each window: {"gradients/model.dense.kernel": ...} or {}
    """

    def __init__(self, kind: str = "gradients", every_n_steps: int = 100) -> None:
        if kind not in KINDS:
            raise ConfigurationError(f"histograms of {kind!r}.{nearest(kind, KINDS)}")
        if isinstance(every_n_steps, bool) or not isinstance(every_n_steps, int):
            raise ConfigurationError(
                f"histograms: every_n_steps={every_n_steps!r}: give an integer."
            )
        if every_n_steps < 1:
            raise ConfigurationError(f"histograms: every_n_steps={every_n_steps}: give at least 1.")
        self.kind, self.every_n_steps = kind, every_n_steps
        self._armed: Any = None
        self._optimizers: list[Any] = []
        self._kept: dict[str, Any] = {}
        self._weights: Callable[[], dict[str, Any]] | None = None

    def next_step(self, step: int) -> int:
        """The next update before or after which this must be awake."""
        due = (step // self.every_n_steps + 1) * self.every_n_steps
        return due if due - 1 <= step else due - 1

    def is_next(self, step: int) -> bool:
        """Whether the next update is to be counted."""
        return (step + 1) % self.every_n_steps == 0

    # ---- set-up

    def attach(self, task: Task, optimizers: Mapping[str, NamedOptimizer]) -> None:
        """Enter the step, before it is traced.

        Args:
            task: Gives the variables' names.
            optimizers: By name, built.
        """
        self.detach()
        names = {id(v): name for name, v in all_variables(task).items()}
        watched = {
            names.get(id(v), v.path): v
            for optimizer in optimizers.values()
            for v in optimizable_variables(optimizer.owner)
        }
        if self.kind != "gradients":
            traced = tf.function(
                lambda: {name: _counted(v.value) for name, v in watched.items()}, autograph=False
            )
            self._weights = traced
        if self.kind == "weights":
            return
        self._armed = tf.Variable(False, trainable=False)
        self._kept = {name: tf.Variable(tf.zeros([BINS + 2]), trainable=False) for name in watched}
        for optimizer in optimizers.values():
            inner = optimizer.optimizer
            # Where all gradients pass on their way, whatever clipped or gathered them before.
            inner.apply = self._counting(inner.apply, {id(v): name for name, v in watched.items()})
            self._optimizers.append(inner)

    def detach(self) -> None:
        """Leave the optimizers; a step that was traced before keeps counting for nobody."""
        for optimizer in self._optimizers:
            if "apply" in vars(optimizer):
                del optimizer.apply
        self._optimizers, self._kept, self._weights = [], {}, None
        self._armed = None

    def _counting(
        self, apply: Callable[..., None], names: Mapping[int, str]
    ) -> Callable[[Sequence[Any], Sequence[Any]], None]:
        armed, kept = self._armed, self._kept

        def counted_apply(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
            def count() -> int:
                for gradient, variable in zip(gradients, variables, strict=True):
                    if id(variable) in names:
                        kept[names[id(variable)]].assign(_counted(gradient))
                return 0

            tf.cond(armed, count, lambda: 0)
            apply(gradients, variables)

        return counted_apply

    # ---- while training runs

    def begin(self, trainer: Trainer) -> None:
        """Count the first update of a fit where it is due."""
        self.arm(self.is_next(trainer.global_step))

    def taken(self, trainer: Trainer) -> dict[str, Counted]:
        """The histograms that are due where a window has ended, else none; see `read`."""
        step = trainer.global_step
        if step == trainer.window_start_step:
            return {}
        found = self.read() if step % self.every_n_steps == 0 else {}
        self.arm(self.is_next(step))
        return found

    def arm(self, on: bool = True) -> None:
        """Count the gradients of the next update, or not."""
        if self._armed is not None:
            self._armed.assign(on)

    def read(self) -> dict[str, Counted]:
        """What was counted: 64 counts and 65 edges by ``gradients/<name>``, ``weights/<name>``."""
        found = {f"gradients/{name}": v.numpy() for name, v in self._kept.items()}
        if self._weights is not None:
            counted = self._weights()
            found |= {f"weights/{name}": v.numpy() for name, v in counted.items()}
        return {name: _split(row) for name, row in found.items() if row[:BINS].any()}


def _counted(values: Any) -> tf.Tensor:
    """Counts of 64 equal bins, then the lowest and the highest value; in the graph."""
    if isinstance(values, tf.IndexedSlices):
        values = values.values
    numbers = tf.reshape(tf.cast(values, tf.float32), [-1])
    numbers = tf.boolean_mask(numbers, tf.math.is_finite(numbers))
    low, high = tf.reduce_min(numbers), tf.reduce_max(numbers)
    low = tf.where(tf.math.is_finite(low), low, 0.0)  # where there is no number at all
    # Equal numbers, too, need bins of some width: histogram_fixed_width raises otherwise.
    least = tf.maximum(tf.abs(low) * 1e-5, 1e-6)
    high = tf.where(tf.math.is_finite(high), tf.maximum(high, low + least), low + least)
    counts = tf.histogram_fixed_width(numbers, [low, high], BINS)
    return tf.concat([tf.cast(counts, tf.float32), [low, high]], axis=0)


def _split(row: np.ndarray) -> Counted:
    low, high = float(row[BINS]), float(row[BINS + 1])
    return row[:BINS].astype(np.int64), np.linspace(low, high, BINS + 1)
