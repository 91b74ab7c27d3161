"""Hooks: calls a hook on everything that has one, in the one order that all hooks keep."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import END_EPOCH, Callback, CheckpointCallback
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

Hook = Callable[..., Any]
Call = tuple[Any, str, Hook]  # the callback or task, the label of its hook, what to call

# Hooks after whose values no monitor of a fit looks.
NOT_IN_TRAINING = ("on_exception", "on_test", "on_predict", "on_fit_end")


def overrides(watcher: object, name: str) -> bool:
    """Return whether a callback or a task has a hook of its own.

    Args:
        watcher: A callback or a task.
        name: Of the hook.
    """
    method = getattr(watcher, name, None)
    inherited = getattr(Callback, name, None)
    return method is not None and getattr(method, "__func__", method) is not inherited


def _ends_epoch(label: str, answer: Any) -> bool:
    if answer is False or answer is True or answer != END_EPOCH:
        raise ConfigurationError(
            f"{label} returned {answer!r}; return lightning_tf.END_EPOCH to end the epoch before "
            "the batch, or nothing."
        )
    return True


class Hooks:
    """Calls a hook on everything that has one: callbacks and the task.

    Args:
        trainer: Passed to every callback.
        task: Passed to every callback; its own hooks take neither.
        callbacks: In the order in which they were given.
        region: Gives the profiler's block around a call.
        guard: Wraps the hook of a callback whose failure must not end the run (a logger's).

    Attributes:
        running: Whose hook runs, and its label; None outside of hooks.
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
        # Checkpoints hold what every other callback did at that point.
        self._callbacks = sorted(callbacks, key=lambda c: isinstance(c, CheckpointCallback))
        # Asked before every window, so those that never end one are left out.
        self._wakers = [c for c in self._callbacks if c.every_n_steps or overrides(c, "next_step")]
        self.running: tuple[Any, str] | None = None
        self._calls: dict[str, list[Call]] = {}
        self._batch_watched: dict[str, bool] = {}

    def __call__(self, name: str, *args: Any) -> bool:
        """Call one hook everywhere; who does not override it costs nothing.

        Returns:
            Whether somebody ends the epoch.

        Raises:
            ConfigurationError: A hook returned what nothing looks at.
        """
        outer = self.running  # a hook may begin another: a row is logged in one
        ends_epoch = False
        for watcher, label, hook in self._calls_of(name):
            self.running = watcher, label
            try:
                with self._region(label):
                    answer = hook(*args)
            finally:
                self.running = outer
            if answer is not None and name == "on_train_batch_start":
                ends_epoch |= _ends_epoch(label, answer)
        return ends_epoch

    def on_exception(self, exception: BaseException) -> None:
        """Call `on_exception` everywhere, also where one of them fails in its turn."""
        for _, label, hook in self._calls_of("on_exception"):
            try:
                hook(exception)
            except Exception:
                log.exception("%s failed too; the first error is raised", label)

    def has(self, name: str) -> bool:
        """Return whether anybody overrides a hook."""
        return bool(self._calls_of(name))

    def watches_batches(self, stage: str) -> bool:
        """Return whether anybody overrides a per-batch hook of a stage.

        Args:
            stage: As in the names of hooks: train, validation, test or predict.
        """
        if stage not in self._batch_watched:
            names = (f"on_{stage}_batch_start", f"on_{stage}_batch_end")
            watchers = (*self._callbacks, self._task)
            watched = any(overrides(watcher, name) for watcher in watchers for name in names)
            self._batch_watched[stage] = watched
            if watched and stage == "train":
                log.info("a callback or the task watches every batch: windows of one batch.")
        return self._batch_watched[stage]

    def reads_batches(self, stage: str) -> bool:
        """Return whether anybody's hook takes the batches of a stage, at their end."""
        name = f"on_{stage}_batch_end"
        return any(getattr(owner, "reads_batches", True) for owner, _, _ in self._calls_of(name))

    def next_step(self) -> int | None:
        """Return the nearest `global_step` at which a callback must be awake."""
        steps = [callback.next_step(self._trainer) for callback in self._wakers]
        return min((step for step in steps if step is not None), default=None)

    def may_log(self) -> bool:
        """Return whether a hook of fit exists that could log a metric nobody has declared."""
        names = [name for name in vars(Callback) if name.startswith("on_")]
        names = [name for name in names if not name.startswith(NOT_IN_TRAINING)]
        watchers = [w for w, logs in self._logging() if logs is True]
        return any(overrides(watcher, name) for watcher in watchers for name in names)

    def declared_names(self) -> set[str]:
        """Return the names that callbacks and the task say they will log."""
        declared = [logs for _, logs in self._logging() if not isinstance(logs, bool)]
        return {name for logs in declared for name in ((logs,) if isinstance(logs, str) else logs)}

    def _logging(self) -> list[tuple[Task | Callback, bool | Collection[str]]]:
        """Return the task and the callbacks, each with what it says of its names."""
        watchers: list[Task | Callback] = [self._task, *self._callbacks]
        return [(watcher, watcher.logs_metrics) for watcher in watchers]

    def _calls_of(self, name: str) -> list[Call]:
        """Return what to call for a hook, in order; found once."""
        if name not in self._calls:
            before, after = self._around_task(name)
            calls = [self._bind(callback, name) for callback in before]
            if hasattr(self._task, name):
                label = f"{type(self._task).__name__}.{name}"
                calls.append((self._task, label, getattr(self._task, name)))
            self._calls[name] = calls + [self._bind(callback, name) for callback in after]
        return self._calls[name]

    def _around_task(self, name: str) -> tuple[list[Callback], list[Callback]]:
        """Return the callbacks that run before and after the task's own hook.

        The order: callbacks that change weights, the others as given, the task, those that run
        after it, and of these the ones that write checkpoints last. At `on_validation_end` alone
        those that change weights come after all others, checkpoints too; at `on_train_end` those
        that write checkpoints come first.
        """
        overriding = [c for c in self._callbacks if overrides(c, name)]
        outer = [c for c in overriding if c.changes_weights]
        inner = [c for c in overriding if not c.changes_weights]

        # The task logs what some callbacks judge (a stopper, a checkpoint): they come after it.
        before = [c for c in inner if not c.runs_after_task]
        after = [c for c in inner if c.runs_after_task]

        # What others do at the end of a fit, such as putting the best weights into the task, is
        # no part of the run that a checkpoint goes on with.
        if name == "on_train_end":
            saving = [c for c in outer + before + after if isinstance(c, CheckpointCallback)]
            rest = [c for c in outer + before if c not in saving]
            return saving + rest, [c for c in after if c not in saving]

        # Weights that a callback swaps in stand before anybody looks, and until all have looked.
        if name == "on_validation_end":
            return before, after + outer
        return outer + before, after

    def _bind(self, callback: Callback, name: str) -> Call:
        hook = partial(getattr(callback, name), self._trainer, self._task)
        return callback, f"{type(callback).__name__}.{name}", self._guard(callback, hook)
