"""Prediction: batches of host arrays in the order of the data; windows of them are computed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.checkpoint.search import CheckpointPath
from lightning_tf.distribute.workers import Workers
from lightning_tf.graph.prediction_window import PredictionWindow
from lightning_tf.graph.step import prediction
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import limited, refuse_endless
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.run.build import build_models
from lightning_tf.run.run_state import load_weights
from lightning_tf.run.session import computing, data_of, entered, needed

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

WINDOW_BYTES = 2**22  # of outputs that wait on the host for whoever iterates


def predictions(trainer: Trainer, task: Task, ckpt_path: CheckpointPath | None) -> Iterator[Any]:
    """Yield what `predict_step` gives for each batch, as host arrays; on every worker all of it.

    Args:
        trainer: Gives hooks, limits and precision.
        task: What predicts.
        ckpt_path: A checkpoint whose weights to take first, or None.
    """
    with entered(trainer, task, "predict", ckpt_path) as found:
        trainer.stage = "predict"
        hooks, data = trainer.hooks, data_of(task)
        dataset, trainer.num_predict_batches = limited(
            needed(data.dataset_for("predict", share=trainer.placement.share), data, "predict"),
            trainer.limit_predict_batches,
            "limit_predict_batches",
            "predict_dataset",
        )
        refuse_endless(dataset, "limit_predict_batches", "predict_dataset")
        with computing(trainer):
            build_models(trainer, task, "predict_step", dataset.element_spec)
            load_weights(task, found)
            step = prediction(task, dataset.element_spec, trainer.placement)
            window = _window(trainer, dataset, step)
        hooks("on_predict_start")
        hooks("on_predict_epoch_start")
        by_batch = _by_batch(trainer, dataset, step)
        batches = by_batch if window is None else _by_window(trainer, dataset, window)
        for index, outputs in enumerate(batches):
            hooks("on_predict_batch_end", outputs, index)
            yield outputs
        hooks("on_predict_epoch_end")
        hooks("on_predict_end")


def _window(trainer: Trainer, dataset: tf.data.Dataset, step: Any) -> PredictionWindow | None:
    """Several batches as one graph call, where that is the same to everybody who looks."""
    fitting = (
        trainer.num_predict_batches is not None  # a source of unknown length may make one wait
        and trainer.placement.strategy is None
        and not trainer.hooks.has("on_predict_batch_start")
        and PredictionWindow.can_join(step)
    )
    return PredictionWindow(step, dataset.element_spec) if fitting else None


# Not around the yields: the caller's code has its own settings.


def _by_batch(trainer: Trainer, dataset: tf.data.Dataset, step: Any) -> Iterator[Any]:
    for index, batch in enumerate(dataset):
        trainer.hooks("on_predict_batch_start", index)
        with computing(trainer):
            outputs = tf.nest.map_structure(partial(_of_all, trainer.workers), step(batch))
        yield outputs


def _by_window(
    trainer: Trainer, dataset: tf.data.Dataset, window: PredictionWindow
) -> Iterator[Any]:
    left, clock = trainer.num_predict_batches or 0, WindowClock()
    with EpochIterator(dataset) as epoch:
        while left:
            count = max(1, min(left, clock.count, WINDOW_BYTES // window.batch_bytes))
            began = time.perf_counter()
            with computing(trainer), trainer.profiler.region("predict windows"):
                batches = window(epoch.iterator, count)
            clock.measured(count, time.perf_counter() - began)
            left -= count
            yield from batches


def _of_all(workers: Workers, part: Any) -> Any:
    """The rows of all workers as a host array; ragged ones as an array of arrays."""
    if workers.count > 1 and isinstance(part, tf.RaggedTensor):
        return _ragged_of_all(workers, part).numpy()
    return workers.all_gather_rows(part.numpy())


def _ragged_of_all(workers: Workers, part: Any) -> Any:
    # Level by level: one worker's rows may happen to be of one length.
    if not isinstance(part, tf.RaggedTensor):
        return workers.all_gather_rows(part.numpy())
    lengths = workers.all_gather_rows(part.row_lengths().numpy())
    return tf.RaggedTensor.from_row_lengths(_ragged_of_all(workers, part.values), lengths)
