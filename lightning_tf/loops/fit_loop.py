"""FitLoop: epochs and windows; when to log, validate and stop. The host side of training."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

from lightning_tf.data.pipeline.order_digest import order_digest
from lightning_tf.exceptions import DataError
from lightning_tf.graph.training_step import TrainingStep
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.iterator_position import IteratorPosition
from lightning_tf.loops.limits import is_endless, limited
from lightning_tf.loops.make_window import make_window
from lightning_tf.loops.retracing import has_changed
from lightning_tf.loops.stop_conditions import StopConditions
from lightning_tf.loops.training_data import (
    data_of,
    training_dataset,
    training_from,
    whole_pass,
)
from lightning_tf.loops.training_values import TrainingValues
from lightning_tf.loops.validation_schedule import ValidationSchedule
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.loops.worker_agreement import agreed, check_signals
from lightning_tf.stage import TRAIN, VALIDATE
from lightning_tf.variables import frozen_pattern

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.graph.window import Window
    from lightning_tf.loops.evaluation_loop import EvaluationLoop
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class FitLoop:
    """Trains a task.

    The loop::

        while no limit is reached and nobody asked to stop:
            for each window of the epoch:
                count = batches until somebody must be awake
                run `count` batches as one graph call
                write a row, call hooks, validate: where due
            validate, call hooks

    Args:
        trainer: Gives arguments, hooks and loggers.
        task: What is trained.
        training: Optimizers and running values, which outlast this fit.
        validation: The validation loop, or None.

    Attributes:
        values: What training has measured.
        length: Batches of an epoch; None where that is unknown.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        training: TrainingState,
        validation: EvaluationLoop | None,
    ) -> None:
        self.trainer, self.task, self.training = trainer, task, training
        self.validation = validation
        self.progress = trainer.progress
        self.values = TrainingValues(trainer, training)
        self.length: int | None = None
        self._dataset: tf.data.Dataset | None = None  # of this epoch, from its first batch on
        self._window: Window | None = None
        self._told: set[str] = set()
        self._stream: EpochIterator | None = None
        self._position = IteratorPosition(data_of(task))
        self._exits = ExitStack()
        self._traced_for: tuple[Any, tuple[int, ...]] = (None, ())
        self._clock = WindowClock()
        self._began = time.perf_counter()
        self._exhausted = False  # whether the epoch's batches are all done
        self._ended_early = False  # although there are more of them
        self._stop = StopConditions(trainer)
        self._schedule = ValidationSchedule(
            trainer.val_check_interval, trainer.check_val_every_n_epoch
        )

    # ---- set-up

    def prepare(self, dataset: Any) -> tf.data.Dataset:
        """Apply the limits to an epoch's data set and learn its length."""
        dataset, self.length = limited(self.trainer, TRAIN, dataset)
        self._schedule.check(self.length, self.validation is not None)
        return dataset

    @property
    def has_validation(self) -> bool:
        """Whether validation comes in one of the epochs, as far as that is known."""
        if self.validation is None:
            return False
        epoch, batch = self._schedule.first(self.length)
        epochs = epoch + 1 if batch or self.length is None else epoch
        return self.trainer.max_epochs is None or epochs <= self.trainer.max_epochs

    @property
    def validates_in_time(self) -> bool:
        """Whether validation comes before max_steps too: a run may be cut short on purpose."""
        max_steps, accumulation = self.trainer.max_steps, self.trainer.state.accumulation
        if max_steps is None or self.length is None:
            return self.has_validation
        epoch, batch = self._schedule.first(self.length)
        updates = accumulation.updates(self.length, epoch) + batch // accumulation.at(epoch)
        return self.has_validation and updates <= max_steps

    def compile(self, batches: Any) -> None:
        """Trace the step, unless that is done and the same layers and variables train.

        Args:
            batches: The data set or its iterator.
        """
        for optimizer in self.training.optimizers.values():
            optimizer.refresh()
        traced_for = (batches.element_spec, frozen_pattern(self.task))
        if self._window is not None:
            changed = has_changed(self._window, self._told)
            if traced_for == self._traced_for and not changed:
                return
            self.values.read()  # what the windows so far have left on the device

        self._traced_for = traced_for
        self.task.take_metrics(self.training.metrics.metrics)
        with self.trainer.profiler.region(f"tracing {TRAIN.step}"):
            self._window = make_window(
                self.trainer,
                TrainingStep(self.task, self.training.optimizers, self.training.statistics),
                self.training.metrics,
                batches,
                known_length=self.length is not None,
                accumulating=self.trainer.accumulates,
                keeps_last=self.trainer.hooks.watches_batches(TRAIN.hook),
            )
        self.trainer.status.note_names(TRAIN, self._window.givers)
        self.values.follow(self._window)
        self.trainer.state.note_step(self.trainer, self.task, self._window)

    @property
    def window(self) -> Window:
        """The compiled step."""
        if self._window is None:
            raise RuntimeError("compile() comes first")
        return self._window

    @property
    def graph(self) -> tf.Graph | None:
        """The graph of one training step."""
        return self.window.graph

    @property
    def waiting_stops(self) -> list[str]:
        """The stop requests that the minimums do not allow yet."""
        return self._stop.waiting

    @property
    def order(self) -> str | None:
        """A digest of this epoch's order; None before the first, and where workers share data."""
        if self._dataset is None or self.trainer.workers.count > 1:
            return None
        return order_digest(whole_pass(self.trainer, self.task) or self._dataset)

    @property
    def keeps_iterator(self) -> bool:
        """Whether the data want the iterator's state in checkpoints."""
        return self._position.keeps

    def iterator_state(self) -> str | None:
        """Return the state of the epoch's iterator; None where it is not to be kept, or cannot."""
        return self._position.state(self.progress)

    def take_iterator_state(self, epoch: int, batch: int, state: str) -> None:
        """Go on from a state that `iterator_state` returned."""
        self._position.take(epoch, batch, state)

    def names(self) -> set[str]:
        """Return the names that training measures."""
        return set(self.window.measured_names)

    # ---- the loop

    def run(self) -> None:
        """Train until a limit is reached or a stop is granted."""
        self._began = time.perf_counter() - self.progress.seconds
        self.values.begin()
        check_signals(self.trainer)  # tracing may have taken minutes

        # The checkpoint was written between the end of an epoch and the next one's beginning.
        if self.progress.epoch_closed:
            self._begin_next_epoch()

        # Asked before the first epoch too: a Timer may have run out in the run that is resumed.
        with self._exits:
            while not (self._stops() or self._stop.finished()):
                self._run_epoch()
                self._agree()

    def _run_epoch(self) -> None:
        trainer, progress = self.trainer, self.progress
        self._dataset = training_dataset(trainer, self.task, progress.epoch)
        dataset = self.prepare(self._dataset)
        self._exhausted = self.length is not None and progress.batch >= self.length
        self._ended_early = False

        # Noted before the hooks: what they do relative to before must not be done again.
        trainer.status.begin_epoch(resumed=progress.epoch_begun)
        progress.begin_epoch()
        for optimizer in self.training.optimizers.values():
            optimizer.begin_epoch(progress.epoch)
        # The hook may freeze or unfreeze layers: the step is compiled after it.
        trainer.hooks("on_train_epoch_start")
        self.compile(dataset)

        with self._epoch_iterator(dataset) as epoch:
            # A resumed run may stand between a batch and the validation that follows it.
            if not self._exhausted and self._validation_is_due():
                self._validate()
            self._run_windows(epoch)
            if not self._exhausted and self.progress.batch:
                self._position.leave(self.progress)
            # A limit that comes with the last batch cuts nothing, which only the data know.
            if not self._exhausted and self.length is None and self._stream is None:
                more = [int(epoch.has_next())]
                self._exhausted = not trainer.workers.all_gather(more).any()

        # Workers must judge alike what ended the epoch, before they close it.
        self._agree()
        # A limit may be raised: the fit that goes on, or a resumed run, has the epoch's end. One
        # that was asked to stop has it now.
        if self._exhausted or self._stop.is_granted():
            self._close_epoch()
        else:
            self._leave_epoch()

    def _run_windows(self, epoch: EpochIterator) -> None:
        trainer = self.trainer
        single = trainer.workers.count == 1
        while not (self._exhausted or self._stop.out_of_limits()):
            count = 1 if trainer.hooks.watches_batches(TRAIN.hook) else self._next_count()
            count = self._agree(count)
            # Several workers judge a stop together, before a window; one does after it.
            if not single and self._stops():
                break
            self._run_window(epoch, count)
            if single and self._stops(epoch_ends=self._exhausted):
                break

    def _run_window(self, epoch: EpochIterator, count: int) -> None:
        trainer, progress, hooks = self.trainer, self.progress, self.trainer.hooks
        trainer.status.begin_window(progress.global_step)
        ends_epoch = hooks.watches_batches(TRAIN.hook) and hooks(
            "on_train_batch_start", progress.batch
        )
        if self._any_worker(ends_epoch):
            self._end_epoch_early()
            return
        # A hook may have changed a number that the step holds.
        if has_changed(self.window, self._told):
            self.compile(epoch.iterator)

        with trainer.signals.held():  # variables and counters move together
            ran = self._call(epoch, count)
            self._exhausted = ran < count or progress.batch == self.length
            # An interrupt before the epoch's last update would leave it out of the weights.
            if self._exhausted and progress.phase:
                self.window.flush()
                progress.flush()
        if ran == 0 and progress.batch == 0:
            raise DataError(f"{TRAIN.dataset} is empty: it holds no batch.")

        # The row comes first, so that hooks and monitors see the window's values.
        stepped = progress.global_step > trainer.window_start_step
        every = trainer.log_every_n_steps
        if stepped and every and progress.global_step % every == 0:
            trainer.measured(self.values.row())

        last_batch = self.values.last_batch if ran else None
        if last_batch is not None:  # kept only where somebody watches every batch
            hooks("on_train_batch_end", last_batch, progress.batch - 1)

        # Known to the hooks: a checkpoint that is due waits for the validation of these weights.
        trainer.status.expect_validation(self._validation_is_due())
        if ran or stepped:
            hooks("on_train_window_end")

        # After the hooks, which a resumed run does not call again for this window; before
        # validation, which may take long and is made up for.
        check_signals(trainer)

        # At the epoch's end `_close_epoch` validates, when training's values are known.
        if trainer.validation_due and not self._exhausted:
            self._validate()

    def _end_epoch_early(self) -> None:
        """End the epoch before its next batch, as a hook wants."""
        self._exhausted = self._ended_early = True
        if self.progress.phase:
            with self.trainer.signals.held():
                self.window.flush()
                self.progress.flush()

    def _any_worker(self, wish: bool) -> bool:
        """Return whether any worker wishes what hooks of batches can ask for."""
        workers, hooks = self.trainer.workers, self.trainer.hooks
        if workers.count == 1 or not hooks.watches_batches(TRAIN.hook):
            return wish
        return bool(workers.all_gather([int(wish)]).any())

    def _call(self, epoch: EpochIterator, count: int) -> int:
        """Run a window of `count` batches; return how many there were."""
        progress, window = self.progress, self.window
        every = self.trainer.accumulate_grad_batches

        began = time.perf_counter()
        activity = self.trainer.watchdog.activity
        with activity.running(), self.trainer.profiler.region("train windows"):
            result = window(
                epoch.iterator,
                count,
                self.values.carry,
                phase=progress.phase,
                every=every,
                position=progress.position,
            )
            # Where the length is unknown, only the device knows how many batches ran; and where
            # nothing but the time target ended the window, the wait keeps its clock honest.
            if not window.known_length or count == self._clock.count:
                count = int(result.batches)

        now = time.perf_counter()
        self._clock.measured(max(count, 1), now - began)

        self.values.take(result)
        progress.advance(count, every)
        if self.trainer.workers.count == 1:
            progress.spend(now - self._began)
        return count

    def _next_count(self) -> int:
        """Return the batches until somebody must be awake, at least 1."""
        trainer, progress = self.trainer, self.progress
        every = trainer.accumulate_grad_batches

        # In updates: the next row, the next callback that asked for a step, the last step of all.
        rows = trainer.log_every_n_steps
        row = (progress.global_step // rows + 1) * rows if rows else None
        steps = [row, trainer.hooks.next_step(), self._stop.next_step, trainer.max_steps]
        nearest = min((step for step in steps if step is not None), default=None)

        # In batches: the same, the time target, the epoch's end and the next validation.
        counts = [self._clock.count]
        if nearest is not None:
            counts.append((nearest - progress.global_step) * every - progress.phase)
        if self.length is not None:
            counts.append(self.length - progress.batch)
        if self.window.most_batches is not None:
            counts.append(self.window.most_batches)
        if self.validation is not None:
            counts.append(self._schedule.batches_until_due(progress, self.length))
        return max(1, min(counts))

    def _epoch_iterator(self, dataset: tf.data.Dataset) -> AbstractContextManager[EpochIterator]:
        """Return an iterator over an epoch's batches, ended with the ``with`` block.

        Data that repeat for ever are one stream, that of epoch 0: it goes on where the epoch
        before, or the run that is resumed, has ended, and ends with the fit.
        """
        with self.trainer.profiler.region("making the iterator"):
            position, progress = self._position, self.progress
            if not is_endless(dataset):
                # TensorFlow cannot keep the state of an iterator that copies to a device.
                device = None if position.keeps else self.trainer.placement.prefetch_device
                rest = position.resumed(dataset, progress) or EpochIterator(
                    self._remaining(dataset), device
                )
                return position.follow(rest)

            if self._stream is None:
                done = progress.total_batches
                stream = position.resumed(dataset, progress) if done else None
                if stream is None:
                    rest = training_from(self.trainer, self.task, 0, done) if done else dataset
                    stream = EpochIterator(rest)
                self._stream = self._exits.enter_context(position.follow(stream))
            return nullcontext(self._stream)

    def _remaining(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches of an epoch that a resumed run has not done."""
        epoch, batch = self.progress.epoch, self.progress.batch
        if not batch:
            return dataset

        rest = training_from(self.trainer, self.task, epoch, batch)
        limit = self.trainer.limit_train_batches
        if self.length is None and isinstance(limit, int):
            return rest.take(limit - batch)
        return rest if self.length is None else rest.take(self.length - batch)

    # ---- the end of an epoch

    def _leave_epoch(self) -> dict[str, float]:
        """Make the values so far known; return them."""
        values = self.values.epoch()
        self.trainer.records.remember(values)
        self.training.statistics.average()  # hooks and who comes after read them
        return values

    def _close_epoch(self) -> None:
        """Validate and call hooks at the end of an epoch, or where a stop ended it; once each."""
        trainer, progress = self.trainer, self.progress
        is_first = not progress.epoch_ended

        # Known before validation: its monitors may look at training's values.
        values = self._leave_epoch()

        # A run that stops for good ends with a validation of its last weights.
        is_last = self._stop.is_granted(epoch_ends=self._exhausted) and self._unvalidated()
        if self._validation_is_due() or is_last:
            self._validate()

        # After validation: a run resumed from a checkpoint that it writes closes the epoch again,
        # and the row must not stand in the files already.
        if is_first:
            trainer.log_row({f"train/{name}_epoch": value for name, value in values.items()})

        # Closed before the hooks: a checkpoint that they write must not run them again on resume.
        progress.close_epoch(self._exhausted)
        if self._exhausted and not self._ended_early and trainer.num_training_batches is None:
            trainer.status.note_num_batches(TRAIN, progress.batch)
        if is_first:
            trainer.hooks("on_train_epoch_end")
        trainer.status.end_epoch()
        if self._exhausted:
            self._begin_next_epoch()

    def _begin_next_epoch(self) -> None:
        self.progress.next_epoch()
        self.values.begin_epoch()

    # ---- validation

    def _unvalidated(self) -> bool:
        return (
            self.validation is not None
            and self.progress.validated_batch != self.progress.total_batches
        )

    def _validation_is_due(self) -> bool:
        return self._unvalidated() and self._schedule.is_due(
            self.progress, self.length, self._exhausted
        )

    def _validate(self) -> None:
        if self.validation is None:
            return

        status, progress = self.trainer.status, self.progress
        try:
            with status.running(VALIDATE.name), progress.validating():
                status.expect_validation(False)
                self.training.statistics.average()  # read by the validation step
                self.validation.run()
        finally:
            self.task.take_metrics(self.training.metrics.metrics)

    # ---- stops, and workers that agree

    def _stops(self, epoch_ends: bool = False) -> bool:
        """Judge a stop request; one that comes too early waits."""
        self._stop.tell_waiting(epoch_ends)
        return self._stop.is_granted(epoch_ends)

    def _agree(self, count: int = 1) -> int:
        count, seconds = agreed(self.trainer, count, time.perf_counter() - self._began)
        if self.trainer.workers.count > 1:  # one alone spends at the end of each window
            self.progress.spend(seconds)
        return count
