"""Predict: what happens around the loop that predicts."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.data.named_sets import by_name
from lightning_tf.graph.prediction_step import eager_prediction_step, trace_prediction_step
from lightning_tf.loops.limits import limited
from lightning_tf.loops.prediction_loop import PredictionLoop, PredictionSet
from lightning_tf.loops.training_data import stage_datasets
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.predictions import KeptPredictions, Predictions
from lightning_tf.run.session import compute_scope, look_up, session
from lightning_tf.run.spoken_lines import say_beginning
from lightning_tf.stage import PREDICT
from lightning_tf.untrained_weights import warn_of_untrained

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.checkpoint.search import CheckpointPath
    from lightning_tf.data.data_module import DataModule
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

Name = str | int | None  # of a data set; None where there is only one
Named = tuple[Name, Any]  # and the outputs of one of its batches


def predict(
    trainer: Trainer,
    task: Task,
    data: DataModule | None,
    ckpt_path: CheckpointPath | None,
    *,
    collect: bool,
) -> Any:
    """Return what `predict_step` gives for each batch, as host arrays; on every worker all of it.

    Of several data sets each batch comes with the name of its set; a list has a list for each set,
    a dict by name where they have names.

    What can be checked without the data is checked here, before anybody iterates.

    Args:
        trainer: Gives hooks, limits and precision.
        task: What predicts.
        data: In the place of the task's; None leaves these.
        ckpt_path: A checkpoint whose weights to take first, or None.
        collect: Run at once and return a list.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        ConfigurationError: The task has no `predict_step`, or an argument is of the wrong kind.
    """
    checkpoint = look_up(trainer, task, PREDICT.name, ckpt_path, data)
    named = _batches(trainer, task, data, ckpt_path, checkpoint)
    if collect:
        return _by_set(named)
    batches = _unnamed(named)
    if any(callback.consumes_predictions for callback in trainer.callbacks):
        return KeptPredictions(batches)
    return Predictions(batches)


def _batches(
    trainer: Trainer,
    task: Task,
    data: DataModule | None,
    ckpt_path: CheckpointPath | None,
    checkpoint: Checkpoint | None,
) -> Generator[Named, None, None]:
    with session(trainer, task, PREDICT.name, ckpt_path, found=checkpoint, data=data) as checkpoint:
        trainer.status.enter(PREDICT.name)
        given = by_name(stage_datasets(trainer, task, PREDICT))
        sets = {name: _limited(trainer, name, dataset) for name, dataset in given.items()}
        lengths = [length for _, length in sets.values()]
        known = sum(length for length in lengths if length is not None)
        trainer.status.note_num_batches(PREDICT, None if None in lengths else known)

        scope = partial(compute_scope, trainer)
        with scope():
            first, _ = next(iter(sets.values()))
            build_models(trainer, task, PREDICT.step, first)
            run_state.load_weights(task, checkpoint)
            say_beginning(trainer, task, has_own_data=data is None)
            warn_of_untrained(task, PREDICT.name)
            traced = [_traced(trainer, task, name, *each) for name, each in sets.items()]
            loop = PredictionLoop(trainer, traced, scope)
        yield from loop.run()


def _limited(trainer: Trainer, name: Name, dataset: Any) -> tuple[tf.data.Dataset, int | None]:
    what = PREDICT.dataset if name is None else f"{PREDICT.dataset}, data set {name!r},"
    return limited(trainer, PREDICT, dataset, what)


def _traced(
    trainer: Trainer, task: Task, name: Name, dataset: tf.data.Dataset, length: int | None
) -> PredictionSet:
    with trainer.status.on_dataset(None if name is None else str(name)):
        step = (
            eager_prediction_step(task)
            if trainer.run_eagerly
            else trace_prediction_step(task, dataset.element_spec, trainer.placement)
        )
    return PredictionSet(name, step, dataset, length)


def _unnamed(batches: Generator[Named, None, None]) -> Generator[Any, None, None]:
    """Yield the batches of one data set; those of several with the name of theirs."""
    with closing(batches):
        for name, outputs in batches:
            yield outputs if name is None else (name, outputs)


def _by_set(batches: Iterator[Named]) -> Any:
    """Return the batches of one data set in a list; of several a list or a dict of such lists."""
    sets: dict[Name, list[Any]] = {}
    for name, outputs in batches:
        sets.setdefault(name, []).append(outputs)
    if None in sets or not sets:
        return sets.get(None, [])
    is_list = all(isinstance(name, int) for name in sets)
    return list(sets.values()) if is_list else sets
