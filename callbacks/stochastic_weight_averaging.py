"""StochasticWeightAveraging: the mean of the weights at the ends of the last epochs."""

import logging
import math
import weakref
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callbacks.common.moving_averages import MovingAverages
from lightning_tf.callbacks.common.replaceable_schedule import ReplaceableSchedule
from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.callbacks.ema import EMA
from lightning_tf.checks import checked_choice, checked_integer, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import current_rate, learning_rate_of
from lightning_tf.run.batch_statistics import (
    batch_normalizations,
    recompute_statistics,
    statistics_of,
)
from lightning_tf.run.training_state import TrainingState
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import all_variables, optimizable_variables

log = logging.getLogger("lightning_tf")

OWNER = "StochasticWeightAveraging"


class StochasticWeightAveraging(StatefulCallback):
    """Averages the weights of the last epochs, at a rate that is held high, as Lightning's does.

    From the epoch `swa_epoch_start` on, learning rates go to `swa_lrs` within `annealing_epochs`
    epochs and stay there, whatever a schedule says; and at the end of each whole epoch the weights
    count once more in their mean. Where training ends, the mean takes their place in the task, and
    one pass over the training data computes the statistics of BatchNormalization for it: means and
    variances of the batches, averaged over the examples, dropout and augmentation as in training.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    2018, https://arxiv.org/abs/1803.05407.

    When the task holds which weights:

    - While it trains and is validated, the trained weights, as Lightning has it. So EarlyStopping
      and ModelCheckpoint judge those, and the checkpoints that they write have them.
    - From on_train_end on, the mean. So `test`, `predict` and a checkpoint that
      `trainer.save_checkpoint` writes then get it. The trained weights are in that checkpoint too:
      another fit, or a resumed one, goes on from them. After an exception the task has the trained
      weights.

    Other than Lightning: the weights count at an epoch's end, as in the paper (Lightning's last
    epoch counts for nothing); "cos" anneals (Lightning jumps); several optimizers may be averaged,
    and a run that stops early ends with the mean of what there is.

    Memory: one copy of the weights, and one more after fit.

    Args:
        swa_lrs: The rate that is held, or one for each optimizer by its name.
        swa_epoch_start: The first epoch that counts: its number, counted from 1, or a share of
            `max_epochs`, as Lightning counts it.
        annealing_epochs: Epochs from the rate that was to `swa_lrs`; 0 goes there at once.
        annealing_strategy: ``cos`` or ``linear``.

    Raises:
        ConfigurationError: A number is out of range; when a fit begins, there is an EMA beside it,
            an optimizer is unknown, or a share has no `max_epochs`.

    Attributes:
        n_averaged: How many epochs are in the mean.

    Example:
        >>> swa = StochasticWeightAveraging(swa_lrs=1e-2)
        >>> trainer = Trainer(max_epochs=20, callbacks=[swa])
        >>> trainer.fit(task)
        >>> trainer.test(task)  # of the mean
    """

    changes_weights = True
    state_names = ("n_averaged", "last_epoch", "base_rates")
    _averages: MovingAverages | None = None

    def __init__(
        self,
        swa_lrs: float | Mapping[str, float],
        swa_epoch_start: int | float = 0.8,
        annealing_epochs: int = 10,
        annealing_strategy: str = "cos",
    ) -> None:
        rates = swa_lrs.values() if isinstance(swa_lrs, Mapping) else [swa_lrs]
        if not rates or not all(is_number(rate) and 0.0 < rate < math.inf for rate in rates):
            raise ConfigurationError(
                f"{OWNER}(swa_lrs={swa_lrs!r}): give a positive rate, or a dict of them by "
                "optimizer."
            )
        if isinstance(swa_epoch_start, float):
            if not 0.0 <= swa_epoch_start <= 1.0:
                raise ConfigurationError(
                    f"{OWNER}(swa_epoch_start={swa_epoch_start!r}): a share is in [0, 1]; the "
                    "number of an epoch is an int."
                )
        else:
            checked_integer(f"{OWNER}: swa_epoch_start", swa_epoch_start, least=1)

        self.swa_lrs, self.swa_epoch_start = swa_lrs, swa_epoch_start
        self.annealing_epochs = checked_integer(
            f"{OWNER}: annealing_epochs", annealing_epochs, least=0
        )
        self.annealing_strategy = checked_choice(
            f"{OWNER}: annealing_strategy", annealing_strategy, ("cos", "linear")
        )
        self._begin()

    def _begin(self) -> None:
        self.n_averaged, self.last_epoch = 0, -1
        self.base_rates: dict[str, float] = {}
        self._training: weakref.ref[TrainingState] | None = None
        self._averages = None
        self._replaced: dict[str, ReplaceableSchedule] = {}
        self._trained: set[str] = set()  # names of what is averaged; the rest are statistics

    # ---- what is averaged

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Forget another task, and refuse what exchanges weights, too."""
        others = [c for c in trainer.callbacks if isinstance(c, (EMA, StochasticWeightAveraging))]
        if stage == "fit" and len(others) > 1:
            names = " and ".join(type(callback).__name__ for callback in others)
            raise ConfigurationError(f"there are {names}, each with averages of its own; keep one.")
        if (
            stage == "fit"
            and trainer.max_epochs is None
            and isinstance(self.swa_epoch_start, float)
        ):
            raise ConfigurationError(
                f"{OWNER}(swa_epoch_start={self.swa_epoch_start!r}) is a share of max_epochs, "
                "which the Trainer does not have; give the number of an epoch."
            )
        self._begin_if_new(task)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Make the averages; in another fit of the same task, continue."""
        training = trainer.training
        if training is None:
            return
        if self._averages is None or self._training is None or self._training() is not training:
            self._begin()
            self._task = weakref.ref(task)
            self._training = weakref.ref(training)
            self._averages = self._averages_of(task, training)
            self._replace_schedules(training)
        elif self._averages.are_in_place():
            self._averages.swap_out()
        elif self._averages.raw is not None:
            log.info("%s: the weights were changed since the last fit; it begins anew.", OWNER)
            self._averages.restart()
            self.n_averaged = 0

    def _averages_of(self, task: Task, training: TrainingState) -> MovingAverages:
        owners = [optimizer.owner for optimizer in training.optimizers.values()]
        trained = {id(variable) for owner in owners for variable in optimizable_variables(owner)}
        moving = {id(variable) for variable in statistics_of(batch_normalizations(task))}
        named = {n: v for n, v in all_variables(task).items() if id(v) in trained | moving}
        self._trained = {name for name, v in named.items() if id(v) in trained}
        return MovingAverages(named, (), decay=0.0)

    # ---- learning rates

    def _replace_schedules(self, training: TrainingState) -> None:
        names = self.swa_lrs if isinstance(self.swa_lrs, Mapping) else training.optimizers
        for name in names:
            checked_choice(f"{OWNER}: swa_lrs, an optimizer", name, training.optimizers)
            optimizer = training.optimizers[name].optimizer
            schedule = learning_rate_of(optimizer)
            if not isinstance(schedule, keras.Variable):
                # Before the step is traced, which would keep the old schedule.
                self._replaced[name] = ReplaceableSchedule(schedule)
                optimizer.learning_rate = self._replaced[name]

    def _start(self, trainer: Trainer) -> int:
        """Return the first epoch that counts, from 0."""
        start = self.swa_epoch_start
        if isinstance(start, float):
            start = int((trainer.max_epochs or 0) * start)
        return max(start - 1, 0)

    def _set_rates(self, trainer: Trainer, elapsed: int) -> None:
        """Set the rates of an epoch, so many after the first that counts."""
        time = min(max(elapsed, not self.annealing_epochs) / max(self.annealing_epochs, 1), 1.0)
        share = (1.0 - math.cos(math.pi * time)) / 2.0 if self.annealing_strategy == "cos" else time
        optimizers = trainer.optimizers
        given = self.swa_lrs
        held = given if isinstance(given, Mapping) else dict.fromkeys(optimizers, given)
        for name, end in held.items():
            base = self.base_rates.setdefault(name, current_rate(optimizers[name]))
            rate = base + (end - base) * share
            if name in self._replaced:
                self._replaced[name].replacement.assign(rate)
            else:
                optimizers[name].learning_rate = rate

    # ---- hooks

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Restart from the weights as they are now: a checkpoint or the user may have set them."""
        if self._averages is not None and trainer.global_step == 0:
            self._averages.restart()
        if trainer.max_epochs is not None and self._start(trainer) >= trainer.max_epochs:
            log.warning(
                "%s: swa_epoch_start=%r is not reached in %d epochs: nothing is averaged.",
                OWNER,
                self.swa_epoch_start,
                trainer.max_epochs,
            )

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Count the epoch before, and set the rates of this one."""
        self._average(trainer)
        elapsed = trainer.current_epoch - self._start(trainer)
        if elapsed >= 0:
            self._set_rates(trainer, elapsed)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Put the mean into the task, and recompute the statistics of BatchNormalization."""
        self._average(trainer)
        averages = self._averages
        if averages is None or not self.n_averaged or averages.raw is not None:
            return

        statistics = {n: v for n, v in averages.variables.items() if n not in self._trained}
        with trainer.signals.held():  # Ctrl-C must not come between two weights
            for name, variable in statistics.items():
                averages.averages[name].assign(tf.cast(variable, averages.averages[name].dtype))
            averages.swap_in()
            recompute_statistics(trainer, task)
            for name, variable in statistics.items():
                averages.averages[name].assign(tf.cast(variable, averages.averages[name].dtype))

    def _average(self, trainer: Trainer) -> None:
        """Count the weights of the latest whole epoch, unless that is done."""
        # Not at its end: a checkpoint may be written there before or after this callback.
        done = trainer.progress.epoch - 1
        if self._averages is None or done < self._start(trainer) or done <= self.last_epoch:
            return
        self.last_epoch, self.n_averaged = done, self.n_averaged + 1
        with trainer.signals.held():
            self._averages.count_in(self._trained, self.n_averaged)

    # ---- checkpoints

    def variables(self) -> dict[str, Any]:
        """Return the mean, and the trained weights where it stands in their place."""
        if self._averages is None:
            return {}
        state = self._averages.state()
        state |= {f"average.{name}": value for name, value in self._averages.averages.items()}
        rates = {f"rate.{name}": s.replacement for name, s in self._replaced.items()}
        return state | rates
