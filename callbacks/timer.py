"""Timer: measures training, validation and test, and asks for a stop when the time is over."""

import time
from datetime import timedelta
from typing import Any

from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.checks import checked_choice
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.loops.limits import seconds
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

STAGES = ("train", "validate", "test")
INTERVALS = ("step", "epoch")


class Timer(StatefulCallback):
    """Measures each stage, and asks for a stop once training has taken so long.

    The time of training includes the validations inside it, and not the sanity check. It continues
    through every fit of the same task, and a resumed run continues from the time in its checkpoint:
    one whose time is over does no update at all. The clock is read after every window, about twice
    a second, or at the epoch's end. A stop waits for `min_epochs` and `min_steps`, as always.

    Args:
        duration: ``"DD:HH:MM:SS"``, a timedelta, a dict of its arguments, or None to measure only.
        interval: ``step`` or ``epoch``: where the clock is read.

    Raises:
        ConfigurationError: The duration or the interval is none of these.

    Example:
        >>> timer = Timer(duration="00:12:00:00")
        >>> Trainer(max_epochs=100, callbacks=[timer]).fit(task)
        >>> timer.time_elapsed("train"), timer.time_remaining()
    """

    def __init__(self, duration: Any = None, interval: str = "step") -> None:
        self.interval = checked_choice("Timer: interval", interval, INTERVALS)
        try:
            self.seconds = seconds(duration)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"Timer(duration={duration!r}): give 'DD:HH:MM:SS', a timedelta or a dict such as "
                "{'minutes': 30}."
            ) from error
        self._begin()

    def _begin(self) -> None:
        # Seconds of stages that have ended, and the beginning of those that run.
        self._before = dict.fromkeys(STAGES, 0.0)
        self._began: dict[str, float] = {}

    # ---- what it measured

    def time_elapsed(self, stage: str = "train") -> float:
        """Return the seconds spent in a stage so far.

        Args:
            stage: ``train``, ``validate`` or ``test``.
        """
        if stage not in STAGES:
            raise ConfigurationError(f"Timer has no stage {stage!r}.{nearest(stage, STAGES)}")
        began = self._began.get(stage)
        return self._before[stage] + (0.0 if began is None else time.monotonic() - began)

    def time_remaining(self) -> float | None:
        """Return the seconds of training that are left, at least 0; None without a duration."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - self.time_elapsed("train"))

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds by stage."""
        return {"time_elapsed": {stage: self.time_elapsed(stage) for stage in STAGES}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the times of the checkpoint."""
        self._before, self._began = dict(state["time_elapsed"]), {}

    # ---- hooks

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Start anew with another task."""
        self._begin_if_new(task)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Start the clock, and ask for a stop where the time was over before."""
        self._start("train")
        self._check(trainer)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Ask for a stop if the time is over."""
        if self.interval == "step":
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Ask for a stop if the time is over."""
        self._check(trainer)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Stop the clock."""
        self._stop("train")

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Start the clock."""
        if not trainer.sanity_checking:
            self._start("validate")

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Stop the clock."""
        self._stop("validate")

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Start the clock."""
        self._start("test")

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """Stop the clock."""
        self._stop("test")

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Stop all clocks."""
        for stage in STAGES:
            self._stop(stage)

    def _start(self, stage: str) -> None:
        self._began[stage] = time.monotonic()

    def _stop(self, stage: str) -> None:
        self._before[stage] = self.time_elapsed(stage)
        self._began.pop(stage, None)

    def _check(self, trainer: Trainer) -> None:
        if self.time_remaining() == 0.0 and not trainer.stop_reason:
            allowed = timedelta(seconds=self.seconds or 0.0)
            trainer.request_stop(f"the time of {allowed} is over")
