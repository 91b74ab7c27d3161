"""Statistics of BatchNormalization for weights that no batch was trained with."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.checkpoint.io import assign_tensors, read_values
from lightning_tf.distribute.combined_batch import step_batch
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.exceptions import DataError
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.losses import scalar_loss
from lightning_tf.graph.step_weight import StepWeight, split_weight
from lightning_tf.graph.training_step import Gradients, Values
from lightning_tf.graph.window import Window
from lightning_tf.keras_internals import flat_layers, wrapped_variable
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import is_endless, limited
from lightning_tf.loops.training_data import training_dataset
from lightning_tf.run.run_state import everything
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.stage import TRAIN
from lightning_tf.step_context import StepContext, enter_step_context
from lightning_tf.variables import components

if TYPE_CHECKING:
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class ForwardStep(EvaluationStep):
    """`training_step` without gradients and updates.

    Args:
        task: Gives the step.
        training: Knows what replicas keep for themselves.
    """

    def __init__(self, task: Task, training: TrainingState) -> None:
        super().__init__(task, TRAIN.step)
        self._training = training

    def __call__(
        self,
        batch: Any,
        ready: tf.Tensor,
        replica_batch: ReplicaBatch | None = None,
        around: StepContext | None = None,
    ) -> tuple[Values, Values, Gradients, StepWeight | None]:
        """Run one batch; nothing is kept of it but the statistics that layers move."""

        def minimize(name: str, loss_fn: Any, when: Any) -> tf.Tensor:
            return scalar_loss(loss_fn(), f"minimize({name!r})")

        context = replace(
            around or StepContext(), logged={}, minimize=minimize, replica_batch=replica_batch
        )
        with enter_step_context(context), self._training.statistics.keep_where_idle(replica_batch):
            returned = self.task.training_step(step_batch(batch))
        _, given = split_weight(returned, self._training.optimizers)
        if given is None:
            return {}, {}, {}, None
        return {}, {}, {}, StepWeight.of(given, self.method, None, replica_batch)


def batch_normalizations(task: Task) -> list[keras.layers.BatchNormalization]:
    """Return the layers whose statistics training moves."""
    roots = [each for _, each in components(task) if isinstance(each, keras.Layer)]
    layers = {id(layer): layer for root in roots for layer in flat_layers(root)}
    kind = keras.layers.BatchNormalization
    return [each for each in layers.values() if isinstance(each, kind) and each.trainable]


def statistics_of(layers: list[keras.layers.BatchNormalization]) -> list[Any]:
    """Return the moving means and variances of layers."""
    return [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]


def recompute_statistics(trainer: Trainer, task: Task) -> None:
    """Recompute the statistics of BatchNormalization in one pass over the training data.

    Means and variances of the batches, as training sees them, are averaged over the examples, or
    by the step's weights. All else that the pass moves is put back: metrics, random generators.

    Args:
        trainer: At the end of a fit.
        task: With the weights that are meant.
    """
    layers = batch_normalizations(task)
    if not layers or trainer.training is None:
        return
    epoch = max(trainer.progress.epoch - 1, 0)
    dataset, length = limited(trainer, TRAIN, training_dataset(trainer, task, epoch))
    if length is None and is_endless(dataset):
        log.warning(
            "the training data repeat for ever: statistics of BatchNormalization stay those of "
            "the last updates; give limit_train_batches a count."
        )
        return

    statistics = statistics_of(layers)
    moved = {id(wrapped_variable(variable)) for variable in statistics}
    kept = {
        name: variable
        for name, variable in everything(trainer, task).items()
        if id(wrapped_variable(variable)) not in moved
    }
    values, generators = read_values(kept), random_state()
    try:
        means = _means(trainer, task, layers, dataset, length)
    finally:
        assign_tensors(kept, values, "the pass over the training data")
        restore_random_state(generators)
    for variable, mean in zip(statistics, means, strict=True):
        variable.assign(mean)


def _means(
    trainer: Trainer,
    task: Task,
    layers: list[keras.layers.BatchNormalization],
    dataset: tf.data.Dataset,
    length: int | None,
) -> list[np.ndarray]:
    """Return the means of each layer's statistics over the batches, by examples."""
    training = trainer.training
    if training is None:
        raise RuntimeError("a fit has training state")
    task.take_metrics(training.metrics.metrics)

    statistics = statistics_of(layers)
    sums = [np.zeros(v.shape, np.float64) for v in statistics]
    total = batches = 0.0
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0  # what it then holds is the batch's own
        window = Window(
            ForwardStep(task, training),
            training.metrics,
            trainer.placement,
            dataset.element_spec,
            known_length=False,
        )
        with EpochIterator(dataset) as epoch:
            while length is None or batches < length:
                result = window(epoch.iterator, 1, window.zero, position=trainer.progress.position)
                if not int(result.batches):
                    break
                training.statistics.average()
                counted, batches = float(result.sums[-1]), batches + 1
                if not counted > 0.0:  # the step skips it
                    continue
                total += counted
                for i, variable in enumerate(statistics):
                    sums[i] += counted * np.asarray(variable.numpy(), np.float64)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not total:
        raise DataError("training skips every batch: BatchNormalization has no statistics.")
    return [each / total for each in sums]
