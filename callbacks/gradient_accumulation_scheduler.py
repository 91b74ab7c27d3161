"""GradientAccumulationScheduler: how many batches make an update, by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lightning_tf.callback import Callback
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class GradientAccumulationScheduler(Callback):
    """Changes `accumulate_grad_batches` at the start of given epochs.

    A larger batch late in training has the effect of a lower learning rate, and a small one at the
    start takes more updates (Smith et al., "Don't Decay the Learning Rate, Increase the Batch
    Size", 2018, https://arxiv.org/abs/1711.00489).

    The number of updates is known before training: `trainer.estimated_stepping_batches`, and so
    every schedule that a task builds from it, counts each epoch with its own accumulation. As
    always, an incomplete window is flushed at its epoch's end, so none spans two accumulations. The
    step is traced once, and serves all of them; epochs of 1 pay for the sums that the others need.
    A resumed run goes on with the accumulation of its epoch. `fast_dev_run` accumulates nothing.

    Args:
        scheduling: Batches for each update, by the epoch (from 0) from which on that holds. Epochs
            before the first one given have 1.

    Raises:
        ConfigurationError: No epochs are given, or something in them is no count; when a fit
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
            if not (_is_count(epoch, 0) and _is_count(batches, 1)):
                raise ConfigurationError(
                    f"GradientAccumulationScheduler has {{{epoch!r}: {batches!r}}}: give an epoch "
                    "of at least 0 and a count of batches of at least 1."
                )
        self.scheduling = {0: 1, **scheduling}

    def batches_per_update(self, epoch: int) -> int:
        """Batches for each update in an epoch."""
        return self.scheduling[max(start for start in self.scheduling if start <= epoch)]

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Announce the epochs to come, before optimizers and schedules are made."""
        if stage != "fit" or trainer.fast_dev_run:
            return
        if trainer.settings["accumulate_grad_batches"] != 1:
            raise ConfigurationError(
                "GradientAccumulationScheduler beside Trainer(accumulate_grad_batches="
                f"{trainer.settings['accumulate_grad_batches']}): drop one; {{0: n}} begins with n."
            )
        if sum(isinstance(c, GradientAccumulationScheduler) for c in trainer.callbacks) > 1:
            raise ConfigurationError("there are two GradientAccumulationSchedulers; drop one.")
        trainer.schedule_accumulation(self.scheduling)

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Refuse an optimizer that brings an accumulation of its own."""
        optimizers = {} if trainer.training is None else trainer.training.optimizers
        for name, optimizer in optimizers.items():
            if optimizer.keras_accumulation > 1 and not trainer.fast_dev_run:
                raise ConfigurationError(
                    f"GradientAccumulationScheduler beside gradient_accumulation_steps="
                    f"{optimizer.keras_accumulation} of optimizer {name or 'of the task'!r}; drop "
                    "one."
                )


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
