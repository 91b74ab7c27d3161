"""ClassWeights: fit's class_weight, as weights of a batch's examples."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.checks import is_integer, is_number
from lightning_tf.exceptions import ConfigurationError


class ClassWeights:
    """Weighs training examples by their class.

    Args:
        weights: By class, counted from 0; a class that is not named weighs 1.

    Raises:
        ConfigurationError: It is no dict of numbers by class.

    Example:
        >>> ClassWeights({1: 3.0}).of(tf.constant([0, 1]), None).numpy()
        array([1., 3.], dtype=float32)
    """

    def __init__(self, weights: Mapping[int, float]) -> None:
        is_dict = isinstance(weights, Mapping) and weights
        if not is_dict or not all(
            is_integer(c) and c >= 0 and is_number(w) for c, w in weights.items()
        ):
            raise ConfigurationError(
                f"class_weight={weights!r}: give a dict of numbers by class, such as "
                "{0: 1.0, 1: 3.0}."
            )
        self._weights = [float(weights.get(c, 1.0)) for c in range(max(weights) + 1)]

    def of(self, y: Any, sample_weight: Any) -> tf.Tensor:
        """Return the weights of a batch's examples, of shape (batch,).

        Args:
            y: Classes of shape (batch,) or (batch, 1), or one-hot of shape (batch, classes).
            sample_weight: Of the batch; must be None.

        Raises:
            ConfigurationError: There are several outputs, or weights already.
        """
        if tf.nest.is_nested(y) or y is None:
            raise ConfigurationError(
                "class_weight is for models of one output, and the targets are a "
                f"{type(y).__name__}; give weights of the examples: data=(x, y, sample_weight)."
            )
        if sample_weight is not None:
            raise ConfigurationError(
                "class_weight and sample_weight are both given, which fit refuses too: multiply "
                "them into the sample weights."
            )

        if len(y.shape) > 1:
            y = tf.argmax(y, axis=-1) if y.shape[-1] != 1 else tf.squeeze(y, axis=-1)
        classes = tf.cast(tf.round(tf.cast(y, tf.float32)), tf.int32)  # (batch,)
        known = tf.constant(self._weights)  # (classes,)
        is_known = (classes >= 0) & (classes < len(self._weights))
        return tf.where(is_known, tf.gather(known, tf.where(is_known, classes, 0)), 1.0)
