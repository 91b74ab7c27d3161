"""Callback: what may watch a run, and when it is awake."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from lightning_tf.hyperparameters import plain_arguments

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


END_EPOCH: Final = -1  # as in Lightning
"""What `on_train_batch_start` returns to end the epoch before the batch."""


class Callback:
    """Base class of everything that watches a run; every hook does nothing by default.

    The loop, with its hooks in order::

        setup(stage="fit")
        on_optimizers_configured                             nothing is traced or restored yet
        on_fit_start
        on_sanity_check_start ... on_sanity_check_end        a few validation batches
        on_train_start
        for each epoch:
            on_train_epoch_start
            for each window of k batches:                    one graph call
                (on_train_batch_start, on_train_batch_end)   only if somebody overrides them; k = 1
                on_train_window_end
                on_validation_start ... on_validation_end    where validation is due
            on_train_epoch_end
        on_train_end
        on_fit_end
        teardown(stage="fit")

    Callbacks run in the order in which they were given, then the task's own hook of the same name,
    then callbacks that judge or save what came before; `Hooks._around_task` has the whole order. An
    exception in any of these places leads to
    one call of `on_exception`, and then leaves the entry point as it was raised.

    Windows are as long as the callbacks allow: a callback that must be awake at certain updates
    says so with `every_n_steps` or `next_step`, and looks at `is_due` in `on_train_window_end`.

    Attributes:
        every_n_steps: The callback's own cadence in updates (`trainer.global_step`), or None.
        logs_metrics: The names that its hooks log with `trainer.log_metrics`, or False for none: a
            promise with which a monitor that nothing measures is refused before training. True,
            where nobody has said so, lets it be refused at the end of the first epoch only.
        tolerates_nonfinite_loss: True promises that the callback deals with a NaN or infinite
            training loss itself, so that the loop does not raise.
        runs_after_task: True runs its hooks after the task's own of the same name, for a callback
            that judges what a task may log there.
        changes_weights: True runs its hooks before those of all others, and its on_validation_end
            after them, so that whoever looks at the weights in a validation sees what it put there.
        reads_batches: False hands None over in the place of the batch to `on_validation_batch_end`
            and `on_test_batch_end`, for a callback that does not need it: it stays on the device.
        consumes_predictions: True has `Trainer.predict` run at once, for a callback that writes
            what is predicted: nobody needs to iterate over it.
        constructor_arguments: As plain data; they tell callbacks of one `state_key` apart.

    Example:
        >>> class Hello(Callback):
        ...     every_n_steps = 100
        ...
        ...     def on_train_window_end(self, trainer, task):
        ...         if self.is_due(trainer):
        ...             print("update", trainer.global_step)
    """

    every_n_steps: int | None = None
    logs_metrics: bool | Collection[str] = True
    tolerates_nonfinite_loss: bool = False
    runs_after_task: bool = False
    changes_weights: bool = False
    reads_batches: bool = True
    consumes_predictions: bool = False
    constructor_arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Record the constructor's arguments before the subclass's own `__init__` runs."""
        callback = super().__new__(cls)
        readable = [_readable(value) for value in args]
        named = {name: _readable(value) for name, value in kwargs.items()}
        callback.constructor_arguments = plain_arguments(cls, tuple(readable), named)
        return callback

    # ---- cadence

    def next_step(self, trainer: Trainer) -> int | None:
        """Return the next `global_step` at which the loop must end a window for this callback."""
        if not self.every_n_steps:
            return None
        return (trainer.global_step // self.every_n_steps + 1) * self.every_n_steps

    def is_due(self, trainer: Trainer) -> bool:
        """Return whether the window that just ended reached a multiple of `every_n_steps`."""
        if not self.every_n_steps or trainer.global_step == trainer.window_start_step:
            return False
        return trainer.global_step % self.every_n_steps == 0

    def has_row(self, trainer: Trainer) -> bool:
        """Return whether the window that just ended wrote a row; then the device was waited for."""
        if trainer.global_step == trainer.window_start_step:
            return False
        every = trainer.log_every_n_steps
        return every > 0 and trainer.global_step % every == 0

    # ---- set-up and end

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Run before anything else of an entry point; stage is fit, validate, test or predict."""

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Run after everything else of an entry point."""

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Run when models and optimizers are built; nothing is traced or restored yet.

        The place to add what shall run inside the compiled step, and to freeze layers; called at
        the start of every fit.
        """

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Run when models and optimizers are built, before anything else runs."""

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Run when training is over."""

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Run when an exception, Ctrl-C included, is about to leave the entry point."""

    # ---- training

    def on_sanity_check_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the few validation batches that are run before training."""

    def on_sanity_check_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the sanity check; its metrics are thrown away."""

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the first epoch; steps are traced, so `trainer.metric_names()` is known."""

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the last epoch."""

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the first batch of an epoch, and where a fit goes on inside one.

        Then `trainer.resumed_in_epoch` is True: the hook has run for this epoch before.
        """

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the last batch of an epoch and the validation that lies inside it."""

    def on_train_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> int | None:
        """Run before a batch; overriding it makes every window one batch long.

        Returning `lightning_tf.END_EPOCH` ends the epoch before the batch; where one of several
        workers does, all of them end it.

        Where the data's length is unknown, it is also called before the batch that turns out not
        to be there.
        """

    def on_train_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """Run after a batch, with what the step logged; overriding it makes windows one batch."""

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Run after every graph call of any length: the place to look at `is_due` or a clock."""

    # ---- validation, test, prediction

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Run before validation."""

    def on_validation_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the first validation batch."""

    def on_validation_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Run before a validation batch."""

    def on_validation_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, Any], batch: Any, batch_idx: int
    ) -> None:
        """Run after a validation batch; overriding it makes every graph call one batch long.

        Args:
            trainer: The Trainer.
            task: The task.
            outputs: What the step logged, numbers by the names that users see, and the examples
                that it returned or collected, host arrays by their own names; of all replicas and
                workers, in the order of the data.
            batch: The batch, as host arrays; None with ``reads_batches = False``.
            batch_idx: Its number in the data set.
        """

    def on_validation_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """Run after every graph call of validation; `batches` are done, of all its data sets."""

    def on_validation_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the last validation batch; the metrics are in `trainer.callback_metrics`."""

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Run after validation."""

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Run before testing."""

    def on_test_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the first test batch."""

    def on_test_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Run before a test batch."""

    def on_test_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, Any], batch: Any, batch_idx: int
    ) -> None:
        """Run after a test batch, with what `on_validation_batch_end` gets."""

    def on_test_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """Run after every graph call of a test; `batches` are done, of all its data sets."""

    def on_test_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the last test batch; the metrics are in `trainer.callback_metrics`."""

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """Run after testing."""

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Run before prediction."""

    def on_predict_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Run before the first batch of prediction."""

    def on_predict_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Run before a batch of prediction; overriding it makes every graph call one batch long."""

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """Run after a batch of prediction, with its host arrays."""

    def on_predict_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Run after the last batch of prediction."""

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Run after prediction."""

    # ---- state

    @property
    def state_key(self) -> str:
        """Return the name of the state in a checkpoint.

        Where several callbacks of a Trainer have one, an argument of their constructor that differs
        is added; those with equal arguments are refused.
        """
        return type(self).__qualname__

    def state_dict(self) -> dict[str, Any]:
        """Return JSON-able state that a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""

    def variables(self) -> dict[str, Any]:
        """Return variables that a resumed run needs; a checkpoint holds them under `state_key`.

        Asked for when a checkpoint is written, and after `on_optimizers_configured` to restore one:
        the names must be the same.
        """
        return {}

    def saved_weights(self) -> dict[str, Any]:
        """Return variables that stand in a checkpoint in the place of the task's own.

        Whoever takes weights from the checkpoint gets these. The task's own ones belong into
        `variables` then. The names are those of `lightning_tf.variables.all_variables`.
        """
        return {}


class CheckpointCallback(Callback):
    """A callback that writes checkpoints: runs after the task, and last of what runs there."""

    logs_metrics = False
    runs_after_task = True

    def folders(self, trainer: Trainer) -> list[str]:
        """Return the folders with checkpoints of this and of earlier processes."""
        return []


def _readable(value: Any) -> Any:
    """Return a path or a duration as text, in which two differ."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value) if isinstance(value, timedelta) else value
