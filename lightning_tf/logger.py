"""Logger: a callback that receives metrics, images, tables, texts and files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.callback import Callback, CheckpointCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hooks import Hook
from lightning_tf.stage import row_name

if TYPE_CHECKING:
    from lightning_tf.run.progress import Progress
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class Logger(Callback):
    """Base class of loggers; every method does nothing by default.

    The Trainer calls the methods below on every logger. A logger that fails is warned about once
    and never ends a run, so an implementation raises freely.

    Rows carry names such as ``train/loss``, ``train/loss_epoch``, ``val/loss``, ``test/loss`` and
    always ``epoch``; `step` is the number of updates done (`trainer.global_step`).

    Example:
        >>> class PrintLogger(Logger):
        ...     def log_metrics(self, metrics, step):
        ...         print(step, metrics)
    """

    logs_metrics = False

    @property
    def name(self) -> str:
        """Return what a user calls this logger."""
        return type(self).__name__

    @property
    def log_dir(self) -> str | None:
        """Return the folder that this logger writes to, or None."""
        return None

    @property
    def run_id(self) -> str | None:
        """Return the id in a checkpoint, with which a resumed run goes on in the same record."""
        return None

    def continue_run(self, run_id: str) -> None:
        """Go on with a run of an earlier process; called before `setup` where fit resumes."""

    def join_group(self, group: str, name: str) -> None:
        """Have the run stand in a group of runs, such as the folds of a cross-validation.

        Called before `setup`; what the user has said stays.

        Args:
            group: Of the runs.
            name: Of this one in it.
        """

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Return the folders of this logger's runs on the disk, also of earlier processes."""
        return []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Take a row of numbers."""

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Take the task's hyperparameters and the Trainer's settings, once per entry point."""

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Take images, and what is marked in them.

        Args:
            name: What they show.
            images: uint8 in [0, 255] or float in [0, 1], shape (n, height, width, 1 or 3).
            step: Updates done.
            captions: One for each.
            masks: One for each, sets by name: ``{"truth": {"mask_data": integers of (height,
                width), "class_labels": {1: "road"}}, "prediction": {...}}``, as W&B has them.
            boxes: One for each, sets by name: ``{"truth": {"box_data": [{"position": {"minX": 0.1,
                "minY": 0.2, "maxX": 0.5, "maxY": 0.6}, "class_id": 1}], "class_labels": {...}}}``,
                as W&B has them: fractions of the image, or with ``"domain": "pixel"`` pixels;
                ``{"middle": [x, y], "width": w, "height": h}`` does, too.
        """

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Take a table."""

    def log_text(self, name: str, text: str, step: int) -> None:
        """Take plain text."""

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Take a matplotlib figure."""

    def log_file(self, name: str, path: str, step: int) -> None:
        """Take a file that stays where it is."""

    def after_save_checkpoint(self, callback: CheckpointCallback) -> None:
        """Take note that a checkpoint stands on the disk; the callback's paths name it.

        Called on the main thread, some windows after the update that the checkpoint is of, and at
        the latest before the callback writes, deletes or replaces another one.
        """

    def save(self) -> None:
        """Write to the disk what is kept in memory; called before every checkpoint.

        A run that is resumed from it measures only later rows again.
        """

    def finalize(self, status: str) -> None:
        """Close; status is success, failed or interrupted."""


class LoggerGroup:
    """Several loggers as one; a logger that fails never ends a run.

    It is warned about once for each method and kind of error, and left out of a run that it could
    not set up.

    Args:
        loggers: All that get everything.
    """

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self.loggers = list(loggers)
        self._warned: set[tuple[int, str, type[Exception]]] = set()
        self._left_out: set[int] = set()  # until they are set up again

    def send(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Call one of Logger's methods on every logger."""
        for logger in self.loggers:
            self.guard(logger, partial(getattr(logger, method), **kwargs))(*args)

    def guard(self, callback: Callback, method: Hook) -> Hook:
        """Wrap a method so that it does not raise, where the callback is a logger.

        Args:
            callback: Whose method it is; that of any other callback stays as it is.
            method: A partial of a bound method, which names it in the warning.
        """
        if not isinstance(callback, Logger):
            return method

        # A record that cannot be written is no reason to lose what is trained.
        name = getattr(method, "func", method).__name__

        def call(*args: Any) -> None:
            if name == "setup":
                self._left_out.discard(id(callback))
            if id(callback) in self._left_out:
                return
            try:
                method(*args)
            except ConfigurationError:
                raise  # a mistake in the logger's own arguments, found before training
            except Exception as error:
                self._warn(callback, name, error)
                if name == "setup":
                    self._left_out.add(id(callback))

        return call

    def _warn(self, logger: Logger, method: str, error: Exception) -> None:
        failure = (id(logger), method, type(error))
        if failure in self._warned:
            return
        self._warned.add(failure)
        log.warning(
            "%s.%s failed and the run goes on%s; later failures of this kind are not reported: "
            "%s: %s",
            logger.name,
            method,
            " without this logger" if method == "setup" else "",
            type(error).__name__,
            error,
        )


class Records:
    """The latest value of every metric, when it was measured, and rows for the loggers.

    Users see Keras' names (``val_loss``); loggers get ``val/loss``, and ``epoch`` in every row.

    Args:
        loggers: All that get rows.
        progress: Gives the step and the epoch of a row.

    Attributes:
        latest: The latest value of every metric.
        recent: Those that were measured since an evaluation began.
        steps: The update at which each was measured.
    """

    def __init__(self, loggers: Sequence[Logger], progress: Callable[[], Progress]) -> None:
        self.loggers = LoggerGroup(loggers)
        self.latest: dict[str, float] = {}
        self.recent: dict[str, float] = {}
        self.steps: dict[str, int] = {}
        self._progress = progress

    def clear(self) -> None:
        """Forget the values of the task before."""
        self.latest.clear()
        self.steps.clear()

    def restore(self, latest: Mapping[str, float], steps: Mapping[str, int]) -> None:
        """Take the values that a checkpoint holds."""
        self.latest.update(latest)
        self.steps.update(steps)

    def forget_recent(self) -> None:
        """Begin `recent` anew."""
        self.recent.clear()

    def remember(self, values: dict[str, float]) -> None:
        """Make values the latest ones, without a row."""
        self.latest.update(values)
        self.recent.update(values)
        self.steps.update(dict.fromkeys(values, self._progress().global_step))

    def row(self, values: dict[str, float]) -> None:
        """Send a row under the loggers' names."""
        if values:
            progress = self._progress()
            row = {row_name(name): value for name, value in values.items()}
            self.loggers.send("log_metrics", {**row, "epoch": progress.epoch}, progress.global_step)

    def send(self, method: str, name: str, *args: Any, **kwargs: Any) -> None:
        """Send an image, a table, a text, a figure or a file, with the step."""
        self.loggers.send(method, name, *args, step=self._progress().global_step, **kwargs)
