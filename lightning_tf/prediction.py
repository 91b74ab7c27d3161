"""Prediction: batches of host arrays, one at a time, in the order of the data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.build import build_models
from lightning_tf.checkpoint_search import CheckpointPath
from lightning_tf.entry_point import computing, data_of, entered, needed
from lightning_tf.limits import limited, refuse_endless
from lightning_tf.run_state import load_weights
from lightning_tf.step import prediction
from lightning_tf.workers import Workers

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


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
        hooks("on_predict_start")
        hooks("on_predict_epoch_start")
        for index, batch in enumerate(dataset):
            hooks("on_predict_batch_start", index)
            with computing(trainer):  # not around the yield: the caller's code has its own settings
                outputs = tf.nest.map_structure(partial(_of_all, trainer.workers), step(batch))
            hooks("on_predict_batch_end", outputs, index)
            yield outputs
        hooks("on_predict_epoch_end")
        hooks("on_predict_end")


def _of_all(workers: Workers, part: Any) -> Any:
    """The rows of all workers as a host array; ragged ones as an array of arrays."""
    if workers.count > 1 and isinstance(part, tf.RaggedTensor):
        return _ragged_of_all(workers, part).numpy()
    return workers.joined(part.numpy())


def _ragged_of_all(workers: Workers, part: Any) -> Any:
    # Level by level: one worker's rows may happen to be of one length.
    if not isinstance(part, tf.RaggedTensor):
        return workers.joined(part.numpy())
    lengths = workers.joined(part.row_lengths().numpy())
    return tf.RaggedTensor.from_row_lengths(_ragged_of_all(workers, part.values), lengths)
