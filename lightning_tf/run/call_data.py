"""The data that a call of an entry point gives, in the place of the task's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from lightning_tf.checkpoint.search import is_checkpoint
from lightning_tf.checks import describe
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.given_data import STAGES
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import PREDICT, TEST, VALIDATE
from lightning_tf.storage.remote_data import local_data
from lightning_tf.task import Task

OF_ENTRY_POINTS = {stage.name: stage.prefix for stage in (VALIDATE, TEST, PREDICT)}


def check_task(task: Any, entry_point: str) -> None:
    """Refuse what is no task.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(task, Task):
        raise ConfigurationError(f"{entry_point} got {describe(task)}; give a lightning_tf.Task.")


def data_given(task: Any, entry_point: str, **given: Any) -> DataModule | None:
    """Return the data that an entry point was given, as the task makes a DataModule of them.

    Args:
        task: Any.
        entry_point: For messages.
        given: By the argument's name, what it was given; None is nothing. What `fit` calls
            ``train_data`` and ``val_data`` is called ``data`` elsewhere.

    Raises:
        ConfigurationError: It is a checkpoint, or no data that the task can take.
    """
    check_task(task, entry_point)
    given = {name: local_data(data) for name, data in given.items() if data is not None}
    for name, data in given.items():
        if is_checkpoint(data):
            raise ConfigurationError(
                f"{entry_point} got the checkpoint {os.fspath(data)!r} as {name}; give it by name: "
                f"ckpt_path={os.fspath(data)!r}."
            )
    if not given:
        return None
    if "val_data" in given and "train_data" not in given:
        raise ConfigurationError("fit got val_data without train_data; give both.")
    _refuse_targets_apart(given)
    stages = {"train_data": "train", "val_data": "val", "data": OF_ENTRY_POINTS.get(entry_point)}
    splits: dict[str, Any] = {}
    for name, data in given.items():
        splits |= _by_stage(str(stages[name]), data)
    return cast(Task, task).configure_data(splits)


def _by_stage(stage: str, data: Any) -> dict[str, Any]:
    """Return data by stage; a dict of stages says it itself, of which an evaluation takes its own.

    Raises:
        ConfigurationError: A dict of stages lacks the one that is wanted.
    """
    if not isinstance(data, Mapping) or not data or not set(data) <= set(STAGES):
        return {stage: data}
    if stage not in data:
        raise ConfigurationError(f"the data have {', '.join(data)} and no {stage!r}; give it, too.")
    return dict(data) if stage == "train" else {stage: data[stage]}


def _refuse_targets_apart(given: dict[str, Any]) -> None:
    """Refuse what Keras' fit takes: inputs and targets one after the other.

    Raises:
        ConfigurationError: Training and validation data are arrays of other shapes.
    """
    shapes = [
        tuple(given[name].shape)
        for name in ("train_data", "val_data")
        if hasattr(given.get(name), "shape")
    ]
    if len(shapes) == 2 and shapes[0][1:] != shapes[1][1:]:
        raise ConfigurationError(
            f"fit got train_data of shape {shapes[0]} and val_data of shape {shapes[1]}: give "
            "inputs and targets as a pair, fit(task, (x, y))."
        )


@contextmanager
def using_data(task: Any, entry_point: str, data: DataModule | None) -> Iterator[None]:
    """Let a task have other data inside the block."""
    if data is None:
        yield
        return
    before, task.data = task.data, data
    try:
        yield
    finally:
        if entry_point != "fit":  # a fit that goes on, and a checkpoint, need them
            task.data = before
