"""EarlyStopping: asks for a stop when a metric no longer improves; restores the best weights."""

import math
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callbacks.common.monitor_callback import MonitorCallback
from lightning_tf.checks import checked_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import VALIDATE, split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import all_variables, components, variable_value


class EarlyStopping(MonitorCallback):
    """Asks the Trainer to stop when a monitored metric stops improving.

    It judges each new value in this order: not finite, past `stopping_threshold`, past
    `divergence_threshold`, improved by more than `min_delta`, and if not, whether `patience` checks
    have passed without improvement. A stop that it asks for while min_epochs or min_steps are unmet
    is dropped; it asks again at the next check, unless the metric has recovered.

    With `restore_best_weights` it copies the weights of the best check, one more copy of them on
    the device and in every checkpoint, and puts them into the task when training ends, for whatever
    reason but an exception; beside `EMA` they are the averages that were judged. A checkpoint that
    is written while training runs is resumed exactly. One that is written after the end of fit, and
    another fit of the same task, continue from the best weights with the optimizer as it was at the
    end.

    Args:
        monitor: A metric such as ``val_loss``.
        min_delta: Less than this is no improvement.
        patience: Checks without improvement after which to stop.
        verbose: Print when the metric improves.
        mode: ``min`` or ``max``.
        strict: Raise where nothing logs the metric; otherwise warn once.
        check_finite: Stop when the metric is NaN or infinite.
        stopping_threshold: Stop once the metric is better than this.
        divergence_threshold: Stop once it is worse than this.
        check_on_train_epoch_end: True judges at the end of an epoch, False after validation; None
            judges a ``val_`` metric after validation, and everything else at the end of an epoch.
        restore_best_weights: Leave the weights of the best check in the task.
        start_from_epoch: The first epoch, from 0, whose measurements are judged.

    Raises:
        ConfigurationError: A number is out of range, the mode is unknown, or, before training, that
            nothing logs the monitor.

    Attributes:
        wait_count: Checks since the last improvement.
        best_score: The best value so far.
        stopped_epoch: The epoch, from 0, of the last check that asked for a stop.
        best_step: The update at which the best value was measured; -1 before.
        stopping_reason: Why it asked for a stop; empty before, and once the metric has recovered.

    Example:
        >>> patience = EarlyStopping("val_loss", patience=5, restore_best_weights=True)
        >>> Trainer(max_epochs=100, callbacks=[patience]).fit(task)
    """

    # What has been judged; `patience` is the user's, not the checkpoint's.
    state_names = (
        "wait_count",
        "best_score",
        "best_step",
        "stopped_epoch",
        "stopping_reason",
        "judged_step",
    )

    def __init__(
        self,
        monitor: str,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, strict, check_on_train_epoch_end)
        if patience < 0:
            raise ConfigurationError(f"EarlyStopping(patience={patience}): give at least 0.")
        self.start_from_epoch = checked_integer(
            "EarlyStopping: start_from_epoch", start_from_epoch, least=0
        )
        self.mode = mode
        self.min_delta, self.patience, self.verbose = abs(min_delta), patience, verbose
        self.check_finite = check_finite
        self.stopping_threshold = stopping_threshold
        self.divergence_threshold = divergence_threshold
        self.restore_best_weights = restore_best_weights

        # A training loss that this callback watches is judged by it alone, NaN included.
        is_loss = monitor == "loss" or monitor.endswith("_loss")
        is_of_training = split_metric(monitor)[0] is not VALIDATE
        self.tolerates_nonfinite_loss = check_finite and is_loss and is_of_training

        self._begin()

    def _begin(self) -> None:
        self.wait_count = 0
        self.best_score = self._worst
        self.best_step = -1
        self.stopped_epoch = 0
        self.stopping_reason = ""
        self.judged_step = -1
        self._best_weights: BestWeights | None = None

    @property
    def state_key(self) -> str:
        """Return a key that differs by the monitor: several may watch different metrics."""
        return f"EarlyStopping(monitor={self.monitor!r}, mode={self.mode!r})"

    def variables(self) -> dict[str, Any]:
        """Return the copies of the best weights, if there are any."""
        copies = {} if self._best_weights is None else self._best_weights.copies
        return {f"best.{name}": copy for name, copy in copies.items()}

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Start anew with another task."""
        self._begin_if_new(task)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Allocate the copies of the best weights, before a checkpoint is restored into them."""
        if self.restore_best_weights and self._best_weights is None:
            self._best_weights = BestWeights(task)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Put the best weights into the task."""
        if self._best_weights is not None and self.best_step >= 0:
            with trainer.signals.held():  # Ctrl-C must not come between two weights
                self._best_weights.restore()

    def _check(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run or trainer.current_epoch < self.start_from_epoch:
            return

        score = self._read_new(trainer)
        if score is not None:
            # Without a new value the last verdict stands, and its request waits for the minimums.
            trainer.withdraw_stop(self.stopping_reason)
            self.stopping_reason = self._judge(score, trainer.global_step)
        if self.stopping_reason:  # again at each check: another fit begins without requests
            self.stopped_epoch = trainer.current_epoch
            trainer.request_stop(self.stopping_reason)

    def _judge(self, score: float, step: int) -> str:
        """Return why to stop, or an empty string."""
        name = f"{self.monitor} = {score:.6g}"
        if self.check_finite and not math.isfinite(score):
            return f"{name} is not finite; the best was {self.best_score:.6g}"

        # Copied before the thresholds are judged: what passed stopping_threshold may be the best.
        improved = self._update_best(score, step)
        better = self._is_better
        if self.stopping_threshold is not None and better(score, self.stopping_threshold):
            return f"{name} passed stopping_threshold={self.stopping_threshold}"
        if self.divergence_threshold is not None and better(self.divergence_threshold, score):
            return f"{name} passed divergence_threshold={self.divergence_threshold}"

        if improved:
            return ""

        self.wait_count += 1
        if self.wait_count < self.patience:
            return ""
        checks = f"{self.wait_count} check" + ("s" if self.wait_count > 1 else "")
        return f"{name} has not improved on {self.best_score:.6g} in {checks}"

    def _update_best(self, score: float, step: int) -> bool:
        """Take a score if it is the best so far, and return whether it is."""
        if not self._is_better(score, self.best_score, by=self.min_delta):
            return False

        if self.verbose:
            print(f"EarlyStopping: {self.monitor} = {score:.6g} improved on {self.best_score:.6g}")
        self.best_score, self.best_step, self.wait_count = score, step, 0

        if self._best_weights is not None:
            self._best_weights.copy()
        return True


class BestWeights:
    """Copies of a task's weights on the device, statistics of BatchNormalization included.

    The states of seed generators are no weights: a run that returns to earlier weights must not
    draw the same dropout masks again.

    Args:
        task: Whose models are built.

    Example:
        >>> best = BestWeights(task)
        >>> best.copy()
        >>> best.restore()
    """

    def __init__(self, task: Task) -> None:
        seeds = {id(variable) for variable in _seeds(task)}
        variables = all_variables(task).items()
        self.weights = {name: v for name, v in variables if id(v) not in seeds}
        self.copies = {
            name: tf.Variable(variable_value(variable), trainable=False)
            for name, variable in self.weights.items()
        }

    def copy(self) -> None:
        """Copy the weights as they are."""
        for name, variable in self.weights.items():
            self.copies[name].assign(variable_value(variable))

    def restore(self) -> None:
        """Assign the copies to the task's weights."""
        for name, variable in self.weights.items():
            variable.assign(tf.convert_to_tensor(self.copies[name]))


def _seeds(task: Task) -> list[Any]:
    """Return the states of seed generators, those inside layers included."""
    seeds = []
    for _, component in components(task):
        if isinstance(component, keras.random.SeedGenerator):
            seeds.append(component.state)
        elif isinstance(component, keras.Layer):
            # Keras lists the states of seed generators among variables, but not among weights.
            weights = {id(weight) for weight in component.weights}
            seeds += [v for v in component.variables if id(v) not in weights]
    return seeds
