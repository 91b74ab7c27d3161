"""BatchSizeFinder: tries batch sizes before training and uses the largest that fits."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

import tensorflow as tf

from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.checkpoint.io import read_run
from lightning_tf.checks import checked_choice, checked_fraction, checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.state_keys import keyed
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("lightning_tf")

MODES = ("power", "binsearch")
LEAST_STEPS = 2  # the first one also pays for tracing


class BatchSizeFinder(StatefulCallback):
    """Trains a few updates with growing batches before fit begins, until memory ends.

    Sizes double from `init_val` until the device is out of memory, `max_val` is reached, or the
    training data cannot fill a batch. ``power`` takes the last size that fitted; ``binsearch``
    searches on between that and the first that did not. The size becomes ``task.data.batch_size``
    before models, optimizers and schedules are made, so everything that counts batches counts the
    right ones; learning rates stay as they are. Everything else is restored bit for bit: weights,
    seeds, generators. The search leaves no row, checkpoint or file but its figure
    (``batch_size_finder``, to every logger), which shows the speed of each size. It runs once for a
    task: not in a second fit, and not under `fast_dev_run`; a resumed run takes the size that its
    checkpoint holds.

    A GPU that is out of memory raises an error. A CPU usually does not, and the process may be
    killed: there `max_val` is the limit that counts. What callbacks add to the step (`EMA`) is not
    part of the trials; `margin` leaves room for it.

    Args:
        mode: ``power`` or ``binsearch``.
        steps_per_trial: Updates with each size; the first one is not timed.
        steps_per_trial: Updates with each size; the first one is not timed.
        max_trials: Sizes to try at most.
        max_val: The largest size to try.
        margin: Share of the size that ``binsearch`` found to give up.
        update: Train with the size; otherwise only report it.

    Raises:
        ConfigurationError: A number is out of range; when fit begins, that the training data do not
            follow ``data.batch_size``, that not even one example fits, or that there are several
            workers.

    Attributes:
        sizes: The sizes that fitted, in the order in which they were tried.
        examples_per_second: The speed of each of them.
        suggestion: The size; None before.

    Example:
        >>> finder = BatchSizeFinder(init_val=32, max_val=1024)
        >>> Trainer(max_epochs=20, callbacks=[finder]).fit(task)
        >>> finder.suggestion
    """

    state_names = ("sizes", "examples_per_second", "suggestion")

    def __init__(
        self,
        mode: str = "power",
        *,
        steps_per_trial: int = 3,
        init_val: int = 2,
        max_trials: int = 25,
        max_val: int = 8192,
        margin: float = 0.05,
        update: bool = True,
    ) -> None:
        self.mode = checked_choice("BatchSizeFinder: mode", mode, MODES)
        self.steps_per_trial = checked_integer(
            "BatchSizeFinder: steps_per_trial", steps_per_trial, least=LEAST_STEPS
        )
        self.init_val = checked_integer("BatchSizeFinder: init_val", init_val, least=1)
        self.max_trials = checked_integer("BatchSizeFinder: max_trials", max_trials, least=1)
        self.max_val = checked_integer("BatchSizeFinder: max_val", max_val, least=init_val)
        self.margin = checked_fraction("BatchSizeFinder: margin", margin)
        self.update = update

        self._begin()

    def _begin(self) -> None:
        self.sizes: list[int] = []
        self.examples_per_second: list[float] = []
        self.suggestion: int | None = None
        self._trials = 0

    # ---- hooks

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Search, or take the size of the run that is resumed."""
        self._begin_if_new(task)
        if stage != "fit" or trainer.fast_dev_run or not isinstance(task.data, DataModule):
            return

        if trainer.resumed and trainer.ckpt_path is not None:
            # Before any batch is made: positions in the checkpoint count batches of that size.
            callbacks = read_run(trainer.ckpt_path)["callbacks"]
            key = next(key for key, callback in keyed(trainer.callbacks) if callback is self)
            self.load_state_dict(callbacks.get(key, self.state_dict()))
        elif self.suggestion is None and trainer.training is None:
            with trainer.profiler.region("searching a batch size"):
                self._search(trainer, task, task.data)

        if self.update and self.suggestion is not None:
            task.data.batch_size = self.suggestion

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Log the figure."""
        if self._trials and trainer.loggers:
            trainer.log_figure("batch_size_finder", self.plot())
        self._trials = 0

    # ---- the search

    def _search(self, trainer: Trainer, task: Task, data: DataModule) -> None:
        if trainer.workers.count > 1:  # memory would have to end on all of them at once
            raise ConfigurationError(
                f"BatchSizeFinder on {trainer.workers.count} workers: when memory ends on one, the "
                "others wait for it for ever; find the size in a run on one worker and pass "
                "that times the number of workers as batch_size."
            )

        before = data.batch_size
        try:
            fits, fails = self._double(trainer, task, data)
            if not fits:
                # Even the first size was too large.
                fits, fails = self._halve(trainer, task, data, fails or self.init_val)
            if self.mode == "binsearch" and fails is not None:
                fits = self._bisect(trainer, task, data, fits, fails)
                fits = max(1, int(fits * (1.0 - self.margin)))
        finally:
            data.batch_size = before

        self.suggestion = fits
        log.info("BatchSizeFinder: batch size %d -> %d.", before, fits)

    def _double(self, trainer: Trainer, task: Task, data: DataModule) -> tuple[int, int | None]:
        """Return the largest doubled size that fits, 0 for none, and the first that does not."""
        fits, size = 0, self.init_val
        while self._trials < self.max_trials and size <= self.max_val:
            if not self._fits(trainer, task, data, size):
                return fits, size
            fits, size = size, 2 * size
        return fits, None

    def _halve(
        self, trainer: Trainer, task: Task, data: DataModule, size: int
    ) -> tuple[int, int | None]:
        """Return the largest halved size that fits, and the smallest that does not."""
        fails = size
        while size > 1:
            size //= 2
            if self._fits(trainer, task, data, size):
                return size, fails
            fails = size
        raise ConfigurationError(
            f"BatchSizeFinder: memory ends with a batch of {size}; make the model smaller, or pass "
            "Trainer(precision='bf16-mixed')."
        )

    def _bisect(self, trainer: Trainer, task: Task, data: DataModule, fits: int, fails: int) -> int:
        # `fits` always fits, and `fails` never does.
        while fails - fits > 1 and self._trials < self.max_trials:
            middle = (fits + fails) // 2
            if self._fits(trainer, task, data, middle):
                fits = middle
            else:
                fails = middle
        return fits

    def _fits(self, trainer: Trainer, task: Task, data: DataModule, size: int) -> bool:
        """Try a size and return whether memory and the data suffice."""
        self._trials += 1
        data.batch_size = size

        try:
            examples, seconds = self._run(trainer, task)
        except (tf.errors.OpError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            log.info("BatchSizeFinder: a batch of %d does not fit into memory.", size)
            return False

        # Of fewer, the data are too few or ignore the size; a single batch cannot tell.
        is_first = not self.sizes and size == self.init_val and trainer.num_training_batches != 1
        if examples > size or (examples < size and is_first):
            raise ConfigurationError(
                f"BatchSizeFinder: {type(data).__name__} gave {examples} examples with "
                f"batch_size={size}; make its train_dataset follow self.batch_size."
            )
        if examples < size:
            return False

        trainer.signals.check()  # a trial may be long: Ctrl-C and SIGTERM act between two
        self.sizes.append(size)
        self.examples_per_second.append(examples / max(seconds, 1e-9))
        return True

    def _run(self, trainer: Trainer, task: Task) -> tuple[int, float]:
        """Return the examples of a batch, and the seconds for as many."""
        with trainer.trial_run(task) as trial_run:
            batches = trial_run.batches()
            trial_run.update(batches)  # traces the step
            examples = trial_run.examples

            seconds = math.inf  # for one example; the fastest, because others use the machine too
            for _ in range(self.steps_per_trial - 1):
                began = time.perf_counter()
                trial_run.update(batches)
                seconds = min(seconds, (time.perf_counter() - began) / trial_run.examples)

        # An update may take several batches.
        batch = examples // trainer.accumulate_grad_batches
        return batch, seconds * batch

    def plot(self) -> Figure:
        """Return a matplotlib figure of the examples per second over batch sizes."""
        from matplotlib.figure import Figure  # without pyplot there is no global state to clean up

        from lightning_tf.panel_layout import PanelLayout

        figure = Figure(figsize=(6.0, 4.0), layout=PanelLayout())
        axes = figure.add_subplot()
        pairs = sorted(zip(self.sizes, self.examples_per_second, strict=True))

        axes.plot([size for size, _ in pairs], [speed for _, speed in pairs], marker="o")
        if self.suggestion is not None:
            label = f"suggestion {self.suggestion}"
            axes.axvline(self.suggestion, color="red", linestyle="--", label=label)
            axes.legend(loc="upper left")

        axes.set_xscale("log", base=2)
        axes.set_xticks([size for size, _ in pairs], [str(size) for size, _ in pairs])
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("batch size")
        axes.set_ylabel("examples per second")
        axes.grid(alpha=0.3)
        return figure


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out; CUDA libraries report it as internal errors."""
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return True
    words = str(error).lower()
    return "out of memory" in words or "failed to allocate" in words
