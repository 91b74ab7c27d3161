"""Callback: what may watch a run, when it is awake, and how hooks are dispatched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

Hook = Callable[..., None]


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
    and callbacks that write checkpoints last of all. An exception in any of these places leads to
    one call of `on_exception`, and then leaves the entry point as it was raised.

    Windows are as long as the callbacks allow: a callback that must be awake at certain updates
    says so with `every_n_steps` or `next_step`, and looks at `is_due` in `on_train_window_end`.

    Attributes:
        every_n_steps: The callback's own cadence in updates (`trainer.global_step`), or None.
        logs_metrics: False promises that the callback logs no metric of its own, so that a
            misspelt monitor can be told before training.
        tolerates_nonfinite_loss: True promises that the callback deals with a NaN or infinite
            training loss itself, so that the loop does not raise.
        runs_after_task: True runs its hooks after the task's own of the same name, for a callback
            that judges what a task may log there.
        changes_weights: True runs its hooks before those of all others, and its on_validation_end
            after them, so that whoever looks at the weights in a validation sees what it put there.

    Example:
        >>> class Hello(Callback):
        ...     every_n_steps = 100
        ...
        ...     def on_train_window_end(self, trainer, task):
        ...         if self.is_due(trainer):
        ...             print("update", trainer.global_step)
    """

    every_n_steps: int | None = None
    logs_metrics: bool = True
    tolerates_nonfinite_loss: bool = False
    runs_after_task: bool = False
    changes_weights: bool = False

    # ---- cadence

    def next_step(self, trainer: Trainer) -> int | None:
        """The next `global_step` at which the loop must end a window for this callback."""
        if not self.every_n_steps:
            return None
        return (trainer.global_step // self.every_n_steps + 1) * self.every_n_steps

    def is_due(self, trainer: Trainer) -> bool:
        """Whether the window that just ended reached a multiple of `every_n_steps`."""
        if not self.every_n_steps or trainer.global_step == trainer.window_start_step:
            return False
        return trainer.global_step % self.every_n_steps == 0

    def has_row(self, trainer: Trainer) -> bool:
        """Whether the window that just ended wrote a row: the device has just been waited for."""
        if trainer.global_step == trainer.window_start_step:
            return False
        return trainer.global_step % trainer.log_every_n_steps == 0

    # ---- set-up and end

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Before anything else of an entry point; stage is fit, validate, test or predict."""

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """After everything else of an entry point."""

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Models and optimizers are built; nothing is traced or restored from a checkpoint yet.

        The place to add what shall run inside the compiled step, and to freeze layers; called at
        the start of every fit.
        """

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Models and optimizers are built; nothing has run yet."""

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Training is over."""

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """An exception, Ctrl-C included, is about to leave the entry point."""

    # ---- training

    def on_sanity_check_start(self, trainer: Trainer, task: Task) -> None:
        """Before the few validation batches that are run before training."""

    def on_sanity_check_end(self, trainer: Trainer, task: Task) -> None:
        """After the sanity check; its metrics are thrown away."""

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Before the first epoch; the steps are traced, so `trainer.metric_names()` is known."""

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """After the last epoch."""

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Before the first batch of an epoch, and on resume inside one (`trainer.resumed`)."""

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """After the last batch of an epoch and the validation that lies inside it."""

    def on_train_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Before a batch; overriding it makes every window one batch long.

        Where the data's length is unknown, it is also called before the batch that turns out not
        to be there.
        """

    def on_train_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """After a batch, with what the step logged; overriding it makes windows one batch long."""

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """After every graph call, whatever its length: the place to look at `is_due` or a clock."""

    # ---- validation, test, prediction

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Before validation."""

    def on_validation_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Before the first validation batch."""

    def on_validation_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Before a validation batch."""

    def on_validation_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """After a validation batch, with what the step logged."""

    def on_validation_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """After every graph call of validation; `batches` are done."""

    def on_validation_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """After the last validation batch; the metrics are in `trainer.callback_metrics`."""

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """After validation."""

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Before testing."""

    def on_test_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Before the first test batch."""

    def on_test_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Before a test batch."""

    def on_test_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """After a test batch, with what the step logged."""

    def on_test_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """After every graph call of a test; `batches` are done."""

    def on_test_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """After the last test batch; the metrics are in `trainer.callback_metrics`."""

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """After testing."""

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Before prediction."""

    def on_predict_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Before the first batch of prediction."""

    def on_predict_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Before a batch of prediction; overriding it makes every graph call one batch long."""

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """After a batch of prediction, with its host arrays."""

    def on_predict_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """After the last batch of prediction."""

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """After prediction."""

    # ---- state

    @property
    def state_key(self) -> str:
        """The name under which the state stands in a checkpoint; two of a kind must differ."""
        return type(self).__qualname__

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state that a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""

    def variables(self) -> dict[str, Any]:
        """Variables that a resumed run needs; a checkpoint holds them under `state_key`.

        Asked for when a checkpoint is written, and after `on_optimizers_configured` to restore one:
        the names must be the same.
        """
        return {}

    def saved_weights(self) -> dict[str, Any]:
        """Variables that a checkpoint holds in the place of the task's own, by the task's names.

        Whoever takes weights from the checkpoint gets these. What they push aside belongs into
        `variables`. The names are those of `lightning_tf.variables.all_variables`.
        """
        return {}


class CheckpointCallback(Callback):
    """A callback that writes checkpoints: runs after all others and after the task's own hook."""

    logs_metrics = False
    runs_after_task = True

    def folders(self, trainer: Trainer) -> list[str]:
        """Where checkpoints of this and of earlier processes stand."""
        return []


def overrides(watcher: object, hook: str) -> bool:
    """Whether a callback or a task has a hook of its own."""
    method = getattr(watcher, hook, None)
    inherited = getattr(Callback, hook, None)
    return method is not None and getattr(method, "__func__", method) is not inherited


class Hooks:
    """Calls a hook on everything that has one: callbacks, then the task, checkpoints last.

    Callbacks that change weights enclose all others: see `Callback.changes_weights`.

    Args:
        trainer: Passed to every callback.
        task: Passed to every callback; its own hooks take neither.
        callbacks: In the order in which they run.
        region: Gives the profiler's block around a call.
        guard: Wraps the hook of a callback whose failure must not end the run (a logger's).
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        callbacks: Iterable[Callback],
        region: Callable[[str], AbstractContextManager[None]],
        guard: Callable[[Callback, Hook], Hook] = lambda callback, hook: hook,
    ) -> None:
        self._trainer = trainer
        self._task = task
        self._region = region
        self._guard = guard
        ordered = sorted(callbacks, key=lambda callback: isinstance(callback, CheckpointCallback))
        self.callbacks = ordered
        self._batch_watched: dict[str, bool] = {}
        self._bound: dict[str, list[tuple[str, Hook]]] = {}
        self._wakers = [c for c in ordered if c.every_n_steps or overrides(c, "next_step")]

    def __call__(self, name: str, *args: Any) -> None:
        """Call one hook everywhere; who does not override it costs nothing."""
        for label, hook in self._of(name):
            with self._region(label):
                hook(*args)

    def has(self, name: str) -> bool:
        """Whether anybody overrides a hook."""
        return bool(self._of(name))

    def tell(self, exception: BaseException) -> None:
        """Call `on_exception` everywhere, also where one of them fails in its turn."""
        for label, hook in self._find("on_exception"):
            try:
                hook(exception)
            except Exception:
                log.exception("%s failed too; the first error is raised", label)

    def watches_batches(self, stage: str) -> bool:
        """Whether anybody overrides a per-batch hook of a stage."""
        if stage not in self._batch_watched:
            names = (f"on_{stage}_batch_start", f"on_{stage}_batch_end")
            watchers = (*self.callbacks, self._task)
            watched = [overrides(watcher, name) for watcher in watchers for name in names]
            self._batch_watched[stage] = any(watched)
            if any(watched) and stage == "train":
                log.info("a callback or the task watches every batch: windows of one batch.")
        return self._batch_watched[stage]

    def next_step(self) -> int | None:
        """The nearest `global_step` at which a callback must be awake."""
        steps = [callback.next_step(self._trainer) for callback in self._wakers]
        return min((step for step in steps if step is not None), default=None)

    def may_log(self) -> bool:
        """Whether a hook exists that could log a metric nobody knows of yet."""
        hooks = [name for name in vars(Callback) if name.startswith("on_")]
        watchers = [self._task, *(c for c in self.callbacks if c.logs_metrics)]
        return any(overrides(watcher, name) for watcher in watchers for name in hooks)

    def _of(self, name: str) -> list[tuple[str, Hook]]:
        if name not in self._bound:
            self._bound[name] = list(self._find(name))
        return self._bound[name]

    def _find(self, name: str) -> Iterator[tuple[str, Hook]]:
        def of(callback: Callback) -> tuple[str, Hook]:
            bound = partial(getattr(callback, name), self._trainer, self._task)
            return f"{type(callback).__name__}.{name}", self._guard(callback, bound)

        outer = [c for c in self.callbacks if c.changes_weights]
        first = [c for c in self.callbacks if not (c.runs_after_task or c.changes_weights)]
        last = [c for c in self.callbacks if c.runs_after_task and not c.changes_weights]
        if name == "on_validation_end":
            last += outer
        else:
            first = outer + first
        yield from (of(callback) for callback in first if overrides(callback, name))
        if hasattr(self._task, name):
            yield f"{type(self._task).__name__}.{name}", getattr(self._task, name)
        yield from (of(callback) for callback in last if overrides(callback, name))
