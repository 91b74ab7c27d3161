"""ModelCheckpoint: writes checkpoints while training runs, and keeps the best."""

import logging
import os
import time
import weakref
from datetime import timedelta
from typing import Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.callbacks.checkpointing.checkpoint_manager import (
    CheckpointManager,
    with_local_paths,
)
from lightning_tf.callbacks.checkpointing.disk_space import missing_room
from lightning_tf.callbacks.checkpointing.file_name_template import FileNameTemplate
from lightning_tf.callbacks.checkpointing.top_k import TopK
from lightning_tf.callbacks.common.monitor_callback import DECLARE, MODES
from lightning_tf.checks import checked_choice, checked_integer, checked_path, why_unwritable
from lightning_tf.exceptions import (
    CheckpointError,
    ConfigurationError,
    NonFiniteLossError,
    TerminationRequested,
    nearest,
)
from lightning_tf.run.run_state import snapshot_bytes
from lightning_tf.stage import VALIDATE, split_metric
from lightning_tf.storage.location import on_this_disk, portable
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

DEFAULT_NAME, EXCEPTION_NAME = "{epoch}-{step}", "exception-{epoch}-{step}"
DIRECTORY = "checkpoints"
POSITIONS = ("epoch", "step")  # what can be monitored besides metrics
TERMINATION_NAME = "termination-{epoch}-{step}"


class ModelCheckpoint(CheckpointCallback):
    """Writes checkpoints and keeps the best `save_top_k` of them.

    A checkpoint is a directory. It is due every n updates, every so much time, or every n epochs
    (by default every epoch). A metric, as the monitor or in a name, is used only where it was
    measured on the very weights that are written: a checkpoint that is due between two measurements
    waits for the next one. Nothing is written twice at one update, in a sanity check or under
    `fast_dev_run`. The callback deletes only checkpoints that it wrote, in its folder, and never
    the one that the run was resumed from or one that another ModelCheckpoint keeps. Where two of
    them would write one name in one folder, the second one gets ``-v1``.

    Training waits for the copy to host memory only; the disk is written in the background, one
    checkpoint at a time. If the disk refuses, the callback warns, older checkpoints stay and the
    run goes on, until `max_save_failures` in a row have failed: what is trained from then on would
    be lost. A disk without room for one checkpoint is refused before the first epoch.

    On SIGTERM it writes one more, as ``termination-...``, which the next one replaces.

    Args:
        dirpath: The folder; ``checkpoints`` in the first logger's folder, or in `default_root_dir`,
            where it is None.
        filename: A template such as ``"{epoch}-{val_loss:.3f}"``; ``{epoch}-{step}`` where None.
        monitor: A metric such as ``val_loss``, or ``epoch`` or ``step``; None keeps the newest.
        verbose: Print what is written.
        save_last: True also writes ``last.ckpt`` whenever one is due and at the end of fit;
            ``"link"`` makes it a symbolic link where the same checkpoint was just written among the
            best.
        save_top_k: How many to keep: -1 all, 0 none. Without a monitor only -1, 0 and 1.
        mode: ``min`` or ``max``.
        auto_insert_metric_name: Write ``val_loss=0.123`` instead of ``0.123``.
        every_n_train_steps: Due every so many updates.
        train_time_interval: Due whenever so much time has passed.
        every_n_epochs: Due every so many epochs; 0 switches that off.
        save_on_train_epoch_end: An epoch's checkpoint is due at its end (True) or after each of its
            validations (False); None takes the end where validation runs once in every epoch or
            never, else validations, and also the end where no ``val_`` metric is needed.
        save_on_exception: Also write ``exception-...`` when training fails, Ctrl-C included; not
            with several workers, of which one may fail alone.
        save_weights_only: Leave out what only training needs.
        enable_version_counter: Append ``-v1`` where a name is taken; otherwise replace.
        max_save_failures: After how many checkpoints in a row that could not be written fit ends;
            None goes on whatever happens.

    Raises:
        ConfigurationError: Arguments that do not fit together; and a monitor or a name in
            `filename` that nothing logs, before training where that can be known.
        CheckpointError: `max_save_failures` in a row, or at the end of fit the newest one, could
            not be written.

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
        max_save_failures: int | None = 3,
    ) -> None:
        self.mode = checked_choice("ModelCheckpoint: mode", mode, MODES)
        _check_selection(monitor, save_last, save_top_k)
        _check_triggers(every_n_train_steps, train_time_interval, every_n_epochs)

        self.dirpath = (
            None
            if dirpath is None
            else os.path.abspath(checked_path("ModelCheckpoint: dirpath", dirpath))
        )
        self.monitor, self.verbose = monitor, verbose
        self.save_last, self.save_top_k = save_last, save_top_k
        self.every_n_steps = every_n_train_steps
        self.train_time_interval = train_time_interval

        if (every_n_train_steps, train_time_interval, every_n_epochs) == (None, None, None):
            every_n_epochs = 1
        self.every_n_epochs = every_n_epochs or 0
        self.save_on_train_epoch_end = save_on_train_epoch_end

        self.save_on_exception, self.save_weights_only = save_on_exception, save_weights_only
        self.enable_version_counter = enable_version_counter
        if max_save_failures is not None:
            checked_integer("ModelCheckpoint: max_save_failures", max_save_failures, 1)
        self.max_save_failures = max_save_failures

        self._template = FileNameTemplate(filename or DEFAULT_NAME, auto_insert_metric_name)
        self._needed = self._template.metrics | ({monitor} if monitor else set())
        self._needed -= set(POSITIONS)
        self._has_dirpath = dirpath is not None
        self._task: weakref.ref[Task] | None = None
        self._restored: dict[str, Any] = {}
        self._begin()

    def _begin(self) -> None:
        """Forget all checkpoints, as for a run of another task."""
        # Without a monitor the score is the step: the newest checkpoint is the best.
        self._manager = CheckpointManager(
            TopK(self.save_top_k, self.mode if self.monitor else "max"),
            save_last=self.save_last,
            versioned=self.enable_version_counter,
            weights_only=self.save_weights_only,
        )

        self._is_waiting = self._is_training = self._was_validated = False
        self._at_epoch_end = self._at_validation = False
        self._interval_began = 0.0
        self._reported_count = 0  # checkpoints that the loggers know of
        self._scores: dict[str, float] = {}
        self._tried_step = -1

    # ---- what there is

    @property
    def best_k_models(self) -> dict[str, float]:
        """Return paths and scores of the best checkpoints; empty without a monitor."""
        return dict(self._manager.top.scores) if self.monitor else {}

    @property
    def best_model_path(self) -> str:
        """Return the best checkpoint, or the newest without a monitor; empty before the first."""
        return self._manager.best[0]

    @property
    def best_model_score(self) -> float | None:
        """Return the score of the best checkpoint; None without a monitor."""
        return self._manager.best[1] if self.monitor else None

    @property
    def kth_best_model_path(self) -> str:
        """Return the worst of the best checkpoints."""
        return self._manager.top.worst

    @property
    def last_model_path(self) -> str:
        """Return ``last.ckpt`` with `save_last`, else the newest; empty before the first."""
        return self._manager.last_path

    def score_of(self, path: str) -> float | None:
        """Return the monitor's value for a checkpoint that it wrote; None where it has none."""
        scores = {**self._scores, **self._manager.top.scores}
        return scores.get(path) if self.monitor else None

    def holds(self, path: str) -> bool:
        """Return whether it keeps a checkpoint: another callback must not delete it."""
        restored = self._restored  # until `on_fit_start`
        known = (*restored.get("scores", ()), restored.get("last_model_path"))
        return self._manager.holds(path) or path in known

    @property
    def state_key(self) -> str:
        """Return a key that differs by what is monitored and when checkpoints are due."""
        return (
            f"ModelCheckpoint(monitor={self.monitor!r}, mode={self.mode!r}, "
            f"steps={self.every_n_steps}, epochs={self.every_n_epochs}, "
            f"time={self.train_time_interval})"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the records, with the checkpoint that is being written."""
        return self._manager.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep the records until `on_fit_start` knows the folder of this run."""
        self._restored = with_local_paths(state)

    def folders(self, trainer: Trainer) -> list[str]:
        """Return `dirpath`, or the folders that it stands for in every run of the loggers."""
        if self._has_dirpath:
            return [str(self.dirpath)]
        runs = [folder for logger in trainer.loggers for folder in logger.run_folders(trainer)]
        return [os.path.join(run, DIRECTORY) for run in (*runs, trainer.default_root_dir)]

    # ---- when

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Choose the folder; the first checkpoint makes it."""
        if self._task is not None and self._task() is not task:
            self._begin()
        self._task = weakref.ref(task)

        if not self._has_dirpath:
            parent = trainer.log_dir or trainer.default_root_dir
            self.dirpath = os.path.abspath(os.path.join(parent, DIRECTORY))
        # A logger of another worker may name another folder: the chief's counts.
        self.dirpath = on_this_disk(trainer.workers.broadcast(portable(str(self.dirpath))))
        self._refuse_unwritable(trainer)

        resumed_from = trainer.ckpt_path if trainer.resumed else None
        others = [c for c in trainer.callbacks if isinstance(c, ModelCheckpoint) and c is not self]
        self._manager.open(
            str(self.dirpath),
            resumed_from,
            writer=self.state_key,
            writes=trainer.is_global_zero,
            is_held_elsewhere=lambda path: any(other.holds(path) for other in others),
        )
        trainer.workers.of_chief(self._manager.prepare_folder)

        # The records name files of a folder, which is known only now.
        if self._restored:
            self._manager.load_state_dict(self._restored)
            self._restored = {}

    def _refuse_unwritable(self, trainer: Trainer) -> None:
        """Refuse a folder that cannot be made, before anything is trained."""
        if trainer.fast_dev_run:
            return
        reason = why_unwritable(str(self.dirpath)) if trainer.is_global_zero else ""
        reason = trainer.workers.broadcast(reason)
        if reason:
            raise ConfigurationError(
                f"checkpoints cannot be written to {portable(str(self.dirpath))} ({reason}); give "
                "another default_root_dir or dirpath, or enable_checkpointing=False."
            )

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse names that nothing will log, and choose the moment of an epoch's checkpoint."""
        names, complete = trainer.metric_names()
        if complete:
            self._check_names(names)

        # Where validation runs once in each epoch, all of its values are there at the end.
        once = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
        self._at_epoch_end = once or trainer.num_val_batches == 0
        if self.save_on_train_epoch_end is not None:
            self._at_epoch_end = self.save_on_train_epoch_end
        self._at_validation = not self._at_epoch_end

        # A checkpoint that needs no value of validation is due at the epoch's end as well.
        if self.save_on_train_epoch_end is None:
            stages = [split_metric(name)[0] for name in self._needed]
            self._at_epoch_end |= VALIDATE not in stages

        self._check_disk_space(trainer, task)
        self._is_training, self._is_waiting, self._was_validated = True, False, False
        self._interval_began = time.monotonic()

    def _check_disk_space(self, trainer: Trainer, task: Task) -> None:
        """Refuse a disk without room for one checkpoint, on all workers alike."""
        if trainer.fast_dev_run:
            return
        # One more than is kept, as the old one goes when the new one stands.
        count = max(self.save_top_k, 1) + bool(self.save_last) + 1
        size = snapshot_bytes(trainer, task, weights_only=self.save_weights_only)
        problem = trainer.workers.of_chief(lambda: missing_room(str(self.dirpath), size, count))
        if problem and self.max_save_failures is not None:
            raise ConfigurationError(
                f"{problem}: make room, give another default_root_dir or dirpath, or "
                "ModelCheckpoint(max_save_failures=None) to train all the same."
            )
        if problem and trainer.is_global_zero:
            log.warning("%s: none can be written before there is room.", problem)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Save where a trigger by updates or by time is due, or a metric of training has come."""
        self._manager.wait_if_done()
        if trainer.workers.count == 1:  # several know of a failure when they save together
            self._end_after_failures()
        self._notify_loggers(trainer)
        if not (self._is_waiting or self._interval_is_over(trainer) or self.is_due(trainer)):
            return

        if self._needed and trainer.validation_due:
            self._is_waiting = True  # validation measures these weights in a moment
        else:
            self._save_when_fresh(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Save what waits for a metric of validation, and an epoch's checkpoint."""
        if trainer.entry_point == "fit" and not trainer.sanity_checking:
            self._was_validated = True
            # Nothing has moved the weights since: its values are those of what is saved.
            if self._is_waiting or (self._at_validation and self._epoch_is_due(trainer)):
                self._save_when_fresh(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Save an epoch's checkpoint, and what waits for a metric of the epoch."""
        if self._is_waiting or (self._at_epoch_end and self._epoch_is_due(trainer)):
            self._save_when_fresh(trainer)

        # Everything has been measured by now: a metric that is still missing will never come.
        if self._was_validated or trainer.num_val_batches == 0:
            self._check_names(trainer.metric_names()[0])

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Save the end of the run; warn where a needed metric was never measured in time."""
        self._save_end(trainer)
        self._is_training = False
        self._manager.broadcast_records(trainer.workers)
        self._notify_loggers(trainer)

        # Where at least one was written, waiting for a metric is no mistake.
        if self._is_waiting and not self.last_model_path:
            log.warning(
                "%s wrote nothing: none was due where %s had just been measured; log it in "
                "validation, or at the epoch's end.",
                self.state_key,
                ", ".join(sorted(self._needed)),
            )

    def _save_end(self, trainer: Trainer) -> None:
        """Save an epoch's checkpoint where a limit has cut the epoch, and the last one."""
        is_cut = trainer.progress.batch > 0 and not trainer.progress.epoch_ended
        is_due = self._at_epoch_end and self._epoch_is_due(trainer)
        if is_cut and (self._is_waiting or is_due):
            self._save_when_fresh(trainer)

        self._manager.broadcast_records(trainer.workers)
        # Nothing is written twice, nor tried twice on a disk that refuses.
        saved = (0, self._manager.saved_step, self._tried_step)
        if not self.save_last or trainer.fast_dev_run or trainer.global_step in saved:
            return
        if trainer.loss_is_finite():
            path, values = self._manager.save_last_only(trainer), self._values(trainer)
            self._report(trainer, path)
            if self.monitor in values:
                self._scores[path] = values[self.monitor]

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Raise if the newest weights could not be written."""
        # Older failures are warned about; only this one loses what was trained last.
        failure = self._manager.failure
        if failure is not None:
            raise CheckpointError(
                f"the last checkpoint could not be written in {self.dirpath}: {failure}. Make "
                "room, then call trainer.save_checkpoint(path)."
            ) from failure

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Write a checkpoint where that was asked for and the weights are good."""
        was_training, self._is_training = self._is_training, False
        self._manager.wait()
        self._notify_loggers(trainer)

        # A handler of the user's may raise something else on the worker that got the signal.
        terminated = isinstance(exception, TerminationRequested) or trainer.status.ends_together
        # One worker's own error finds the others elsewhere: they cannot copy the run together.
        wanted = terminated or (
            self.save_on_exception
            and not isinstance(exception, NonFiniteLossError)
            and trainer.workers.count == 1
        )
        if not (wanted and was_training) or trainer.fast_dev_run:
            return

        self._manager.broadcast_records(trainer.workers)
        if trainer.global_step not in (0, self._manager.saved_step) and trainer.loss_is_finite():
            template = FileNameTemplate(TERMINATION_NAME if terminated else EXCEPTION_NAME)
            name = self._file_name(trainer, template)
            self._report(trainer, self._manager.save_unranked(trainer, name, interim=terminated))
        self._notify_loggers(trainer)

    def _interval_is_over(self, trainer: Trainer) -> bool:
        if self.train_time_interval is None:
            return False

        passed = time.monotonic() - self._interval_began
        # The chief decides: clocks differ, and a save needs every worker.
        is_over = bool(
            trainer.workers.broadcast(passed >= self.train_time_interval.total_seconds())
        )
        if is_over:
            self._interval_began = time.monotonic()
        return is_over

    def _epoch_is_due(self, trainer: Trainer) -> bool:
        return bool(self.every_n_epochs) and (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _save_when_fresh(self, trainer: Trainer) -> None:
        """Save now, or wait until every needed metric was measured on the present weights."""
        self._manager.broadcast_records(trainer.workers)
        self._end_after_failures()
        step, measured = trainer.global_step, trainer.metric_steps
        if trainer.fast_dev_run or step == self._manager.saved_step:
            self._is_waiting = False
            return

        self._is_waiting = any(measured.get(name) != step for name in self._needed)
        # Where a callback tolerates a bad loss, the weights it left would replace good ones.
        if not self._is_waiting and trainer.loss_is_finite():
            self._save(trainer)

    def _end_after_failures(self) -> None:
        """End a run whose last checkpoints all failed: the next one would fail, too."""
        failures, failure = self._manager.failures, self._manager.failure
        if self.max_save_failures is not None and failures >= self.max_save_failures:
            raise CheckpointError(
                f"{failures} checkpoints in a row could not be written in {self.dirpath}: "
                f"{failure}. Make room and call fit with ckpt_path='last', or give "
                "ModelCheckpoint(max_save_failures=None) to train on without."
            ) from failure

    def _check_names(self, names: set[str]) -> None:
        if self.monitor is not None and self.monitor not in names | set(POSITIONS):
            raise ConfigurationError(
                f"ModelCheckpoint(monitor={self.monitor!r}): nothing logs it."
                f"{nearest(self.monitor, names)}{DECLARE}"
            )
        self._template.check(names)

    # ---- what

    def _save(self, trainer: Trainer) -> None:
        self._tried_step = trainer.global_step
        score = float(self._values(trainer)[self.monitor or "step"])
        name = self._file_name(trainer, self._template)

        self._manager.wait()
        self._notify_loggers(trainer)  # before the next save, which may delete what they want
        path = self._manager.save(trainer, name, score)
        self._report(trainer, path)
        # With save_last the last one is as good, under a name of its own.
        self._scores.update(dict.fromkeys((path, self._manager.newest_path), score))

    def _notify_loggers(self, trainer: Trainer) -> None:
        if self._reported_count != self._manager.count:
            self._reported_count = self._manager.count
            trainer.records.loggers.send("after_save_checkpoint", self)

    def _file_name(self, trainer: Trainer, template: FileNameTemplate) -> str:
        return template.fill(self._values(trainer))

    def _values(self, trainer: Trainer) -> dict[str, float]:
        """Return all metrics, and where the run is."""
        position = dict(zip(POSITIONS, (trainer.current_epoch, trainer.global_step), strict=True))
        return {**trainer.callback_metrics, **position}

    def _report(self, trainer: Trainer, path: str) -> None:
        if self.verbose and path and trainer.is_global_zero:
            print(f"ModelCheckpoint: update {trainer.global_step}: {path}")


def _check_selection(monitor: str | None, save_last: bool | str | None, save_top_k: int) -> None:
    checked_choice("ModelCheckpoint: save_last", save_last, (None, True, False, "link"))
    if save_top_k < -1 or (monitor is None and save_top_k > 1):
        raise ConfigurationError(
            f"ModelCheckpoint(save_top_k={save_top_k!r}, monitor={monitor!r}): give -1, 0 or 1, or "
            "a monitor to choose the best by."
        )


def _check_triggers(steps: int | None, interval: timedelta | None, epochs: int | None) -> None:
    names = ("every_n_train_steps", "train_time_interval", "every_n_epochs")
    triggers = zip(names, (steps, interval, epochs), strict=True)
    active = [f"{name}={value!r}" for name, value in triggers if value]
    if len(active) > 1:
        raise ConfigurationError(f"ModelCheckpoint({', '.join(active)}): give one of them.")
    if min(steps or 0, epochs or 0) < 0 or not isinstance(interval, (timedelta, type(None))):
        raise ConfigurationError(
            f"ModelCheckpoint({active[0]}): give a count of at least 0, or a datetime.timedelta."
        )
