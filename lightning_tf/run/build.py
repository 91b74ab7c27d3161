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
from lightning_tf.graph.deferred_build import build_deferred_variables, build_eagerly, first_batch
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.layers.batch_normalization_swap import synchronize_batch_normalization
from lightning_tf.layers.split_gru_cell import split_gates
from lightning_tf.optimizers.build_optimizers import build_optimizers
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.precision import check_models
from lightning_tf.run.step_variables import unmoved
from lightning_tf.run.training_state import TrainingState
from lightning_tf.stage import TRAIN
from lightning_tf.variables import all_variables, components, unbuilt_layers

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


def build_models(trainer: Trainer, task: Task, method: str, batches: tf.data.Dataset) -> None:
    """Make a task's models, where that has not been done, and the variables of all.

    Args:
        trainer: Gives the precision, which is Keras' global policy by now.
        task: Whose `configure_model` runs once.
        method: The step that shows a model built by its first call what it gets.
        batches: Of which only the spec is read, unless the step runs op by op.
    """
    task.make_models()
    layers = {name: c for name, c in components(task) if isinstance(c, keras.Layer)}
    if move_variables(all_variables(task)):
        drop_compiled_functions(layers.values())

    split_gates(layers.values())
    if trainer.placement.num_replicas > 1:
        synchronize_batch_normalization(layers.values(), all_layers=trainer.sync_batchnorm)

    if unbuilt_layers(task):
        # For this pass alone, whose step may ask for them by name.
        task.take_metrics(StageMetrics(task, trainer.placement).metrics)
        _build_by_step(trainer, task, method, batches)
        task.take_metrics({})
    task.take_weights()
    check_models(type(task).__name__, layers, trainer.precision)


def _build_by_step(trainer: Trainer, task: Task, method: str, batches: tf.data.Dataset) -> None:
    """Let a step build the models; where it reads optimizers, these are configured before.

    Most `configure_optimizers` may read built models, so that comes after, unless it cannot.
    """

    def build() -> None:
        if trainer.run_eagerly:
            with unmoved(trainer, task):
                build_eagerly(task, method, first_batch(method, batches))
        else:
            build_deferred_variables(task, method, trainer.placement, batches.element_spec)

    try:
        build()
    except (AttributeError, LookupError) as error:
        if method != TRAIN.step:
            raise
        if "build the layer" in str(error):  # Keras' words; it names no layer
            raise ConfigurationError(
                f"{method} reads a weight of a layer that its first call builds ({error}): build "
                "it in configure_model, with layer.build((None, features)) or keras.Input, or read "
                "the weight after the call."
            ) from error
        try:
            trainer.state.configure_optimizers(task)
        except Exception:
            raise error from None  # it reads the models in turn
        build()


def build_training_state(trainer: Trainer, task: Task, configured: Any) -> TrainingState:
    """Make the optimizers and running values of a task's first fit.

    Args:
        trainer: Gives the placement and what updates are made of.
        task: Whose models are built.
        configured: What its `configure_optimizers` gave.
    """
    optimizers = build_optimizers(
        task,
        configured,
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
