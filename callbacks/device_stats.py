"""DeviceStats: logs memory and examples per second."""

import time
from pathlib import Path

import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

MEGABYTE = 2**20
PROCESS_MEMORY = Path("/proc/self/statm")  # Linux only


class DeviceStats(Callback):
    """Logs with every row what the machine does.

    ============================  ==================================================================
    examples_per_second           training since the last row; validation is left out, checkpoints
                                  and loggers are not
    updates_per_second            the same in updates
    cpu_percent                   processor time of this process since the last row; 100 is one core
    host_memory_megabytes         resident memory of this process (on Linux)
    gpu_0_memory_megabytes        what TensorFlow has given out of GPU 0
    gpu_0_peak_memory_megabytes   the most that it had, since the process began
    ============================  ==================================================================

    Loggers get them as ``device/...``; they are no metrics that can be monitored. Nothing is read
    from the device for them: the Trainer has just read the counts for its row, and memory is the
    allocator's own count on the host.

    Example:
        >>> Trainer(max_epochs=20, callbacks=[DeviceStats()]).fit(task)
    """

    logs_metrics = False

    def __init__(self) -> None:
        self._gpus: list[str] = []
        self._examples_before = 0.0  # in the epochs that have ended
        self._validation_began = self._validation_seconds = 0.0
        self._last_counts = (0.0, 0.0, 0.0, 0)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Start to count; tracing is over."""
        # Listing devices starts them, so not before training has.
        devices = tf.config.list_logical_devices("GPU")
        self._gpus = [device.name.removeprefix("/device:") for device in devices]
        self._examples_before = self._validation_seconds = 0.0
        self._last_counts = self._counts(trainer)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Log a row of statistics where the Trainer has just written a row."""
        if not self.has_row(trainer):
            return

        before, self._last_counts = self._last_counts, self._counts(trainer)
        seconds, processor_seconds, examples, updates = (
            now - then for now, then in zip(self._last_counts, before, strict=True)
        )
        # The processor works in validation too, so its share is that of the whole time.
        whole = max(seconds + self._validation_seconds, 1e-9)
        self._validation_seconds = 0.0
        seconds = max(seconds, 1e-9)

        values = {
            "examples_per_second": examples / seconds,
            "updates_per_second": updates / seconds,
            "cpu_percent": 100.0 * processor_seconds / whole,
            **self._memory(),
        }
        trainer.log_row({f"device/{name}": value for name, value in values.items()})

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Stop the clock."""
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Restart the clock."""
        if trainer.entry_point == "fit" and not trainer.sanity_checking:
            seconds = time.perf_counter() - self._validation_began
            self._validation_seconds += seconds

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Add the epoch's examples: the next epoch counts from 0."""
        self._examples_before += _examples_of_epoch(trainer)

    def _counts(self, trainer: Trainer) -> tuple[float, float, float, int]:
        """Return seconds without validation, processor seconds, examples and updates."""
        examples = self._examples_before + _examples_of_epoch(trainer)
        seconds = time.perf_counter() - self._validation_seconds
        return seconds, time.process_time(), examples, trainer.global_step

    def _memory(self) -> dict[str, float]:
        megabytes = {}
        if PROCESS_MEMORY.exists():
            import resource  # where there is /proc, there is this

            pages = int(PROCESS_MEMORY.read_text().split()[1])
            megabytes["host_memory_megabytes"] = pages * resource.getpagesize() / MEGABYTE

        for name in self._gpus:
            info = tf.config.experimental.get_memory_info(name)
            label = name.lower().replace(":", "_")
            megabytes[f"{label}_memory_megabytes"] = info["current"] / MEGABYTE
            megabytes[f"{label}_peak_memory_megabytes"] = info["peak"] / MEGABYTE
        return megabytes


def _examples_of_epoch(trainer: Trainer) -> float:
    """Return the examples of the epoch as the Trainer read them last."""
    means = None if trainer.training is None else trainer.training.means
    return 0.0 if means is None else means.examples
