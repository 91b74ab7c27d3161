"""LearningRateFinder: tries learning rates before training and uses the best one."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.callbacks.common.swept_schedule import SweptSchedule
from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import current_rate, learning_rate_of
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("lightning_tf")

MODES: dict[str, Callable[..., Any]] = {"exponential": np.geomspace, "linear": np.linspace}
SMOOTHING = 0.98
ROUNDING = 1e-9  # relative; averages of equal losses differ by less
SKIPPED_AT_START, SKIPPED_AT_END = 10, 1  # the smoothed loss means little there


class LearningRateFinder(StatefulCallback):
    """Trains a few updates at growing rates before the first epoch, and reads a rate off the loss.

    The suggested rate is where the smoothed loss falls fastest as the rate grows, averaged over a
    tenth of the rates. The search ends early where the loss is NaN or infinite, or has grown far
    beyond the best. Then everything is restored: weights, optimizers, seeds, metrics, positions and
    callbacks' variables are bit for bit what they were, and the search leaves no row, checkpoint or
    file but its figure (``learning_rate_finder``, to every logger). It runs once for a task: not in
    a resumed run, in a second fit of the same task, or under `fast_dev_run`.

    Under a schedule the search tries its own rates as well. Afterwards the schedule is scaled as a
    whole, so that its highest rate within the fit is the suggested one; with ``update=False`` it
    stays as it was.

    Sources: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017,
    https://arxiv.org/abs/1506.01186, section 3.3, for the test of a range of rates; the smoothing
    and the steepest point are fast.ai's, https://sgugger.github.io/how-do-you-find-a-good-learning-rate.html.

    Args:
        min_lr: The first rate.
        max_lr: The last rate.
        num_training_steps: Updates of the search; more than 12.
        mode: Rates grow by a factor (``exponential``) or by an amount (``linear``).
        early_stop_threshold: Stop at so many times the best smoothed loss; None never stops.
        update: Train with the suggested rate; otherwise only report it.
        optimizer: The name of the optimizer to search for, where there are several; the others
            train at their own rates.

    Raises:
        ConfigurationError: A number is out of range; before training, that the optimizer is not
            named, or that its rate is neither a number nor a Keras schedule.

    Attributes:
        rates: The rates that were tried.
        losses: The loss at each.
        suggestion: The rate; None where the loss fell nowhere: then nothing is changed.

    Example:
        >>> finder = LearningRateFinder(min_lr=1e-5)
        >>> Trainer(max_epochs=20, callbacks=[finder]).fit(task)
        >>> finder.suggestion
    """

    state_names = ("rates", "losses", "suggestion")  # the rate itself is the optimizer's

    def __init__(
        self,
        min_lr: float = 1e-8,
        max_lr: float = 1.0,
        num_training_steps: int = 100,
        *,
        mode: str = "exponential",
        early_stop_threshold: float | None = 4.0,
        update: bool = True,
        optimizer: str | None = None,
    ) -> None:
        self.mode = checked_choice("LearningRateFinder: mode", mode, MODES)

        if not 0.0 < min_lr < max_lr:
            raise ConfigurationError(
                f"LearningRateFinder(min_lr={min_lr!r}, max_lr={max_lr!r}): give two rates above "
                "0, the smaller one first."
            )
        if early_stop_threshold is not None and not early_stop_threshold > 1.0:
            raise ConfigurationError(
                f"LearningRateFinder(early_stop_threshold={early_stop_threshold!r}): give a factor "
                "above 1, or None."
            )
        self.num_training_steps = checked_integer(
            "LearningRateFinder: num_training_steps",
            num_training_steps,
            least=SKIPPED_AT_START + SKIPPED_AT_END + 2,
        )

        self.min_lr, self.max_lr = float(min_lr), float(max_lr)
        self.early_stop_threshold = early_stop_threshold
        self.update, self.optimizer = update, optimizer

        self._swept: SweptSchedule | None = None
        self._begin()

    def _begin(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.suggestion: float | None = None

    def variables(self) -> dict[str, Any]:
        """Return what a schedule is scaled by."""
        return {} if self._swept is None else {"factor": self._swept.factor}

    # ---- hooks

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Start anew with another task."""
        self._begin_if_new(task)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Wrap a schedule before the step is traced: a traced step would keep the old one."""
        optimizers = trainer.optimizers
        name = self.optimizer
        if name is None and len(optimizers) > 1:
            raise ConfigurationError(
                "LearningRateFinder: there are several optimizers; name one with optimizer=, one "
                f"of {sorted(optimizers)}."
            )
        if name is not None:
            checked_choice("LearningRateFinder: optimizer", name, optimizers)

        optimizer = self._optimizer(trainer)
        rate = learning_rate_of(optimizer)
        self._swept = None

        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            # A second fit of the same task finds the one of the first.
            self._swept = rate if isinstance(rate, SweptSchedule) else SweptSchedule(rate)
            optimizer.learning_rate = self._swept
        elif not isinstance(rate, keras.Variable) and self._is_wanted(trainer):
            raise ConfigurationError(
                f"LearningRateFinder: the learning rate is {type(rate).__name__}; give the "
                "optimizer a float or a keras LearningRateSchedule for the search."
            )

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Search, unless something has been trained already."""
        if not self._is_wanted(trainer):
            return

        optimizer = self._optimizer(trainer)
        with trainer.profiler.region("searching a learning rate"):
            self._search(trainer, task, optimizer)
        self.suggestion = suggest_rate(self.rates, self.losses)
        # What the suggestion replaces; of a schedule, the highest rate.
        before = (
            current_rate(optimizer)
            if self._swept is None
            else self._swept.highest(trainer.estimated_stepping_batches)
        )

        if self.suggestion is None:
            log.warning(
                "LearningRateFinder: the loss falls nowhere between %g and %g; the rate stays %g.",
                self.min_lr,
                self.max_lr,
                before,
            )
        elif self.update:
            if self._swept is None:
                optimizer.learning_rate = self.suggestion
            else:
                self._swept.factor.assign(self.suggestion / before)
            what = "learning rate" if self._swept is None else "the schedule's highest rate"
            log.info("LearningRateFinder: %s %.3g -> %.3g.", what, before, self.suggestion)

        if trainer.loggers:
            trainer.log_figure("learning_rate_finder", self.plot())

    def _is_wanted(self, trainer: Trainer) -> bool:
        # Also where a search has been done: a second fit of the task goes on with its rate.
        done = trainer.global_step > 0 or trainer.progress.batch > 0 or bool(self.rates)
        return not (done or trainer.resumed or trainer.fast_dev_run)

    def _optimizer(self, trainer: Trainer) -> keras.optimizers.Optimizer:
        optimizers = trainer.optimizers
        return optimizers[next(iter(optimizers)) if self.optimizer is None else self.optimizer]

    # ---- the search

    def _search(self, trainer: Trainer, task: Task, optimizer: keras.optimizers.Optimizer) -> None:
        # Each optimizer of several has a loss of its own; a single one has the step's first value.
        name = f"{self.optimizer}_loss" if self.optimizer else ""
        best = math.inf
        rates = MODES[self.mode](self.min_lr, self.max_lr, self.num_training_steps)
        with trainer.trial_run(task) as trial_run, self._trying(optimizer) as try_rate:
            batches = trial_run.batches()
            for rate in rates.tolist():
                try_rate(rate)
                values = trial_run.update(batches)
                loss = values[name] if name else next(iter(values.values()))

                if not math.isfinite(loss):
                    break
                self.rates.append(rate)
                self.losses.append(loss)
                trainer.signals.check()  # a search may be long: Ctrl-C and SIGTERM act inside it

                smoothed = float(smooth_losses(self.losses)[-1])
                # The loss is compared by difference, not by ratio, because it may be below 0.
                threshold = self.early_stop_threshold or math.inf
                if len(self.losses) > 1 and smoothed - best > (threshold - 1.0) * abs(best):
                    break
                best = min(best, smoothed)

    @contextmanager
    def _trying(self, optimizer: keras.optimizers.Optimizer) -> Iterator[Callable[[float], object]]:
        """Yield a function that sets the rate; a schedule rules again afterwards."""
        if self._swept is None:  # the rate is a variable, which the trial run restores

            def set_rate(rate: float) -> None:
                optimizer.learning_rate = rate

            yield set_rate
            return
        try:
            # The traced step reads the variable, so no rate traces it again.
            yield self._swept.tried.assign
        finally:
            self._swept.tried.assign(0.0)

    def plot(self) -> Figure:
        """Return a matplotlib figure of the loss over the rates, with the suggestion."""
        from matplotlib.figure import Figure  # without pyplot there is no global state to clean up

        from lightning_tf.panel_layout import PanelLayout

        figure = Figure(figsize=(6.0, 4.0), layout=PanelLayout())
        axes = figure.add_subplot()

        axes.plot(self.rates, self.losses, color="tab:blue", alpha=0.35, label="loss")
        if self.rates:
            smoothed = smooth_losses(self.losses)
            axes.plot(self.rates, smoothed, color="tab:blue", label="loss, smoothed")
            # The loss may grow a thousandfold in the end, which would press the rest flat.
            lowest = int(np.argmin(smoothed))
            low, high = float(smoothed[lowest]), float(smoothed[: lowest + 1].max())
            space = 0.5 * (high - low or 1.0)
            axes.set_ylim(low - space, high + space)

        if self.suggestion is not None:
            index = int(np.argmin(np.abs(np.array(self.rates) - self.suggestion)))
            label = f"suggestion {self.suggestion:.2e}"
            loss = smooth_losses(self.losses)[index]
            axes.plot(self.suggestion, loss, "o", color="red", label=label)

        if self.mode == "exponential":
            axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower left")
        return figure


def smooth_losses(losses: list[float]) -> np.ndarray:
    """Return exponential moving averages, each divided by the sum of its weights."""
    average, averages = 0.0, []
    for count, loss in enumerate(losses, start=1):
        # Started at 0: dividing by the sum of the weights removes that bias.
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss
        averages.append(average / (1.0 - SMOOTHING**count))
    return np.array(averages)


def suggest_rate(rates: list[float], losses: list[float]) -> float | None:
    """Return the rate at which the smoothed loss falls fastest; None where it falls nowhere."""
    end = len(losses) - SKIPPED_AT_END
    if end - SKIPPED_AT_START < 2:
        return None

    smoothed = smooth_losses(losses)
    # The mean slope of a stretch: where the loss has jumped, it falls steeply for a moment.
    reach = min(len(losses) // 20, SKIPPED_AT_START)
    slopes = np.gradient(smoothed)[SKIPPED_AT_START - reach : end + reach]
    # A short search has less room than twice the reach.
    width = min(2 * reach + 1, len(slopes))
    slopes = np.convolve(slopes, np.full(width, 1.0 / width), "valid")

    steepest = int(np.argmin(slopes))
    falls = slopes[steepest] < -ROUNDING * np.abs(smoothed).max()
    return rates[SKIPPED_AT_START + steepest] if falls else None
