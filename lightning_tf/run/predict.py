"""Predict: what happens around the loop that predicts."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.graph.prediction_step import trace_prediction_step
from lightning_tf.loops.limits import limited
from lightning_tf.loops.prediction_loop import PredictionLoop
from lightning_tf.loops.training_data import stage_dataset
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.predictions import KeptPredictions, Predictions
from lightning_tf.run.session import compute_scope, look_up, session
from lightning_tf.stage import PREDICT

if TYPE_CHECKING:
    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.checkpoint.search import CheckpointPath
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


def predict(
    trainer: Trainer, task: Task, ckpt_path: CheckpointPath | None, *, collect: bool
) -> list[Any] | Predictions | KeptPredictions:
    """Return what `predict_step` gives for each batch, as host arrays; on every worker all of it.

    What can be checked without the data is checked here, before anybody iterates.

    Args:
        trainer: Gives hooks, limits and precision.
        task: What predicts.
        ckpt_path: A checkpoint whose weights to take first, or None.
        collect: Run at once and return a list.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        ConfigurationError: The task has no `predict_step`, or an argument is of the wrong kind.
    """
    checkpoint = look_up(trainer, task, PREDICT.name, ckpt_path)
    batches = _batches(trainer, task, ckpt_path, checkpoint)
    if collect:
        return list(batches)
    if any(callback.consumes_predictions for callback in trainer.callbacks):
        return KeptPredictions(batches)
    return Predictions(batches)


def _batches(
    trainer: Trainer,
    task: Task,
    ckpt_path: CheckpointPath | None,
    checkpoint: Checkpoint | None,
) -> Generator[Any, None, None]:
    with session(trainer, task, PREDICT.name, ckpt_path, found=checkpoint) as checkpoint:
        trainer.status.enter(PREDICT.name)
        dataset, length = limited(trainer, PREDICT, stage_dataset(trainer, task, PREDICT))
        trainer.status.note_num_batches(PREDICT, length)

        scope = partial(compute_scope, trainer)
        with scope():
            build_models(trainer, task, PREDICT.step, dataset.element_spec)
            run_state.load_weights(task, checkpoint)
            step = trace_prediction_step(task, dataset.element_spec, trainer.placement)
            loop = PredictionLoop(trainer, step, dataset, length, scope)
        yield from loop.run()
