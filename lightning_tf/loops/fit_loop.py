"""FitLoop: epochs and windows; when to log, validate and stop. The host side of training."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightning_tf.exceptions import DataError, NonFiniteLossError
from lightning_tf.graph.metrics import Means, StageMetrics
from lightning_tf.graph.step import TrainingStep
from lightning_tf.graph.window import Window, WindowResult
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import limited, refuse_endless
from lightning_tf.loops.validation_schedule import ValidationSchedule
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.loops.worker_agreement import agreed, check_signals
from lightning_tf.variables import frozen_pattern

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from lightning_tf.distribute.unsynced_statistics import UnsyncedStatistics
    from lightning_tf.loops.evaluation_loop import EvaluationLoop
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


@dataclass
class TrainingState:
    """What training keeps on the device and the host between windows.

    Attributes:
        optimizers: By name.
        metrics: The training stage's copies of the task's metrics.
        statistics: What replicas keep for themselves.
        means: Of losses and logged values; None until the step is traced.
    """

    optimizers: dict[str, NamedOptimizer]
    metrics: StageMetrics
    statistics: UnsyncedStatistics
    means: Means | None = None


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
        state: Optimizers and running values, which outlast this fit.
        validation: The validation loop, or None.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        state: TrainingState,
        validation: EvaluationLoop | None,
    ) -> None:
        self.trainer, self.task, self.state, self.validation = trainer, task, state, validation
        self.progress = trainer.progress
        self.length: int | None = None
        self._window: Window | None = None
        self._traced_for: tuple[Any, tuple[int, ...]] = (None, ())
        self._result: WindowResult | None = None
        self._carry: Any = None
        self._clock = WindowClock()
        self._began = time.perf_counter()
        self._exhausted = False
        self._read_batches = 0
        self.went_bad = False  # a loss was NaN or infinite, which a callback tolerates
        self._schedule = ValidationSchedule(
            trainer.val_check_interval, trainer.check_val_every_n_epoch
        )

    # ---- set-up

    def prepare(self, dataset: Any) -> tf.data.Dataset:
        """Apply the limits to an epoch's data set and learn its length."""
        dataset, self.length = limited(
            dataset, self.trainer.limit_train_batches, "limit_train_batches", "train_dataset"
        )
        if self.trainer.max_steps is None and self.trainer.max_seconds is None:
            refuse_endless(dataset, "limit_train_batches", "train_dataset")
        self._schedule.check(self.length, self.validation is not None)
        self._known_length = self.length is not None
        return dataset

    def compile(self, element_spec: Any) -> None:
        """Trace the step, unless that is done and the same layers and variables train."""
        for optimizer in self.state.optimizers.values():
            optimizer.refresh()
        traced_for = (element_spec, frozen_pattern(self.task))
        if self._window is not None and traced_for == self._traced_for:
            return
        self._traced_for = traced_for
        self.task._metrics = self.state.metrics.metrics
        with self.trainer.profiler.region("tracing training_step"):
            self._window = Window(
                TrainingStep(self.task, self.state.optimizers, self.state.statistics),
                self.state.metrics,
                self.trainer.placement,
                element_spec,
                known_length=self._known_length,
                accumulating=self.trainer.accumulates,
                keeps_last=self.trainer.hooks.watches_batches("train"),
                jit_compile=self.trainer.jit_compile,
            )
        names = self._window.names
        if self.state.means is None or self.state.means.names != names:
            self.state.means = Means(names)
        self._carry = self._window.zero

    @property
    def window(self) -> Window:
        """The compiled step."""
        if self._window is None:
            raise RuntimeError("compile() comes first")
        return self._window

    @property
    def graph(self) -> tf.Graph:
        """The graph of one training step."""
        return self.window._batch.graph

    @property
    def means(self) -> Means:
        """The running means."""
        if self.state.means is None:
            raise RuntimeError("compile() comes first")
        return self.state.means

    def names(self) -> set[str]:
        """The names that training logs."""
        return {*self.window.names, *self.window.result_names, *self.state.metrics.metrics}

    # ---- the loop

    def run(self) -> None:
        """Train until a limit is reached or a stop is granted."""
        trainer = self.trainer
        self._began = time.perf_counter() - self.progress.seconds
        self._read_batches = self.progress.total_batches
        check_signals(trainer)  # tracing may have taken minutes
        if self.progress.epoch_closed:
            self._begin_next_epoch()
        # Also before the first epoch: a Timer may have run out in the run that is resumed.
        while not (self._stop_granted() or self._finished()):
            self._run_epoch()
            self._agree()
        if trainer.stop_reason:
            log.info("training stops: %s", trainer.stop_reason)

    def _run_epoch(self) -> None:
        trainer, progress = self.trainer, self.progress
        dataset = self.prepare(trainer.train_data(progress.epoch))
        self._exhausted = self.length is not None and progress.batch >= self.length
        trainer.hooks("on_train_epoch_start")
        self.compile(dataset.element_spec)  # after the hook, which may have (un)frozen layers
        with trainer.profiler.region("making the iterator"):
            epoch = EpochIterator(self._remaining(dataset))
        with epoch:
            if not self._exhausted and self._validation_is_due():
                self._validate()  # a checkpoint was written between this batch and its validation
            self._run_windows(epoch)
        self._agree()
        self._close_epoch()

    def _run_windows(self, epoch: EpochIterator) -> None:
        trainer = self.trainer
        alone = trainer.workers.count == 1
        while not (self._exhausted or self._out_of_limits()):
            count = self._agree(1 if trainer.hooks.watches_batches("train") else self._next_count())
            if not alone and self._stop_granted():
                break
            self._run_window(epoch, count)
            # Several workers judge together, before the next window.
            if alone and self._stop_granted(finish=self._exhausted):
                break

    def _agree(self, count: int = 1) -> int:
        return agreed(self.trainer, count, time.perf_counter() - self._began)

    def _remaining(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        if not self.progress.batch:
            return dataset
        epoch, batch = self.progress.epoch, self.progress.batch
        rest = self.trainer.train_data(epoch, batch)
        limit = self.trainer.limit_train_batches
        if self.length is None and isinstance(limit, int):
            return rest.take(limit - batch)
        return rest if self.length is None else rest.take(self.length - batch)

    def _run_window(self, epoch: EpochIterator, count: int) -> None:
        trainer, progress, hooks = self.trainer, self.progress, self.trainer.hooks
        trainer.window_start_step = progress.global_step
        if hooks.watches_batches("train"):
            hooks("on_train_batch_start", progress.batch)
        with trainer.signals.held():  # variables and counters move together
            ran = self._call(epoch, count)
            self._exhausted = ran < count or progress.batch == self.length
            if self._exhausted and progress.phase:
                self.window.flush()
                progress.global_step += 1
                progress.phase = 0
        if ran == 0 and progress.batch == 0:
            raise DataError("train_dataset is empty: it holds no batch.")
        stepped = progress.global_step > trainer.window_start_step
        if stepped and progress.global_step % trainer.log_every_n_steps == 0:
            self._log_row()
        last = None if self._result is None else self._result.last
        if ran and last is not None:  # kept only where somebody watches every batch
            hooks("on_train_batch_end", self._outputs(last), progress.batch - 1)
        trainer.validation_due = self._validation_is_due()
        if ran or stepped:
            hooks("on_train_window_end")
        check_signals(trainer)
        if trainer.validation_due and not self._exhausted:
            self._validate()

    def _call(self, epoch: EpochIterator, count: int) -> int:
        progress, window = self.progress, self.window
        every = self.trainer.accumulate_grad_batches
        began = time.perf_counter()
        with self.trainer.profiler.region("train windows"):
            result = window(
                epoch.iterator,
                count,
                self._carry,
                phase=progress.phase,
                every=every,
            )
            # Where the length is unknown, only the device knows how many batches ran; and where
            # nothing but the time target ended the window, the wait keeps its clock honest.
            if not window.known_length or count == self._clock.count:
                count = int(result.batches)
        now = time.perf_counter()
        self._clock.measured(max(count, 1), now - began)
        self._result, self._carry = result, (result.sums, result.finite)
        progress.advance(count, every)
        if self.trainer.workers.count == 1:
            progress.seconds = now - self._began
        return count

    def _next_count(self) -> int:
        """Batches until somebody must be awake, at least 1."""
        trainer, progress = self.trainer, self.progress
        every = trainer.accumulate_grad_batches
        row = (progress.global_step // trainer.log_every_n_steps + 1) * trainer.log_every_n_steps
        steps = [row, trainer.hooks.next_step(), trainer.max_steps]
        nearest = min(step for step in steps if step is not None)
        counts = [self._clock.count, (nearest - progress.global_step) * every - progress.phase]
        if self.length is not None:
            counts.append(self.length - progress.batch)
        if self.validation is not None:
            counts.append(self._schedule.batches_until_due(progress, self.length))
        return max(1, min(counts))

    def _close_epoch(self) -> None:
        """Validation and hooks at the end of an epoch, or where a limit or a stop ended it."""
        trainer, progress = self.trainer, self.progress
        means = self._epoch_means()
        trainer.callback_metrics.update(means)
        trainer.metric_steps.update(dict.fromkeys(means, progress.global_step))
        stopping = bool(trainer.stop_reason) and self._minimums_met(finish=self._exhausted)
        if self._validation_is_due() or (stopping and self._unvalidated()):
            self._validate()
        trainer.log_row({f"train/{name}_epoch": value for name, value in means.items()})
        progress.epoch_closed = self._exhausted
        self.state.statistics.average()  # hooks at the epoch's end, and who comes after, read them
        if self._exhausted:
            self._learn_length()
        trainer.hooks("on_train_epoch_end")
        if self._exhausted:
            self._begin_next_epoch()

    def _begin_next_epoch(self) -> None:
        self.progress.next_epoch()
        self._result = None
        self.means.take_epoch()
        self.state.metrics.reset()

    def _learn_length(self) -> None:
        if self.trainer.num_training_batches is None:
            self.trainer.num_training_batches = self.progress.batch

    # ---- values

    def read(self) -> dict[str, float]:
        """Wait for the device and take its sums: the one place where training waits for values.

        Returns:
            What the metrics give now, over the epoch so far.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite since the last read.
        """
        result = self._result
        if result is None:
            return self._restored_results()
        with self.trainer.profiler.region("waiting for the device"):
            if self._carry is not self.window.zero:
                self.means.add(result.sums.numpy())
                self._carry = self.window.zero
                self._check_finite(result.finite.numpy()[: self.window.loss_count])
            values = result.results.numpy().tolist()
        return dict(zip(self.window.result_names, values, strict=False))

    def _restored_results(self) -> dict[str, float]:
        """What the metrics give where no window ran since the epoch's beginning or the resume."""
        results = self.state.metrics.results() if self.progress.batch else {}
        return {name: float(value) for name, value in results.items()}

    def peek(self) -> dict[str, float]:
        """The epoch's values so far, for a progress bar; waits for the device."""
        result = self._result
        if result is None:
            return {}
        pending = None if self._carry is self.window.zero else result.sums.numpy()
        results = zip(self.window.result_names, result.results.numpy().tolist(), strict=False)
        return {**self.means.epoch_so_far(pending), **dict(results)}

    def _epoch_means(self) -> dict[str, float]:
        results = self.read()
        return {**self.means.epoch_so_far(), **results}

    def _log_row(self) -> None:
        results = self.read()
        values = {**self.means.take_row(), **results}
        self.trainer.measured(values)

    def _outputs(self, last: tf.Tensor) -> dict[str, float]:
        means = Means(self.window.names)
        means.add(last.numpy())
        return means.take_row()

    def _check_finite(self, finite: np.ndarray) -> None:
        batches = self.progress.total_batches - self._read_batches
        self._read_batches = self.progress.total_batches
        if self.trainer.scales_loss or finite.min(initial=batches) >= batches:
            return  # under mixed_float16 the update was skipped and the scale lowered
        bad_batch = self.progress.batch - batches + int(finite.min())
        every = self.trainer.accumulate_grad_batches
        update = self.progress.epoch_start_step + bad_batch // every + 1
        message = (
            f"the training loss became NaN or infinite at update {update} (epoch "
            f"{self.progress.epoch}, batch {bad_batch}). Lower the learning rate, set "
            "gradient_clip_val, or look for bad inputs; Trainer(detect_anomaly=True) names the "
            "operation."
        )
        if any(callback.tolerates_nonfinite_loss for callback in self.trainer.callbacks):
            self.went_bad = True
            log.warning(message)
            return
        raise NonFiniteLossError(message)

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
        trainer = self.trainer
        trainer.stage, before = "validate", trainer.stage
        validated = self.progress.validated_batch
        try:
            self.progress.validated_batch = self.progress.total_batches
            trainer.validation_due = False
            self.state.statistics.average()
            self.validation.run()
        except BaseException:
            self.progress.validated_batch = validated  # a checkpoint of now must not count it
            raise
        finally:
            trainer.stage = before
            self.task._metrics = self.state.metrics.metrics

    # ---- the end

    def _out_of_limits(self) -> bool:
        trainer, progress = self.trainer, self.progress
        if trainer.max_steps is not None and progress.global_step >= trainer.max_steps:
            return True
        out_of_time = trainer.max_seconds is not None and progress.seconds >= trainer.max_seconds
        return out_of_time and self._minimums_met(finish=False)

    def _finished(self) -> bool:
        trainer = self.trainer
        past = trainer.max_epochs is not None and self.progress.epoch >= trainer.max_epochs
        return past or self._out_of_limits()

    def _minimums_met(self, finish: bool) -> bool:
        """Whether min_epochs and min_steps allow a stop; `finish` counts the epoch that ends."""
        trainer, progress = self.trainer, self.progress
        epochs = progress.epoch + (1 if finish else 0)
        return epochs >= (trainer.min_epochs or 0) and progress.global_step >= (
            trainer.min_steps or 0
        )

    def _stop_granted(self, finish: bool = False) -> bool:
        """Judge a stop request; one that comes too early is dropped and judged again later."""
        trainer = self.trainer
        if not trainer.stop_reason:
            return False
        if self._minimums_met(finish):
            return True
        log.info("a stop is put off until min_epochs and min_steps: %s", trainer.stop_reason)
        trainer.stop_reason = ""
        return False
