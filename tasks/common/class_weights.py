"""class_weights: how much an example of each class counts in the training loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import is_number
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.training_targets import training_targets
from lightning_tf.exceptions import ConfigurationError, nearest

BALANCED = "balanced"
ClassWeight = str | Mapping[Any, float] | None


def check_class_weight(class_weight: ClassWeight, sampling: str | None = None) -> None:
    """Refuse what is neither ``balanced`` nor a weight by class, before data are read.

    Args:
        class_weight: See `class_weights`.
        sampling: How examples are drawn, see `IndexedData`.

    Raises:
        ConfigurationError: Names the value; or rare classes are to be made up for twice.
    """
    if sampling is not None and class_weight == BALANCED:
        raise ConfigurationError(
            "class_weight='balanced' and sampling='balanced' would make up for rare classes twice; "
            "give one of them."
        )
    if class_weight is None or class_weight == BALANCED:
        return
    if not isinstance(class_weight, Mapping):
        raise ConfigurationError(
            f"class_weight={class_weight!r}: give 'balanced', or a weight by class, such as "
            "{'cat': 1.0, 'dog': 2.5}."
        )
    for name, weight in class_weight.items():
        if not is_number(weight) or not math.isfinite(weight) or weight < 0:
            raise ConfigurationError(
                f"class_weight of {name!r} is {weight!r}; give a number, 0 or more."
            )


def class_weights(
    class_weight: ClassWeight, data: DataModule, class_names: Sequence[str]
) -> NDArray[np.float32]:
    """Return the weight of each class, float32 of shape (classes,).

    ``balanced`` is examples / (classes x examples of the class), as in scikit-learn (King and Zeng
    2001, https://doi.org/10.1093/oxfordjournals.pan.a004868): all classes weigh the same together.
    Classes that a mapping leaves out weigh 1, as in Keras.

    Args:
        class_weight: ``balanced``, or weights by name or number of the class.
        data: Set up; ``balanced`` counts the training labels.
        class_names: In the order of labels.

    Raises:
        ConfigurationError: A class is unknown.

    Example:
        >>> class_weights({"dog": 2.0}, DataModule(), ["cat", "dog"]).tolist()
        [1.0, 2.0]
    """
    names = [str(name) for name in class_names]
    if class_weight == BALANCED:
        labels = training_targets(data).reshape(-1).astype(np.int64)
        counts = np.bincount(labels, minlength=len(names))
        # A class without training examples weighs nothing that is ever seen.
        weights = counts.sum() / (len(names) * np.maximum(counts, 1))
        return np.asarray(weights, np.float32)

    weights = np.ones(len(names), np.float32)
    for name, weight in dict(class_weight or {}).items():  # type: ignore[arg-type]
        # A checkpoint's hyperparameters have text for numbers.
        place = names.index(str(name)) if str(name) in names else str(name)
        if not str(place).isdecimal() or int(place) >= len(names):
            raise ConfigurationError(f"class_weight: no class is {name!r}.{nearest(name, names)}")
        weights[int(place)] = weight
    return weights
