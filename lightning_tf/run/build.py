"""What is built before the first step: models, optimizers, metrics; once for each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lightning_tf.distribute.unsynced_statistics import UnsyncedStatistics
from lightning_tf.distribute.variable_placement import (
    drop_compiled_functions,
    move_variables,
)
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.deferred_build import build_deferred_variables
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.layers.batch_normalization_swap import synchronize_batch_normalization
from lightning_tf.optimizers.build_optimizers import build_optimizers
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.precision import check_models
from lightning_tf.run.training_state import TrainingState
from lightning_tf.variables import all_variables, components, unbuilt_layers

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


def build_models(trainer: Trainer, task: Task, method: str, element_spec: Any) -> None:
    """Make a task's models, where that has not been done, and the variables of all.

    Args:
        trainer: Gives the precision, which is Keras' global policy by now.
        task: Whose `configure_model` runs once.
        method: The step that shows a model built by its first call what it gets.
        element_spec: Of the batches.
    """
    task.make_models()
    layers = {name: c for name, c in components(task) if isinstance(c, keras.Layer)}
    if move_variables(all_variables(task)):
        drop_compiled_functions(layers.values())

    if trainer.placement.num_replicas > 1:
        synchronize_batch_normalization(layers.values(), all_layers=trainer.sync_batchnorm)

    if unbuilt_layers(task):
        # For this trace alone, whose step may ask for them by name.
        task.take_metrics(StageMetrics(task, trainer.placement).metrics)
        build_deferred_variables(task, method, trainer.placement, element_spec)
        task.take_metrics({})
    task.take_weights()
    check_models(type(task).__name__, layers, trainer.precision)


def build_training_state(trainer: Trainer, task: Task) -> TrainingState:
    """Make the optimizers and running values of a task's first fit."""
    optimizers = build_optimizers(
        task,
        task.configure_optimizers(),
        clipping=trainer_clipping(trainer),
        accumulating=trainer.accumulates,
        scaling=trainer.scales_loss,
        placement=trainer.placement,
    )
    _adopt_accumulation(trainer, optimizers)

    metrics = StageMetrics(task, trainer.placement)
    return TrainingState(optimizers, metrics, UnsyncedStatistics(task, trainer.placement))


def trainer_clipping(trainer: Trainer) -> Clipping | None:
    """Return the Trainer's clipping of gradients, or None."""
    if trainer.gradient_clip_val is None:
        return None
    return Clipping(trainer.gradient_clip_algorithm, trainer.gradient_clip_val)


def _adopt_accumulation(trainer: Trainer, optimizers: dict[str, NamedOptimizer]) -> None:
    """Let the Trainer accumulate where the optimizers came with gradient_accumulation_steps."""
    steps = {optimizer.keras_accumulation for optimizer in optimizers.values()}
    if steps == {1} or trainer.accumulates:
        return

    if len(steps) > 1:
        raise ConfigurationError(
            f"the optimizers' gradient_accumulation_steps differ ({sorted(steps)}); pass one "
            "accumulate_grad_batches to the Trainer."
        )
    trainer.schedule_accumulation({0: steps.pop()})
