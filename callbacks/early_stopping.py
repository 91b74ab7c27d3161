"""EarlyStopping: asks for a stop when a metric no longer improves."""

from __future__ import annotations

import logging
import math
import weakref
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import Callback
from lightning_tf.exceptions import ConfigurationError, nearest

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

MODES = ("min", "max")


class EarlyStopping(Callback):
    """Asks the Trainer to stop when a monitored metric stops improving.

    Each fresh value is judged in this order: not finite, past `stopping_threshold`, past
    `divergence_threshold`, improved by more than `min_delta`, and if not, whether that has gone on
    for `patience` checks. A verdict that comes while min_epochs or min_steps are unmet is dropped;
    it is asked for again at the next check, unless the metric has recovered.

    Args:
        monitor: A metric such as ``val_loss``.
        min_delta: Less than this is no improvement.
        patience: Checks without improvement after which to stop.
        verbose: Print when the metric improves.
        mode: ``min`` or ``max``.
        strict: Raise where the metric is missing; otherwise warn once.
        check_finite: Stop when the metric is NaN or infinite.
        stopping_threshold: Stop once the metric is better than this.
        divergence_threshold: Stop once it is worse than this.
        check_on_train_epoch_end: True judges at the end of an epoch, False after validation; None
            judges what validation measures after validation, and everything else at the end.

    Raises:
        ConfigurationError: A negative patience, an unknown mode, or, before training, a monitor
            that nothing logs.

    Attributes:
        wait_count: Checks since the last improvement.
        best_score: The best value so far.
        stopped_epoch: The epoch, from 0, of the last check that asked for a stop.
        stopping_reason: Why it did; empty before, and again once the metric has recovered.

    Example:
        >>> patience = EarlyStopping("val_loss", patience=5)
        >>> Trainer(max_epochs=100, callbacks=[patience]).fit(task)
    """

    logs_metrics = False
    runs_after_task = True

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
    ) -> None:
        if mode not in MODES:
            raise ConfigurationError(f"EarlyStopping(mode={mode!r}).{nearest(mode, MODES)}")
        if patience < 0:
            raise ConfigurationError(f"EarlyStopping(patience={patience}): give at least 0.")
        self.monitor, self.mode, self.strict = monitor, mode, strict
        self.min_delta, self.patience, self.verbose = abs(min_delta), patience, verbose
        self.check_finite = check_finite
        self.stopping_threshold = stopping_threshold
        self.divergence_threshold = divergence_threshold
        validated = monitor.startswith("val_")
        self._at_epoch_end = (
            not validated if check_on_train_epoch_end is None else check_on_train_epoch_end
        )
        # A training loss that this callback watches is its own to judge, NaN included.
        is_loss = monitor == "loss" or monitor.endswith("_loss")
        self.tolerates_nonfinite_loss = check_finite and is_loss and not validated
        self._sign = 1.0 if mode == "min" else -1.0
        self._task: weakref.ref[Task] | None = None
        self._warned = False
        self._begin()

    def _begin(self) -> None:
        self.wait_count = 0
        self.best_score = self._sign * math.inf
        self.stopped_epoch = 0
        self.stopping_reason = ""
        self._judged_step = -1

    @property
    def state_key(self) -> str:
        """Several may watch different metrics."""
        return f"EarlyStopping(monitor={self.monitor!r}, mode={self.mode!r})"

    def state_dict(self) -> dict[str, Any]:
        """What has been judged; `patience` is the user's, not the checkpoint's."""
        return {
            "wait_count": self.wait_count,
            "best_score": self.best_score,
            "stopped_epoch": self.stopped_epoch,
            "stopping_reason": self.stopping_reason,
            "judged_step": self._judged_step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the checkpoint was written."""
        self.wait_count, self.best_score = state["wait_count"], state["best_score"]
        self.stopped_epoch = state["stopped_epoch"]
        self.stopping_reason = state["stopping_reason"]
        self._judged_step = state["judged_step"]

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Begin anew with another task."""
        if self._task is not None and self._task() is not task:
            self._begin()
        self._task = weakref.ref(task)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse a monitor that nothing will log, before training."""
        names, complete = trainer.metric_names()
        if complete and self.monitor not in names:
            self._missing(names)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what validation measured."""
        if not self._at_epoch_end and not trainer.sanity_checking and trainer.entry_point == "fit":
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what the epoch measured."""
        if self._at_epoch_end:
            self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:
            return
        names, _ = trainer.metric_names()
        if self.monitor not in names:
            self._missing(names)
            return
        measured = trainer.metric_steps.get(self.monitor, self._judged_step)
        if measured != self._judged_step:  # an epoch without validation says nothing new
            self._judged_step = measured
            self.stopping_reason = self._judge(trainer.callback_metrics[self.monitor])
        if self.stopping_reason:
            self.stopped_epoch = trainer.current_epoch
            trainer.request_stop(self.stopping_reason)

    def _judge(self, score: float) -> str:
        """Why to stop, or an empty string."""
        name = f"{self.monitor} = {score:.6g}"
        if self.check_finite and not math.isfinite(score):
            return f"{name} is not finite; the best was {self.best_score:.6g}"
        if self.stopping_threshold is not None and self._better(score, self.stopping_threshold):
            return f"{name} passed stopping_threshold={self.stopping_threshold}"
        if self.divergence_threshold is not None and self._better(self.divergence_threshold, score):
            return f"{name} passed divergence_threshold={self.divergence_threshold}"
        if self._better(score, self.best_score - self._sign * self.min_delta):
            if self.verbose:
                print(f"EarlyStopping: {name} improved on {self.best_score:.6g}")
            self.best_score, self.wait_count = score, 0
            return ""
        self.wait_count += 1
        if self.wait_count < self.patience:
            return ""
        return f"{name} has not improved on {self.best_score:.6g} in {self.wait_count} checks"

    def _better(self, score: float, other: float) -> bool:
        return self._sign * score < self._sign * other

    def _missing(self, names: set[str]) -> None:
        message = (
            f"EarlyStopping(monitor={self.monitor!r}): nothing logs it."
            f"{nearest(self.monitor, names)}"
        )
        if self.strict:
            raise ConfigurationError(message)
        if not self._warned:
            log.warning(message)
            self._warned = True
