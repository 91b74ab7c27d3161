"""The batches of a stage, as the Trainer's arguments and the workers want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.data.pipeline.splits import DEFAULT_FRACTIONS
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.loops.limits import limit_batches, limited
from lightning_tf.stage import TRAIN, Stage

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.data.data_module import DataModule
    from lightning_tf.data.named_sets import NamedSets
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


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
    dataset = data.dataset_for(stage.prefix, epoch, batch, trainer.placement.input_shard)
    if dataset is None:
        remedy = "return a batched tf.data.Dataset"
        if type(data).__module__.startswith("lightning_tf."):
            remedy = f"the data have no {stage.prefix} split: give them one"
            if stage.prefix in DEFAULT_FRACTIONS:
                name = f"{stage.prefix}_fraction"
                remedy += f", or hold one out with {name}=, such as data_options={{'{name}': 0.2}}"
        raise DataError(f"{type(data).__name__}.{stage.dataset} gave nothing; {remedy}.")
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


def overfitted_sets(trainer: Trainer, task: Task) -> tf.data.Dataset | NamedSets:
    """Return what `overfit_batches` validates on: the few training batches, of each set apart."""
    sets = data_of(task).sets_for(TRAIN.prefix, trainer.placement.input_shard)
    if None in sets or not sets:
        return training_dataset(trainer, task, epoch=0)
    return {name: _few(trainer, dataset) for name, dataset in sets.items() if name is not None}


def _few(trainer: Trainer, dataset: tf.data.Dataset | NamedSets) -> tf.data.Dataset:
    few, _ = limit_batches(dataset, trainer.overfit_batches, "overfit_batches", TRAIN.dataset)
    return few.cache()
