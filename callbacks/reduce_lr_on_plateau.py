"""ReduceLROnPlateau: lowers learning rates when a metric no longer improves."""

import logging
import weakref
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callbacks.common.monitor_callback import MonitorCallback
from lightning_tf.callbacks.common.scaled_schedule import scale_schedules
from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import current_rate
from lightning_tf.run.training_state import TrainingState
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies learning rates by a factor after checks without improvement, as Keras' does.

    It judges every measurement of the metric once. After `patience` of them without improvement it
    lowers the rates, for the updates that follow; then `cooldown` measurements do not count. A
    schedule keeps its position, and all of its later rates are multiplied. A resumed run keeps the
    counts of its checkpoint and takes the new arguments.

    Args:
        monitor: A metric such as ``val_loss``.
        factor: What rates are multiplied by, in (0, 1).
        patience: Measurements without improvement after which rates are lowered; at least 1.
        mode: ``min`` or ``max``.
        min_delta: Less than this is no improvement.
        cooldown: Measurements that do not count after rates were lowered; Keras counts the last of
            them.
        min_lr: No rate is lowered further than this. For a schedule this holds for its rate at that
            update, not for later ones.
        optimizer: The name of one optimizer; all where it is None.
        strict: Raise where nothing logs the metric; otherwise warn once.
        check_on_train_epoch_end: True judges at the end of an epoch, False after validation; None
            judges a ``val_`` metric after validation, and everything else at the end of an epoch.

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

    # What has been judged; the rates are the optimizers'.
    state_names = ("best_score", "wait_count", "cooldown_left", "reductions", "judged_step")

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
        super().__init__(monitor, mode, strict, check_on_train_epoch_end)

        if not 0.0 < factor < 1.0:
            raise ConfigurationError(f"{owner}(factor={factor!r}): give a number in (0, 1).")
        if not min_lr >= 0.0:
            raise ConfigurationError(f"{owner}(min_lr={min_lr!r}): give a rate of at least 0.")

        self.patience = checked_integer(f"{owner}: patience", patience, least=1)
        self.cooldown = checked_integer(f"{owner}: cooldown", cooldown, least=0)
        self.factor, self.min_delta, self.min_lr = float(factor), abs(min_delta), float(min_lr)
        self.optimizer = optimizer
        self._training: weakref.ref[TrainingState] | None = None
        self._begin()

    def _begin(self) -> None:
        self.best_score = self._worst
        self.wait_count = self.cooldown_left = self.reductions = 0
        self.judged_step = -1
        self._factors: dict[str, tf.Variable] = {}

    @property
    def state_key(self) -> str:
        """Return a key that differs by the metric and the optimizer."""
        name = "" if self.optimizer is None else f", optimizer={self.optimizer!r}"
        return f"ReduceLROnPlateau(monitor={self.monitor!r}, mode={self._mode!r}{name})"

    def variables(self) -> dict[str, Any]:
        """Return the factors of schedules, by optimizer."""
        return {f"factor.{name}": factor for name, factor in self._factors.items()}

    # ---- hooks

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Find the rates; wrap a schedule before the step is traced."""
        training = trainer.training
        if training is None or (self._training is not None and self._training() is training):
            return

        self._training = weakref.ref(training)
        self._begin()
        if self.optimizer is not None:
            checked_choice("ReduceLROnPlateau: optimizer", self.optimizer, training.optimizers)
        self._factors = scale_schedules("ReduceLROnPlateau", self._optimizers(trainer))

    # ---- judging and lowering

    def _check(self, trainer: Trainer) -> None:
        score = None if trainer.fast_dev_run else self._read_new(trainer)
        if score is None:
            return

        is_cooling = self.cooldown_left > 0
        if is_cooling:
            self.cooldown_left -= 1
            self.wait_count = 0

        # While rates cool, an improvement counts and the lack of one does not.
        if self._is_better(score, self.best_score, by=self.min_delta):
            self.best_score, self.wait_count = score, 0
        elif not is_cooling:
            self.wait_count += 1
            if self.wait_count >= self.patience:
                self.wait_count, self.cooldown_left = 0, self.cooldown
                self._lower(trainer)

    def _lower(self, trainer: Trainer) -> None:
        """Lower the rates, by the factors of schedules or directly."""
        self.reductions += 1
        for name, optimizer in self._optimizers(trainer).items():
            before = current_rate(optimizer)
            after = max(before * self.factor, self.min_lr)
            # Already at min_lr.
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

    def _optimizers(self, trainer: Trainer) -> dict[str, keras.optimizers.Optimizer]:
        name, optimizers = self.optimizer, trainer.optimizers
        return optimizers if name is None else {name: optimizers[name]}
