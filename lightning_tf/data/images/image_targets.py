"""Targets of images that are no classes: several labels of an image, or numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import check_known
from lightning_tf.data.tables.float32_loss import needs_float64
from lightning_tf.exceptions import ConfigurationError, DataError

CLASSIFICATION, MULTI_LABEL, REGRESSION = "classification", "multi_label", "regression"
OBJECTIVES = (CLASSIFICATION, MULTI_LABEL, REGRESSION)
"""What is learned of an image: its class, which of several labels it has, or numbers."""


def checked_objective(objective: str | None) -> str:
    """Return what is to be learned; classification where None.

    Raises:
        ConfigurationError: It is none of `OBJECTIVES`.
    """
    chosen = CLASSIFICATION if objective is None else objective
    check_known(f"objective={objective!r}", chosen, OBJECTIVES)
    return chosen


def refuse_classes(objective: str, **options: Any) -> None:
    """Refuse options of classes where something else is learned.

    Raises:
        ConfigurationError: Names the options.
    """
    chosen = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    if objective != CLASSIFICATION and chosen:
        raise ConfigurationError(
            f"objective={objective!r} has no classes: drop {', '.join(chosen)}."
        )


def checked_targets(name: str, targets: Any, objective: str) -> NDArray[Any]:
    """Return targets of shape (examples, targets): float32 of 0 and 1, or floats as they are.

    Args:
        name: The split that they belong to, for messages.
        targets: Of shape (examples, labels) for several labels; (examples,) or (examples, numbers)
            for numbers.
        objective: ``multi_label`` or ``regression``.

    Raises:
        DataError: They have another shape or dtype, a label is neither 0 nor 1, or a number is
            missing or infinite.

    Example:
        >>> checked_targets("train", [[True, False]], "multi_label").tolist()
        [[1.0, 0.0]]
    """
    array: NDArray[Any] = np.asarray(targets)
    if objective == REGRESSION and array.ndim == 1:
        array = array[:, np.newaxis]
    wanted = "0 and 1 of shape (examples, labels)"
    if objective == REGRESSION:
        wanted = "numbers of shape (examples,) or (examples, targets)"
    if array.dtype.kind not in "biuf" or array.ndim != 2 or 0 in array.shape[1:]:
        raise DataError(
            f"The {name} targets have dtype {array.dtype} and shape {array.shape}; "
            f"objective={objective!r} takes {wanted}."
        )

    is_right = np.isfinite(array) if objective == REGRESSION else (array == 0) | (array == 1)
    if not is_right.all():
        row, column = np.argwhere(~is_right)[0]
        raise DataError(
            f"{int((~is_right).any(axis=1).sum())} of the {len(array)} {name} examples have "
            f"targets that are none of the {wanted}, the first is {array[row, column]} at index "
            f"{row}, column {column}."
        )
    if objective == MULTI_LABEL:
        return array.astype(np.float32)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def check_same_targets(name: str, targets: NDArray[Any], count: int) -> None:
    """Refuse a held-out split with another number of targets than training.

    Raises:
        DataError: Names the split and both numbers.
    """
    if targets.shape[1] != count:
        raise DataError(
            f"The {name} split has {targets.shape[1]} targets, that of training {count}."
        )


def with_precision(targets: NDArray[Any], training: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return targets as float32, or as float64 where float32 would make different ones equal.

    Args:
        targets: Of shape (examples, targets).
        training: Those of the training split, which decide; None takes all.
    """
    decide = targets if training is None else training
    is_precise = any(needs_float64(column.astype(np.float64)) for column in decide.T)
    return targets.astype(np.float64 if is_precise else np.float32)
