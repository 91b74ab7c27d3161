"""TrainingValues: what training has measured, read from the device where the loop chose to wait."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lightning_tf.exceptions import NonFiniteLossError
from lightning_tf.graph.means import Means, mean_values

if TYPE_CHECKING:
    import numpy as np

    from lightning_tf.graph.window import Window, WindowResult
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class TrainingValues:
    """Losses, logged values and metrics of the windows that ran.

    A window's sums go into the next one as they are (`carry`), on the device. Python waits for them
    in `read` (at a row, at the epoch's end, before a checkpoint, or where a callback asks), in
    `peek` (a progress bar) and in `last_batch` (a per-batch hook). Beside these, `FitLoop` waits
    where only the device knows how many batches ran.

    Args:
        trainer: Gives the progress and the callbacks that tolerate a bad loss.
        state: Holds the running means and the metrics.

    Attributes:
        carry: Sums and finite counts that the next window adds to.
        went_bad: Whether a loss was NaN or infinite, which a callback tolerates.
    """

    def __init__(self, trainer: Trainer, state: TrainingState) -> None:
        self.trainer, self.state = trainer, state
        self.progress = trainer.progress
        self.carry: Any = None
        self.went_bad = False
        self._window: Window | None = None
        self._result: WindowResult | None = None
        self._read_batches = self.progress.total_batches

    def begin(self) -> None:
        """Count from here on which batches have been read; a resume has moved the progress."""
        self._read_batches = self.progress.total_batches

    def follow(self, window: Window) -> None:
        """Take values from a newly traced window."""
        self._window, self.carry = window, window.zero
        self.state.mean_over(window.names, window.zero[0].shape[0])

    def take(self, result: WindowResult) -> None:
        """Keep what a window gave, without waiting for it."""
        self._result, self.carry = result, (result.sums, result.finite)

    def begin_epoch(self) -> None:
        """Begin the means and metrics of another epoch."""
        self._result = None
        self._means.take_epoch()
        self.state.metrics.reset()

    @property
    def _means(self) -> Means:
        if self.state.means is None:
            raise RuntimeError("compile() comes first")
        return self.state.means

    @property
    def last_batch(self) -> dict[str, float] | None:
        """The last batch's values; None unless the window keeps them for a per-batch hook."""
        result = self._result
        if result is None or result.last is None:
            return None
        return mean_values(self._means.names, result.last.numpy())

    def read(self) -> dict[str, float]:
        """Wait for the device, take its sums and check that they are finite.

        Returns:
            What the metrics give now, over the epoch so far.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite since the last read.
        """
        result, window = self._result, self._window
        if window is None:
            return {}
        if result is None:  # no window ran since the epoch began or was resumed
            return window.restored_results() if self.progress.batch else {}

        with self.trainer.profiler.region("waiting for the device"):
            if self.carry is not window.zero:
                self._means.add(result.sums.numpy())
                self.carry = window.zero
                self._check_finite(result.finite.numpy()[: window.loss_count])
            return window.read_results(result)

    def peek(self) -> dict[str, float]:
        """Return the epoch's values so far, for a progress bar; waits for the device."""
        result, window = self._result, self._window
        if result is None or window is None:
            return {}

        pending = None if self.carry is window.zero else result.sums.numpy()
        return {**self._means.epoch_so_far(pending), **window.read_results(result)}

    def row(self) -> dict[str, float]:
        """Return the means since the last row, and the metrics over the epoch so far."""
        results = self.read()
        return {**self._means.take_row(), **results}

    def epoch(self) -> dict[str, float]:
        """Return the means and metrics over the epoch."""
        results = self.read()
        return {**self._means.epoch_so_far(), **results}

    def _of_weights(self) -> str:
        weighs = self._means.size > len(self._means.names) + 1
        return " (a negative weight makes the loss NaN)" if weighs else ""

    def _check_finite(self, finite: np.ndarray) -> None:
        """Refuse a loss that went bad, by the update at which it did.

        Args:
            finite: For each loss, how many batches since the last read had a finite sum.
        """
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
            f"gradient_clip_val, or look for bad inputs{self._of_weights()}; "
            "Trainer(detect_anomaly=True) names the operation."
        )
        if not any(callback.tolerates_nonfinite_loss for callback in self.trainer.callbacks):
            raise NonFiniteLossError(message)
        self.went_bad = True
        log.warning(message)
