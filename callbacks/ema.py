"""EMA: exponential moving averages of the weights, evaluated and saved in their place."""

import logging
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.callbacks.common.moving_averages import MovingAverages
from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.checks import checked_fraction, checked_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.training_state import TrainingState
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import all_variables, optimizable_variables

log = logging.getLogger("lightning_tf")

LARGEST_START = 0.1  # of the first weights in the final average
IN_THE_STEP = {"decay", "updates_per_average", "start_step", "warmup"}


class EMA(StatefulCallback):
    """Keeps an exponential moving average of every weight, and evaluates and saves the averages.

    ``average = decay * average + (1 - decay) * weight``, once for every update of the optimizer
    that owns the weight, inside the compiled step: with accumulation once for each accumulation
    window, and not for an update that was skipped because of an overflow. The averages begin as the
    weights are when training begins. Averaged are the variables that optimizers train, or would
    train if they were not frozen. Statistics of BatchNormalization are averages already, and stay
    those of training.

    Sources: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
    https://doi.org/10.1137/0330046; the growing decay is that of
    https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage.

    When the task holds which weights:

    - While it trains, the trained weights. From on_validation_start until every callback has had
      its on_validation_end, the averages: ``val_loss`` and what EarlyStopping and ModelCheckpoint
      make of it are theirs. The sanity check does the same.
    - From on_train_end on, the averages, also after an exception or Ctrl-C. So `test`, `predict`
      and whoever uses the model after fit get them. The trained weights are kept aside.
    - Another fit of the same task by the same Trainer restores the trained weights and continues
      as if there had been no end. If somebody changed a weight in between (a test with
      ``ckpt_path``, a loaded file), the changed weights count, and the averages begin anew.

    A checkpoint holds the averages as the task's weights, so evaluation from any checkpoint uses
    them, with or without this callback. A checkpoint that can be resumed also holds the trained
    weights; it is resumed exactly, but only by a Trainer with this callback. One with weights only
    does not hold them.

    Memory: one copy of the weights, and one more during validation and after fit.

    Args:
        decay: Share of the old average that remains, in [0, 1).
        every_n_steps: Updates from one averaging to the next; `decay` is that of one averaging.
        start_step: The averages follow the weights for so many updates; then averaging starts.
        warmup: Use ``min(decay, (1 + t) / (10 + t))``, where t counts the earlier averagings, so
            that an early average is not mostly the weights at the start.

    Raises:
        ConfigurationError: A number is out of range; when an entry point begins, there are two.

    Example:
        >>> trainer = Trainer(max_epochs=20, callbacks=[EMA(0.999, warmup=True)])
        >>> trainer.fit(task)
        >>> trainer.test(task)  # of the averages
    """

    changes_weights = True
    _averages: MovingAverages | None = None

    def __init__(
        self,
        decay: float = 0.999,
        every_n_steps: int = 1,
        start_step: int = 0,
        warmup: bool = False,
    ) -> None:
        self.decay = checked_fraction("EMA: decay", decay)
        self.start_step = checked_integer("EMA: start_step", start_step, least=0)
        # Not `every_n_steps`, which would end a window each time: the device counts by itself.
        self.updates_per_average = checked_integer("EMA: every_n_steps", every_n_steps, least=1)
        self.warmup = warmup
        self._begin()

    if not TYPE_CHECKING:  # type checkers would take every attribute for a known one

        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute.

            Raises:
                ConfigurationError: The compiled step holds it already, with another value.
            """
            is_held = name in IN_THE_STEP and self._averages is not None
            if is_held and value != (was := getattr(self, name)):
                raise ConfigurationError(
                    f"EMA: {name} is set to {value!r}, but the compiled step has {was!r}: set it "
                    "before the fit, and for another fit make another EMA and Trainer."
                )
            super().__setattr__(name, value)

    def _begin(self) -> None:
        self._training: weakref.ref[TrainingState] | None = None
        self._averages = None

    # ---- what is averaged

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Forget another task."""
        # Two would exchange each other's averages for weights.
        if sum(isinstance(callback, EMA) for callback in trainer.callbacks) > 1:
            raise ConfigurationError("there are two EMA callbacks; drop one.")
        self._begin_if_new(task)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Enter the compiled step; in another fit of the same task, continue."""
        training = trainer.training
        if training is None:
            return

        if self._averages is None or self._training is None or self._training() is not training:
            self._averages = self._averages_of(task, training)
            self._training = weakref.ref(training)
        # The last fit left the averages in the task: put the trained weights back.
        elif self._averages.are_in_place():
            self._averages.swap_out()
        elif self._averages.raw is not None:
            log.info("EMA: the weights were changed since the last fit; averages begin anew.")
            self._averages.restart()

    def _averages_of(self, task: Task, training: TrainingState) -> MovingAverages:
        """Make the averages of all variables that optimizers train or would train."""
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

        # Called inside the compiled step, after each update of that optimizer.
        for name, optimizer in training.optimizers.items():
            optimizer.call_after_update(partial(averages.update, name))
        return averages

    # ---- when they take the weights' place

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Restart from the weights as they are now: a checkpoint or the user may have set them."""
        if self._averages is not None and trainer.global_step == 0:
            self._averages.restart()
        self._tell_few_updates(trainer.estimated_stepping_batches)

    def _tell_few_updates(self, updates: float) -> None:
        """Tell where the average will be partly of weights from before it had learned anything."""
        averagings = max(updates - self.start_step, 0.0) // self.updates_per_average
        share = self.decay**averagings
        if share > LARGEST_START and not self.warmup:
            log.info(
                "EMA(decay=%g): after the %d averagings of this fit %.3g %% of the average are "
                "still the weights at its start, and it is what is evaluated and saved. Pass "
                "warmup=True or a smaller decay, or train longer.",
                self.decay,
                averagings,
                100.0 * share,
            )

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Evaluate the averages."""
        if trainer.entry_point == "fit":
            with trainer.signals.held():  # Ctrl-C must not come between two weights
                self._swap_in(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Return to the trained weights."""
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
        """Return the trained weights and the counts; see `saved_weights`."""
        return {} if self._averages is None else self._averages.state()

    def saved_weights(self) -> dict[str, Any]:
        """Return the averages, while the task holds the trained weights."""
        if self._averages is None or self._averages.raw is not None:
            return {}
        return dict(self._averages.averages)
