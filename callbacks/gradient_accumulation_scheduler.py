"""GradientAccumulationScheduler: how many batches make an update, by epoch."""

from collections.abc import Mapping

from lightning_tf.callback import Callback
from lightning_tf.checks import is_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class GradientAccumulationScheduler(Callback):
    """Changes `accumulate_grad_batches` at the start of certain epochs.

    A larger batch late in training has the effect of a lower learning rate, and a small one at the
    start takes more updates (Smith et al., "Don't Decay the Learning Rate, Increase the Batch
    Size", 2018, https://arxiv.org/abs/1711.00489).

    The number of updates is known before training: `trainer.estimated_stepping_batches`, and so
    every schedule that a task builds from it, counts each epoch with its own accumulation. As
    always, an incomplete window is flushed at its epoch's end, so none spans two accumulations. The
    step is traced once and serves all of them; epochs with 1 pay for the sums that the others need.
    A resumed run continues with the accumulation of its epoch. `fast_dev_run` does not accumulate.

    Args:
        scheduling: Batches for each update, by the first epoch (from 0) for which that holds.
            Epochs before the first one have 1.

    Raises:
        ConfigurationError: There are no epochs, or something in them is no count; when a fit
            begins, that the Trainer, an optimizer or another callback accumulates, too.

    Example:
        >>> larger_and_larger = GradientAccumulationScheduler({4: 2, 8: 4})
        >>> Trainer(max_epochs=12, callbacks=[larger_and_larger]).fit(task)
    """

    logs_metrics = False

    def __init__(self, scheduling: Mapping[int, int]) -> None:
        if not isinstance(scheduling, Mapping) or not scheduling:
            raise ConfigurationError(
                f"GradientAccumulationScheduler({scheduling!r}): give a dict such as {{0: 1, 4: 2}}"
                ", batches for each update by epoch."
            )
        for epoch, batches in scheduling.items():
            if not (is_integer(epoch, least=0) and is_integer(batches, least=1)):
                raise ConfigurationError(
                    f"GradientAccumulationScheduler has {{{epoch!r}: {batches!r}}}: give an epoch "
                    "of at least 0 and a count of batches of at least 1."
                )
        self.scheduling = {0: 1, **scheduling}

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Announce the coming epochs, before optimizers and schedules are made."""
        if stage != "fit" or trainer.fast_dev_run:
            return

        if trainer.settings["accumulate_grad_batches"] != 1:
            raise ConfigurationError(
                "GradientAccumulationScheduler beside Trainer(accumulate_grad_batches="
                f"{trainer.settings['accumulate_grad_batches']}): drop one; {{0: n}} begins with n."
            )
        if sum(isinstance(c, GradientAccumulationScheduler) for c in trainer.callbacks) > 1:
            raise ConfigurationError("there are two GradientAccumulationSchedulers; drop one.")

        # The task's schedules count updates by these.
        trainer.schedule_accumulation(self.scheduling)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Refuse an optimizer that accumulates by itself."""
        optimizers = {} if trainer.training is None else trainer.training.optimizers
        for name, optimizer in optimizers.items():
            if optimizer.keras_accumulation > 1 and not trainer.fast_dev_run:
                raise ConfigurationError(
                    f"GradientAccumulationScheduler beside gradient_accumulation_steps="
                    f"{optimizer.keras_accumulation} of optimizer {name or 'of the task'!r}; drop "
                    "one."
                )
