"""The batches of a stage, as the Trainer's arguments and the workers want them."""

from __future__ import annotations

import inspect
import logging
import math
from typing import TYPE_CHECKING

from lightning_tf.data.pipeline.splits import DEFAULT_FRACTIONS
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.loops.limits import is_endless, length_of, limit_batches, limited
from lightning_tf.stage import TRAIN, VALIDATE, Stage

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.data.data_module import DataModule
    from lightning_tf.data.named_sets import NamedSets
    from lightning_tf.distribute.input_shard import InputShard
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LONG_WAY = 100  # batches that are worth a word before they are read for nothing


def data_of(task: Task | None) -> DataModule:
    """Return a task's data, which the session has checked."""
    data: DataModule | None = None if task is None else task.data
    if data is None:
        raise ConfigurationError("there is no task with data: call fit, validate or test first.")
    return data


def stage_datasets(
    trainer: Trainer, task: Task, stage: Stage, epoch: int = 0, batch: int = 0
) -> tf.data.Dataset | NamedSets:
    """Return the batches of a stage that must have some; on a worker its own rows of each.

    Raises:
        DataError: The data module gives none.
    """
    data = data_of(task)
    if stage is TRAIN and data.steps_per_epoch is not None:
        return _going_on(data, epoch, batch, trainer.placement.input_shard)
    dataset = data.dataset_for(stage.prefix, epoch, batch, trainer.placement.input_shard)
    if dataset is None:
        remedy = "return a batched tf.data.Dataset"
        if type(data).__module__.startswith("lightning_tf."):
            remedy = f"the data have no {stage.prefix} split: {_ways_to_give(task, stage)}"
        raise DataError(f"{type(data).__name__}.{stage.dataset} gave nothing; {remedy}.")
    return dataset


def _ways_to_give(task: Task, stage: Stage) -> str:
    """Return how a task takes data of a stage that its own data do not have."""
    taken = inspect.signature(type(task)).parameters
    to_call = f"call trainer.{stage.name}(task, data)"
    if "data_options" in taken:
        name = f"{stage.prefix}_fraction"
        hold_out = f", or hold one out with {name}=, such as data_options={{'{name}': 0.2}}"
        return "give them one" + (hold_out if stage.prefix in DEFAULT_FRACTIONS else "")
    if "test_data" in taken and stage is not VALIDATE:
        return f"pass test_data=, or {to_call}"
    return f"give data={{'train': ..., '{stage.prefix}': ...}}, or {to_call}"


def _going_on(
    data: DataModule, epoch: int, batch: int, input_shard: InputShard | None
) -> tf.data.Dataset:
    """Return the batches of an epoch of `steps_per_epoch`, which goes on in the data.

    The last epoch of a pass over the data has those that are left, and the next one begins anew, as
    in Keras' fit. Data that repeat for ever are one stream, of which the loop takes as many.
    """
    dataset = data.dataset_for(TRAIN.prefix, 0, 0, input_shard)
    if dataset is None:
        raise DataError(f"{type(data).__name__} has no training data.")
    if is_endless(dataset):
        return dataset if epoch == batch == 0 else _required(data, epoch, batch, input_shard)

    steps, length = data.steps_per_epoch or 1, length_of(dataset)
    if length is None:
        raise ConfigurationError(
            f"steps_per_epoch={steps}: nobody knows how many batches the data have, and so where "
            "an epoch goes on; tell it with tf.data.experimental.assert_cardinality, or let them "
            "end with .repeat()."
        )
    passes, part = divmod(epoch, math.ceil(length / steps))
    start = part * steps
    count = min(steps, length - start)
    return _required(data, passes, start + batch, input_shard).take(count - batch)


def whole_pass(trainer: Trainer, task: Task) -> tf.data.Dataset | None:
    """Return the first pass over data whose epochs go on in them; None where an epoch is all.

    What an epoch takes of it differs from epoch to epoch, and says nothing of other data.
    """
    data = data_of(task)
    if data.steps_per_epoch is None:
        return None
    return data.dataset_for(TRAIN.prefix, 0, 0, trainer.placement.input_shard)


def _required(
    data: DataModule, epoch: int, batch: int, input_shard: InputShard | None
) -> tf.data.Dataset:
    dataset = data.dataset_for(TRAIN.prefix, epoch, batch, input_shard)
    if dataset is None:
        raise DataError(f"{type(data).__name__} has no training data in epoch {epoch}.")
    return dataset


def upcoming_epoch(trainer: Trainer, task: Task) -> tf.data.Dataset:
    """Return the batches of the epoch to come; schedules know their number from now on."""
    dataset = training_dataset(trainer, task, trainer.current_epoch)
    _, length = limited(trainer, TRAIN, dataset)
    trainer.status.note_num_batches(TRAIN, length)
    return dataset


def training_dataset(trainer: Trainer, task: Task, epoch: int, batch: int = 0) -> tf.data.Dataset:
    """Return the training batches of an epoch, from a batch on."""
    if not trainer.overfit_batches:
        return stage_datasets(trainer, task, TRAIN, epoch, batch)

    # The same few in every epoch, read once.
    return _few(trainer, stage_datasets(trainer, task, TRAIN)).skip(batch)


def training_from(trainer: Trainer, task: Task, epoch: int, batch: int) -> tf.data.Dataset:
    """Return the training batches from where a run goes on; say so where the way there is long."""
    data = data_of(task)
    is_far = batch >= LONG_WAY and not trainer.overfit_batches
    if is_far and data.reads_before(epoch, batch):
        keeps = f"{type(data).__name__}.resume_by = 'iterator' keeps the place in checkpoints, and "
        can_keep = not data.is_stream and data.resume_by == "skip"
        log.info(
            "to come to batch %d, the training data before it are read again and dropped; %sa "
            "grain.MapDataset begins at any batch (docs/data_at_scale.md).",
            batch,
            keeps if can_keep else "",
        )
    return training_dataset(trainer, task, epoch, batch)


def overfitted_sets(trainer: Trainer, task: Task) -> tf.data.Dataset | NamedSets:
    """Return what `overfit_batches` validates on: the few training batches, of each set apart."""
    sets = data_of(task).sets_for(TRAIN.prefix, trainer.placement.input_shard)
    if None in sets or not sets:
        return training_dataset(trainer, task, epoch=0)
    return {name: _few(trainer, dataset) for name, dataset in sets.items() if name is not None}


def _few(trainer: Trainer, dataset: tf.data.Dataset | NamedSets) -> tf.data.Dataset:
    few, _ = limit_batches(dataset, trainer.overfit_batches, "overfit_batches", TRAIN.dataset)
    return few.cache()
