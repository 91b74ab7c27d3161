"""ModelCheckpoint: writes checkpoints while training runs, and keeps the best."""

from __future__ import annotations

import logging
import os
import shutil
import time
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.callbacks.top_k import TopK
from lightning_tf.exceptions import ConfigurationError, nearest

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

SUFFIX = ".ckpt"
POSITION_NAMES = ("epoch", "step")  # what a filename may hold beside metrics


class ModelCheckpoint(CheckpointCallback):
    """Writes checkpoints and keeps the best `save_top_k` of them.

    A checkpoint is a directory. It is written where the trigger says: every n updates, every so
    much time, or every n epochs (the default, every epoch). A monitored metric is used only when it
    was measured on the very weights that are written: a trigger between two validations waits for
    the next one.

    Args:
        dirpath: The folder; ``checkpoints`` in the first logger's folder where it is None.
        filename: A template such as ``"{epoch}-{val_loss:.3f}"``; ``{epoch}-{step}`` where None.
        monitor: A metric such as ``val_loss``; None keeps the newest.
        verbose: Say what is written.
        save_last: True also writes ``last.ckpt`` at every trigger; ``"link"`` makes it a symbolic
            link where the same checkpoint was just written.
        save_top_k: How many to keep: -1 all, 0 none. Without a monitor only -1, 0 and 1.
        mode: ``min`` or ``max``.
        auto_insert_metric_name: Write ``val_loss=0.123`` instead of ``0.123``.
        every_n_train_steps: Updates between two triggers.
        train_time_interval: Time between two triggers.
        every_n_epochs: Epochs between two triggers.
        save_on_train_epoch_end: True triggers epochs at their end, False after validation; None
            chooses the epoch's end where validation runs once in each epoch, or not at all.
        save_on_exception: Also write one when training fails.
        save_weights_only: Leave out what only training needs.
        enable_version_counter: Append ``-v1`` where the name is taken; otherwise replace.

    Raises:
        ConfigurationError: Arguments that do not fit together; and, before training, a monitor or
            a name in `filename` that nothing logs.

    Attributes:
        best_model_path: The best checkpoint, empty before the first.
        best_model_score: Its score, or None.
        last_model_path: ``last.ckpt``, empty without `save_last`.
        best_k_models: Paths and scores of those that are kept.

    Example:
        >>> best = ModelCheckpoint(monitor="val_loss", save_top_k=3, save_last=True)
        >>> trainer = Trainer(max_epochs=10, callbacks=[best])
        >>> trainer.fit(task)
        >>> trainer.test(task, ckpt_path="best")
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        monitor: str | None = None,
        verbose: bool = False,
        save_last: bool | str | None = None,
        save_top_k: int = 1,
        mode: str = "min",
        auto_insert_metric_name: bool = True,
        every_n_train_steps: int | None = None,
        train_time_interval: timedelta | None = None,
        every_n_epochs: int | None = None,
        save_on_train_epoch_end: bool | None = None,
        save_on_exception: bool = False,
        save_weights_only: bool = False,
        enable_version_counter: bool = True,
    ) -> None:
        self.dirpath = None if dirpath is None else os.fspath(dirpath)
        self.filename = "{epoch}-{step}" if filename is None else filename
        self.monitor, self.mode, self.verbose = monitor, mode, verbose
        self.save_last, self.save_top_k = save_last, save_top_k
        self.auto_insert_metric_name = auto_insert_metric_name
        self.train_time_interval = train_time_interval
        self.save_on_train_epoch_end = save_on_train_epoch_end
        self.save_on_exception, self.save_weights_only = save_on_exception, save_weights_only
        self.enable_version_counter = enable_version_counter
        self.every_n_steps = every_n_train_steps
        triggers = (every_n_train_steps, train_time_interval, every_n_epochs)
        self.every_n_epochs = 1 if triggers == (None, None, None) else every_n_epochs or 0
        self._check(triggers)
        self.last_model_path = ""
        self._top = TopK(save_top_k, mode)
        self._newest = ""
        self._saved_step = -1
        self._waiting = False
        self._at_epoch_end: bool | None = None
        self._last_time = time.monotonic()
        self._warned = False

    def _check(self, triggers: tuple[Any, ...]) -> None:
        if self.mode not in ("min", "max"):
            raise ConfigurationError(f"mode={self.mode!r}.{nearest(self.mode, ('min', 'max'))}")
        if sum(trigger is not None for trigger in triggers) > 1:
            raise ConfigurationError(
                "every_n_train_steps, train_time_interval and every_n_epochs exclude each other; "
                f"got {triggers}."
            )
        if any(isinstance(trigger, int) and trigger < 0 for trigger in triggers):
            raise ConfigurationError(f"a trigger is negative: {triggers}; give at least 1.")
        if self.save_last not in (None, True, False, "link"):
            raise ConfigurationError(f"save_last={self.save_last!r}; give True, False or 'link'.")
        if self.save_top_k < -1 or (self.monitor is None and self.save_top_k > 1):
            raise ConfigurationError(
                f"save_top_k={self.save_top_k} with monitor={self.monitor!r}: give -1, 0 or 1, or "
                "a monitor to choose the best by."
            )

    # ---- what there is

    @property
    def best_k_models(self) -> dict[str, float]:
        """Paths and scores of the checkpoints that are kept; without a monitor there are none."""
        return dict(self._top.scores)

    @property
    def best_model_path(self) -> str:
        """The best checkpoint, or the newest without a monitor; empty before the first."""
        return self._top.best if self.monitor else self._newest

    @property
    def best_model_score(self) -> float | None:
        """The score of the best checkpoint."""
        return self._top.scores.get(self._top.best)

    @property
    def kth_best_model_path(self) -> str:
        """The worst of those that are kept."""
        return self._top.worst

    @property
    def state_key(self) -> str:
        """Several of a kind differ in what they monitor and when they trigger."""
        return (
            f"ModelCheckpoint(monitor={self.monitor!r}, mode={self.mode!r}, "
            f"steps={self.every_n_steps}, epochs={self.every_n_epochs}, "
            f"time={self.train_time_interval})"
        )

    def state_dict(self) -> dict[str, Any]:
        """The bookkeeping of checkpoints."""
        return {
            "scores": self._top.scores,
            "newest": self._newest,
            "last_model_path": self.last_model_path,
            "saved_step": self._saved_step,
            "dirpath": self.dirpath,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the bookkeeping back; of checkpoints in another folder, none is deleted."""
        self._saved_step = state["saved_step"]
        if state["dirpath"] == self.dirpath:
            self._top.scores = dict(state["scores"])
            self._newest, self.last_model_path = state["newest"], state["last_model_path"]

    # ---- when

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Decide on the folder; nothing is made before the first checkpoint."""
        if stage == "fit" and self.dirpath is None:
            self.dirpath = os.path.join(trainer.log_dir or trainer.default_root_dir, "checkpoints")

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse names that nothing will log, before training."""
        self._last_time = time.monotonic()
        self._at_epoch_end = self.save_on_train_epoch_end
        if self._at_epoch_end is None:
            once = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
            self._at_epoch_end = once or trainer.num_val_batches == 0
        names, complete = trainer.metric_names()
        if complete:
            self._check_names(names)

    def _check_names(self, names: set[str]) -> None:
        if self.monitor is not None and self.monitor not in names:
            raise ConfigurationError(
                f"ModelCheckpoint(monitor={self.monitor!r}): nothing logs it."
                f"{nearest(self.monitor, names)}"
            )
        for field in self._fields():
            if field not in (*POSITION_NAMES, *names):
                raise ConfigurationError(
                    f"ModelCheckpoint(filename={self.filename!r}): nothing logs {field!r}."
                    f"{nearest(field, (*POSITION_NAMES, *names))}"
                )

    def _fields(self) -> list[str]:
        return [field for _, field, _, _ in Formatter().parse(self.filename) if field]

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Triggers by updates and by time."""
        interval = self.train_time_interval
        if interval is not None:
            due = time.monotonic() - self._last_time >= interval.total_seconds()
        else:
            due = self.is_due(trainer)
        if due or self._waiting:
            self._save_or_wait(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """What waited for a fresh metric, and triggers by epochs that fall on validation."""
        if trainer.sanity_checking or trainer.entry_point != "fit":
            return
        by_epoch = self._epoch_is_due(trainer) and not self._at_epoch_end
        if self._waiting or by_epoch:
            self._save_or_wait(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Triggers by epochs."""
        if self._epoch_is_due(trainer) and self._at_epoch_end:
            self._save_or_wait(trainer)

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Write what there is, where that was asked for and training had begun."""
        if self.save_on_exception and trainer.stage == "train" and trainer.global_step > 0:
            path = self._path(trainer, {})
            trainer.save_checkpoint(path, weights_only=self.save_weights_only)
            log.info("checkpoint of the failed run: %s", path)

    def _epoch_is_due(self, trainer: Trainer) -> bool:
        return bool(self.every_n_epochs) and (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _save_or_wait(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run or trainer.global_step == self._saved_step:
            return
        if self.monitor is not None and not self._is_fresh(trainer):
            self._waiting = True
            return
        self._waiting = False
        self._last_time = time.monotonic()
        try:
            self._save(trainer)
            self._saved_step = trainer.global_step
        except OSError as error:
            if not self._warned:
                log.warning("a checkpoint could not be written, older ones stay: %s", error)
            self._warned = True

    def _is_fresh(self, trainer: Trainer) -> bool:
        """Whether the monitored metric was measured on the weights that would be written."""
        if self.monitor not in trainer.callback_metrics:
            names, _ = trainer.metric_names()
            if self.monitor not in names and trainer.validation_due is False:
                self._check_names(names)
        waits_for_validation = trainer.validation_due and str(self.monitor).startswith("val_")
        measured = trainer.metric_steps.get(str(self.monitor))
        return measured == trainer.global_step and not waits_for_validation

    # ---- what

    def _save(self, trainer: Trainer) -> None:
        metrics = dict(trainer.callback_metrics)
        written = ""
        if self.monitor is None:
            if self.save_top_k != 0:
                written = self._write(trainer, self._path(trainer, metrics))
                if self.save_top_k == 1:
                    self._remove(trainer, self._newest, keep=written)
                self._newest = written
            self._write_last(trainer, written)
            return
        score = metrics[self.monitor]
        dropped: list[str] = []
        if self._top.would_keep(score):
            written = self._write(trainer, self._path(trainer, metrics))
            dropped = self._top.add(written, score)
        self._write_last(trainer, written)
        for path in dropped:  # after last.ckpt has moved on, which may have linked to one of them
            self._remove(trainer, path, keep=written)

    def _write(self, trainer: Trainer, path: str) -> str:
        trainer.save_checkpoint(path, weights_only=self.save_weights_only)
        if self.verbose:
            log.info("checkpoint at update %d: %s", trainer.global_step, path)
        return path

    def _write_last(self, trainer: Trainer, written: str) -> None:
        if not self.save_last:
            return
        last = os.path.join(str(self.dirpath), f"last{SUFFIX}")
        if not (self.save_last == "link" and written and _link(written, last)):
            trainer.save_checkpoint(last, weights_only=self.save_weights_only)
        self.last_model_path = last

    def _remove(self, trainer: Trainer, path: str, keep: str) -> None:
        """Delete a checkpoint of its own: inside its folder, and not the one resumed from."""
        resumed_from = trainer.ckpt_path and os.path.realpath(trainer.ckpt_path)
        if not path or path == keep or os.path.realpath(path) == resumed_from:
            return
        if Path(path).parent == Path(str(self.dirpath)):
            shutil.rmtree(path, ignore_errors=True)

    def _path(self, trainer: Trainer, metrics: dict[str, float]) -> str:
        values = {**metrics, "epoch": trainer.current_epoch, "step": trainer.global_step}
        name = ""
        for literal, field, form, _ in Formatter().parse(self.filename):
            name += literal
            if field:
                value = format(values[field], form or "") if field in values else "none"
                name += f"{field}={value}" if self.auto_insert_metric_name else value
        name = name.replace("/", "_").replace(os.sep, "_")
        path = Path(str(self.dirpath)) / f"{name}{SUFFIX}"
        version = 1
        while self.enable_version_counter and path.exists():
            path = path.with_name(f"{name}-v{version}{SUFFIX}")
            version += 1
        return str(path)


def _link(target: str, link: str) -> bool:
    """Point a relative symbolic link at a checkpoint; False where the file system has none."""
    beside = f"{link}.{os.getpid()}.part"
    try:
        os.symlink(os.path.relpath(target, os.path.dirname(link)), beside)
        if os.path.isdir(link) and not os.path.islink(link):
            shutil.rmtree(link)
        os.replace(beside, link)
    except OSError:
        return False
    return True
