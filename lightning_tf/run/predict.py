"""Predict: what happens around the loop that predicts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.graph.prediction_step import trace_prediction_step
from lightning_tf.loops.limits import limited
from lightning_tf.loops.prediction_loop import PredictionLoop
from lightning_tf.loops.training_data import stage_dataset
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.session import compute_scope, session
from lightning_tf.stage import PREDICT

if TYPE_CHECKING:
    from lightning_tf.checkpoint.search import CheckpointPath
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


def predict(trainer: Trainer, task: Task, ckpt_path: CheckpointPath | None) -> Iterator[Any]:
    """Yield what `predict_step` gives for each batch, as host arrays; on every worker all of it.

    Args:
        trainer: Gives hooks, limits and precision.
        task: What predicts.
        ckpt_path: A checkpoint whose weights to take first, or None.
    """
    with session(trainer, task, PREDICT.name, ckpt_path) as checkpoint:
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
