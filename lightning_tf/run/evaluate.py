"""Evaluate: what happens around the loop that validates or tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.data.named_sets import NamedSets, by_name
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.loops.evaluation_loop import EvaluationLoop
from lightning_tf.loops.training_data import stage_datasets
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.spoken_lines import say_beginning
from lightning_tf.untrained_weights import warn_of_untrained

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.stage import Stage
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


def evaluate(
    trainer: Trainer,
    task: Task,
    stage: Stage,
    checkpoint: Checkpoint | None,
    has_own_data: bool = True,
) -> dict[str, float]:
    """Build what is missing, load weights, evaluate.

    Args:
        trainer: Inside a session.
        task: What to evaluate.
        stage: `VALIDATE` or `TEST`.
        checkpoint: The checkpoint whose weights to take, or None.
        has_own_data: Whether the data are the task's, and not those of this call.

    Returns:
        Means over all examples, by name.
    """
    trainer.status.enter(stage.name)
    datasets = stage_datasets(trainer, task, stage)
    first = next(iter(by_name(datasets).values()))
    build_models(trainer, task, stage.step, first)
    run_state.load_weights(task, checkpoint)
    say_beginning(trainer, task, has_own_data)
    warn_of_untrained(task, stage.name)

    loop = evaluation_loop(trainer, task, stage, datasets)
    trainer.status.note_num_batches(stage, loop.length)
    return loop.run()


def evaluation_loop(
    trainer: Trainer, task: Task, stage: Stage, datasets: tf.data.Dataset | NamedSets
) -> EvaluationLoop:
    """Make the loop of a stage, with copies of the metrics of its own.

    Raises:
        ConfigurationError: The Trainer's limit leaves no batch.
    """
    if getattr(trainer, stage.limit) == 0:
        raise ConfigurationError(f"{stage.limit}=0 leaves nothing to evaluate.")
    return EvaluationLoop(trainer, task, stage, datasets)
