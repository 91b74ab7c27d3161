"""Limits of a run: how many batches a stage takes, and how much time a fit may take."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.checks import is_number
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.stage import TRAIN, Stage
from lightning_tf.tensorflow_internals import repeats_for_ever

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

Limit = int | float


def check_limit(name: str, limit: Limit) -> None:
    """Refuse a limit that is neither a count of batches nor a fraction of them.

    Raises:
        ConfigurationError: The limit is negative, or a float outside 0..1.
    """
    if not is_number(limit) or not limit >= 0:
        raise ConfigurationError(f"{name}={limit!r}: give a count of batches, or a fraction 0..1.")
    if isinstance(limit, float) and limit > 1.0:
        raise ConfigurationError(f"{name}={limit!r}: a fraction is at most 1.0; a count is an int.")


def length_of(dataset: tf.data.Dataset) -> int | None:
    """Return the number of batches; None where it is unknown, or the data set repeats for ever."""
    cardinality = int(dataset.cardinality())
    return cardinality if cardinality >= 0 else None


def is_endless(dataset: tf.data.Dataset) -> bool:
    """Return whether the data set repeats for ever."""
    return repeats_for_ever(dataset)


def limited(
    trainer: Trainer, stage: Stage, dataset: Any, what: str | None = None
) -> tuple[tf.data.Dataset, int | None]:
    """Apply the Trainer's limit for a stage to its data set, which must come to an end.

    Training data that repeat for ever are one stream, which goes on in the next epoch: they are
    not cut off.

    Args:
        trainer: Whose limit it is.
        stage: Whose data set it is.
        dataset: A batched data set.
        what: The data set, for messages; the stage's method where None.

    Returns:
        The data set and the length of an epoch, None where it is unknown.

    Raises:
        DataError: It is no tf.data.Dataset, or empty.
        ConfigurationError: The limit does not fit the data set, or nothing would end the stage.
    """
    limit, what = getattr(trainer, stage.limit), what or stage.dataset
    data = trainer.task.data if stage is TRAIN and trainer.task is not None else None
    if data is not None and isinstance(limit, float) and limit == 1.0:
        limit = data.steps_per_epoch or limit
    batches, length = limit_batches(dataset, limit, stage.limit, what)

    # Updates and time end a fit in the middle of an epoch too, and no other stage.
    may_be_endless = stage is TRAIN and (trainer.max_steps, trainer.max_seconds) != (None, None)
    if is_endless(batches) and not may_be_endless:
        raise ConfigurationError(f"{what} repeats for ever; give {stage.limit} a count of batches.")
    return dataset if stage is TRAIN and is_endless(dataset) else batches, length


def limit_batches(
    dataset: Any, limit: Limit, limit_name: str, what: str
) -> tuple[tf.data.Dataset, int | None]:
    """Apply a ``limit_*_batches`` argument.

    Args:
        dataset: A batched data set.
        limit: A count, or a fraction of the data set's length.
        limit_name: The Trainer's argument, for messages.
        what: Such as ``train_dataset``, for messages.

    Returns:
        The data set and its length, None where it is unknown.

    Raises:
        DataError: It is no tf.data.Dataset, or empty.
        ConfigurationError: A fraction of an unknown length, or one that comes to no batch at all.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise DataError(f"{what} gave {type(dataset).__name__}; give a batched tf.data.Dataset.")
    length = length_of(dataset)
    if length == 0:
        raise DataError(f"{what} is empty: it holds no batch.")

    if isinstance(limit, int):
        if length is not None and limit >= length:
            return dataset, length
        endless = length is None and is_endless(dataset)
        return dataset.take(limit), limit if length is not None or endless else None

    if limit == 1.0:
        return dataset, length
    if length is None:
        raise ConfigurationError(
            f"{limit_name}={limit!r}: {what} has no known length; give a count of batches."
        )

    count = int(length * limit + 1e-9)  # 0.29 of 100 is 29, whatever binary fractions say
    if count == 0:
        raise ConfigurationError(
            f"{limit_name}={limit!r} of {length} batches is none; give "
            f"{math.ceil(1000 / length) / 1000} or more."
        )
    return dataset.take(count), count


def seconds(max_time: Any) -> float | None:
    """Return a duration in seconds.

    Args:
        max_time: None, ``"DD:HH:MM:SS"``, a timedelta, or a dict of timedelta's arguments.

    Raises:
        ConfigurationError: It is none of these.

    Example:
        >>> seconds("00:01:30:00")
        5400.0
    """
    if max_time is None:
        return None

    try:
        if isinstance(max_time, str):
            days, hours, minutes, rest = (int(part) for part in max_time.split(":"))
            max_time = timedelta(days=days, hours=hours, minutes=minutes, seconds=rest)
        elif isinstance(max_time, dict):
            max_time = timedelta(**max_time)
        duration = float(max_time.total_seconds())
    except (TypeError, ValueError, AttributeError):
        duration = -1.0  # refused below, as a negative one is

    if duration < 0.0:
        raise ConfigurationError(
            f"max_time={max_time!r}: give 'DD:HH:MM:SS', a timedelta or a dict such as "
            "{'minutes': 30}."
        )
    return duration


def as_seconds(duration: float | timedelta) -> float:
    """Return a duration in seconds, which it is unless it is a timedelta."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
