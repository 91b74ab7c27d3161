"""ReduceLROnPlateau: lowers learning rates when a metric no longer improves."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.callbacks.monitor import Monitor
from lightning_tf.callbacks.scaled_schedule import ScaledSchedule
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.loops.limits import check_count

if TYPE_CHECKING:
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class ReduceLROnPlateau(Callback):
    """Multiplies learning rates by a factor after checks without improvement, as Keras' does.

    Every measurement of the metric is judged once. After `patience` of them without improvement the
    rates are lowered, for the updates that follow; then `cooldown` measurements are not counted. A
    schedule goes on counting where it is, and all that it gives from then on is multiplied. A
    resumed run goes on waiting where it was, with the arguments that it is given.

    Args:
        monitor: A metric such as ``val_loss``.
        factor: What rates are multiplied by, in (0, 1).
        patience: Measurements without improvement after which rates are lowered; at least 1.
        mode: ``min`` or ``max``.
        min_delta: Less than this is no improvement.
        cooldown: Measurements that are not counted after rates were lowered; Keras counts the last
            of them.
        min_lr: No rate is lowered further than this. It holds for what a schedule gives when it is
            scaled, not for what it gives later.
        optimizer: The name of one optimizer; all where it is None.
        strict: Raise where nothing logs the metric; otherwise warn once.
        check_on_train_epoch_end: True judges at the end of an epoch, False after validation; None
            judges what validation measures after validation, and everything else at the end.

    Raises:
        ConfigurationError: A number is out of range or the mode unknown; before training, a metric
            that nothing logs, an unknown optimizer, or a rate that cannot be changed.

    Attributes:
        best_score: The best value so far.
        wait_count: Measurements since the last improvement or reduction.
        reductions: How often rates were lowered.

    Example:
        >>> plateau = ReduceLROnPlateau("val_loss", factor=0.5, patience=3)
        >>> Trainer(max_epochs=50, callbacks=[plateau]).fit(task)
    """

    logs_metrics = False
    runs_after_task = True

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        *,
        mode: str = "min",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        optimizer: str | None = None,
        strict: bool = True,
        check_on_train_epoch_end: bool | None = None,
    ) -> None:
        owner = "ReduceLROnPlateau"
        self._monitor = Monitor(owner, monitor, mode, strict, check_on_train_epoch_end)
        if not 0.0 < factor < 1.0:
            raise ConfigurationError(f"{owner}(factor={factor!r}): give a number in (0, 1).")
        if not min_lr >= 0.0:
            raise ConfigurationError(f"{owner}(min_lr={min_lr!r}): give a rate of at least 0.")
        check_count(f"{owner}: patience", patience)
        check_count(f"{owner}: cooldown", cooldown, least=0)
        self.monitor, self.factor, self.patience = monitor, float(factor), patience
        self.min_delta, self.cooldown, self.min_lr = abs(min_delta), cooldown, float(min_lr)
        self.optimizer = optimizer
        self._training: weakref.ref[TrainingState] | None = None
        self._begin()

    def _begin(self) -> None:
        self.best_score = self._monitor.worst
        self.wait_count = self.cooldown_left = self.reductions = 0
        self._monitor.judged_step = -1
        self._factors: dict[str, tf.Variable] = {}

    @property
    def state_key(self) -> str:
        """Several may watch different metrics, or lower different rates."""
        name = "" if self.optimizer is None else f", optimizer={self.optimizer!r}"
        return f"ReduceLROnPlateau(monitor={self.monitor!r}, mode={self._monitor.mode!r}{name})"

    def state_dict(self) -> dict[str, Any]:
        """What has been judged; rates are the optimizers'."""
        return {
            "best_score": self.best_score,
            "wait_count": self.wait_count,
            "cooldown_left": self.cooldown_left,
            "reductions": self.reductions,
            "judged_step": self._monitor.judged_step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the checkpoint was written."""
        self.best_score, self.wait_count = state["best_score"], state["wait_count"]
        self.cooldown_left, self.reductions = state["cooldown_left"], state["reductions"]
        self._monitor.judged_step = state["judged_step"]

    def variables(self) -> dict[str, Any]:
        """The factors of schedules, by optimizer."""
        return {f"factor.{name}": factor for name, factor in self._factors.items()}

    # ---- hooks

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Find the rates; a schedule is wrapped before the step is traced."""
        training = trainer.training
        if training is None or (self._training is not None and self._training() is training):
            return
        self._training = weakref.ref(training)
        self._begin()
        if self.optimizer is not None and self.optimizer not in training.optimizers:
            raise ConfigurationError(
                f"ReduceLROnPlateau(optimizer={self.optimizer!r}): there is none of that name."
                f"{nearest(self.optimizer, training.optimizers)}"
            )
        for name, optimizer in self._chosen(trainer).items():
            schedule = optimizer._learning_rate  # the property gives the rate of a step
            if isinstance(schedule, ScaledSchedule):  # another callback scales it, too
                self._factors[name] = schedule.factor
            elif isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
                scaled = ScaledSchedule(schedule)
                optimizer.learning_rate = scaled
                self._factors[name] = scaled.factor
            elif not isinstance(schedule, keras.Variable):
                raise ConfigurationError(
                    f"ReduceLROnPlateau: the learning rate of optimizer {name or 'of the task'!r} "
                    f"is {schedule!r}; give a float or a keras LearningRateSchedule."
                )

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse a metric that nothing will log, before training."""
        self._monitor.check(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what validation measured."""
        in_fit = trainer.entry_point == "fit" and not trainer.sanity_checking
        if not self._monitor.at_epoch_end and in_fit:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what the epoch measured."""
        if self._monitor.at_epoch_end:
            self._check(trainer)

    # ---- judging and lowering

    def _check(self, trainer: Trainer) -> None:
        score = None if trainer.fast_dev_run else self._monitor.fresh(trainer)
        if score is None:
            return
        is_cooling = self.cooldown_left > 0
        if is_cooling:
            self.cooldown_left -= 1
            self.wait_count = 0
        if self._monitor.is_better(score, self.best_score, by=self.min_delta):
            self.best_score, self.wait_count = score, 0
        elif not is_cooling:
            self.wait_count += 1
            if self.wait_count >= self.patience:
                self.wait_count, self.cooldown_left = 0, self.cooldown
                self._lower(trainer)

    def _lower(self, trainer: Trainer) -> None:
        self.reductions += 1
        for name, optimizer in self._chosen(trainer).items():
            before = float(optimizer.learning_rate)
            after = max(before * self.factor, self.min_lr)
            if not after < before:
                continue
            if name in self._factors:
                factor = self._factors[name]
                factor.assign(factor * (after / before))
            else:
                optimizer.learning_rate = after
            log.info(
                "update %d: %s = %.6g is the best so far; learning rate %s%.3g -> %.3g.",
                trainer.global_step,
                self.monitor,
                self.best_score,
                f"of {name} " if name else "",
                before,
                after,
            )

    def _chosen(self, trainer: Trainer) -> dict[str, keras.optimizers.Optimizer]:
        name, optimizers = self.optimizer, trainer.optimizers
        return optimizers if name is None else {name: optimizers[name]}
