"""PredictionLoop: batches of host arrays in the order of the data; windows of them are computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.distribute.workers import Workers
from lightning_tf.graph.prediction_window import PredictionWindow
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.window_clock import WindowClock

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

WINDOW_BYTES = 2**22  # of outputs that wait on the host for whoever iterates


@dataclass(frozen=True)
class PredictionSet:
    """One data set of a prediction.

    Attributes:
        name: Where there are several: a text, or a place in a list.
        step: The compiled step.
        dataset: Batches.
        length: How many; None where that is unknown.
    """

    name: str | int | None
    step: Any
    dataset: tf.data.Dataset
    length: int | None


class PredictionLoop:
    """Yields what `predict_step` gives for each batch; on every worker the rows of all.

    Args:
        trainer: Gives hooks, workers and the profiler.
        sets: The data sets, most often one; they are predicted in their order.
        scope: Makes the context in which steps run. It is left at every yield: the caller's code
            has settings of its own.
    """

    def __init__(
        self,
        trainer: Trainer,
        sets: Sequence[PredictionSet],
        scope: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.trainer, self._scope = trainer, scope
        self._sets = [(each, self._window_of(each)) for each in sets]

    def _window_of(self, each: PredictionSet) -> PredictionWindow | None:
        """Join several batches to one graph call, where that is the same to all who look."""
        if (
            each.length is None  # a source of unknown length may make one wait
            or self.trainer.run_eagerly
            or not self.trainer.placement.can_window_predictions
            or self.trainer.hooks.has("on_predict_batch_start")
            or not PredictionWindow.can_join(each.step)
        ):
            return None
        device = self.trainer.placement.prefetch_device
        return PredictionWindow(each.step, each.dataset.element_spec, device)

    def run(self) -> Iterator[tuple[str | int | None, Any]]:
        """Yield the name of the data set and the outputs of each batch, as host arrays."""
        hooks, status = self.trainer.hooks, self.trainer.status
        status.begin_stage()
        hooks("on_predict_start")
        hooks("on_predict_epoch_start")

        for each, window in self._sets:
            with status.on_dataset(None if each.name is None else str(each.name)):
                batches = self._by_batch(each) if window is None else self._by_window(each, window)
                for index, outputs in enumerate(batches):
                    hooks("on_predict_batch_end", outputs, index)
                    yield each.name, outputs
                    if status.stage_ends:
                        break
            if status.stage_ends:
                break

        hooks("on_predict_epoch_end")
        hooks("on_predict_end")

    def _by_batch(self, each: PredictionSet) -> Iterator[Any]:
        for index, batch in enumerate(each.dataset):
            self.trainer.hooks("on_predict_batch_start", index)
            with self._scope():
                gather = partial(_all_rows, self.trainer.workers)
                outputs = tf.nest.map_structure(gather, each.step(batch))
            yield outputs

    def _by_window(self, each: PredictionSet, window: PredictionWindow) -> Iterator[Any]:
        remaining, clock = each.length or 0, WindowClock()
        device = self.trainer.placement.prefetch_device
        with EpochIterator(each.dataset, device) as epoch:
            while remaining:
                # As many as half a second and a few megabytes of outputs allow.
                count = max(1, min(remaining, clock.count, WINDOW_BYTES // window.batch_bytes))
                began = time.perf_counter()
                with self._scope(), self.trainer.profiler.region("predict windows"):
                    batches = window(epoch.iterator, count)
                clock.measured(count, time.perf_counter() - began)
                remaining -= count
                yield from batches


def _all_rows(workers: Workers, values: Any) -> Any:
    """Return the rows of all workers as a host array; ragged ones as an array of arrays.

    What is None stays so: a step may keep its results to itself.
    """
    if values is None:
        return None
    if workers.count > 1 and isinstance(values, tf.RaggedTensor):
        return _all_ragged_rows(workers, values).numpy()
    return workers.all_gather_rows(values.numpy())


def _all_ragged_rows(workers: Workers, values: Any) -> Any:
    # Level by level: one worker's rows may happen to be of one length.
    if not isinstance(values, tf.RaggedTensor):
        return workers.all_gather_rows(values.numpy())
    lengths = workers.all_gather_rows(values.row_lengths().numpy())
    return tf.RaggedTensor.from_row_lengths(_all_ragged_rows(workers, values.values), lengths)
