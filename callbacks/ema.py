"""EMA: exponential moving averages of the weights, evaluated and saved in their place."""

from __future__ import annotations

import logging
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import Callback
from lightning_tf.callbacks.moving_averages import MovingAverages
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.variables import all_variables, optimizable_variables

if TYPE_CHECKING:
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class EMA(Callback):
    """Keeps an exponential moving average of every weight, which is what the run is judged by.

    ``average = decay * average + (1 - decay) * weight``, once for every update of the optimizer
    that owns the weight, inside the compiled step: with accumulation once for each window of
    accumulation, and not for an update that was skipped because of an overflow. The averages begin
    as the weights are when training begins. Averaged are the variables that optimizers train, or
    would train if they were not frozen; statistics of BatchNormalization are averages already, and
    stay those of training.

    Sources: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
    https://doi.org/10.1137/0330046; the growing decay is that of
    https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage.

    When the task has which weights:

    - While it trains, its own. From on_validation_start until every callback has had its
      on_validation_end, the averages: ``val_loss`` and what EarlyStopping and ModelCheckpoint make
      of it are theirs. So it is in the sanity check.
    - From on_train_end on, the averages, also after an exception or Ctrl-C. So `test`, `predict`
      and whoever uses the model after fit get them. The weights' own values are kept aside.
    - Another fit of the same task by the same Trainer puts the weights' own values back and goes on
      as if there had been no end. If somebody changed a weight in between (a test with
      ``ckpt_path``, a loaded file), what the task has then counts, and the averages begin anew.

    What a checkpoint holds as the task's weights is always the averages, so evaluation from any
    checkpoint has them, with or without this callback. One that can be resumed holds the weights'
    own values, too, and is resumed exactly, but only by a Trainer with this callback; one with
    weights only does not.

    Memory: one copy of the weights, and one more during validation and after fit.

    Args:
        decay: Share of the old average that stays, in [0, 1).
        every_n_steps: Average at every so many updates; `decay` is that of one averaging.
        start_step: The averages follow the weights for so many updates, then averaging starts.
        warmup: Use ``min(decay, (1 + t) / (10 + t))``, where t counts the averagings before, so
            that an early average is not mostly the weights at the start.

    Raises:
        ConfigurationError: A number is out of range; when an entry point begins, there are two.

    Example:
        >>> trainer = Trainer(max_epochs=20, callbacks=[EMA(0.999, warmup=True)])
        >>> trainer.fit(task)
        >>> trainer.test(task)  # of the averages
    """

    logs_metrics = False
    changes_weights = True

    def __init__(
        self,
        decay: float = 0.999,
        every_n_steps: int = 1,
        start_step: int = 0,
        warmup: bool = False,
    ) -> None:
        is_number = isinstance(decay, (int, float)) and not isinstance(decay, bool)
        if not is_number or not 0.0 <= decay < 1.0:
            raise ConfigurationError(f"EMA(decay={decay!r}): give a number in [0, 1).")
        counts = {"every_n_steps": (every_n_steps, 1), "start_step": (start_step, 0)}
        for name, (count, least) in counts.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise ConfigurationError(
                    f"EMA({name}={count!r}): give an integer of at least {least}."
                )
        self.decay, self.start_step, self.warmup = float(decay), start_step, warmup
        # Not `every_n_steps`, which would end a window each time: the device counts by itself.
        self.updates_per_average = every_n_steps
        self._task: weakref.ref[Task] | None = None
        self._training: weakref.ref[TrainingState] | None = None
        self._averages: MovingAverages | None = None

    # ---- what is averaged

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Forget another task."""
        if sum(isinstance(callback, EMA) for callback in trainer.callbacks) > 1:
            raise ConfigurationError("there are two EMA callbacks; drop one.")
        if self._task is not None and self._task() is not task:
            self._averages = self._training = None
        self._task = weakref.ref(task)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Enter the compiled step; in another fit of the same task, go on."""
        training = trainer.training
        if training is None:
            return
        if self._averages is None or self._training is None or self._training() is not training:
            self._averages = self._averages_of(task, training)
            self._training = weakref.ref(training)
        elif self._averages.are_in_place():
            self._averages.swap_out()
        elif self._averages.raw is not None:
            log.info("EMA: the weights were changed since the last fit; averages begin anew.")
            self._averages.restart()

    def _averages_of(self, task: Task, training: TrainingState) -> MovingAverages:
        owners = [optimizer.owner for optimizer in training.optimizers.values()]
        trained = {id(variable) for owner in owners for variable in optimizable_variables(owner)}
        averages = MovingAverages(
            {name: v for name, v in all_variables(task).items() if id(v) in trained},
            training.optimizers,
            decay=self.decay,
            every=self.updates_per_average,
            start=self.start_step,
            warmup=self.warmup,
        )
        for name, optimizer in training.optimizers.items():
            optimizer.after_update.append(partial(averages.update, name))
        return averages

    # ---- when they take the weights' place

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Begin with the weights as they are by now."""
        if self._averages is not None and trainer.global_step == 0:
            self._averages.restart()

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Evaluate the averages."""
        if trainer.entry_point == "fit":
            with trainer.signals.held():  # Ctrl-C may not come between two weights
                self._swap_in(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Go on with the weights' own values."""
        if trainer.entry_point == "fit" and self._averages is not None:
            with trainer.signals.held():
                self._averages.swap_out()

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Leave the averages in the task."""
        with trainer.signals.held():
            self._swap_in(trainer)

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Leave the averages in the task."""
        self._swap_in(trainer)

    def _swap_in(self, trainer: Trainer) -> None:
        if self._averages is None:
            return
        if trainer.global_step == 0 and self._averages.raw is None:
            self._averages.restart()  # somebody may have set the weights since
        self._averages.swap_in()

    # ---- checkpoints

    def variables(self) -> dict[str, Any]:
        """The weights' own values and the counts; see `saved_weights`."""
        return {} if self._averages is None else self._averages.state()

    def saved_weights(self) -> dict[str, Any]:
        """The averages, while the task has its own weights."""
        if self._averages is None or self._averages.raw is not None:
            return {}
        return dict(self._averages.averages)
