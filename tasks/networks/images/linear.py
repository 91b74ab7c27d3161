"""Linear softmax classifier."""

from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory


def linear(inputs: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Weigh the inputs' values into one logit for each class: multinomial logistic regression.

    Source: J. S. Bridle, "Probabilistic Interpretation of Feedforward Classification Network
    Outputs", 1990, https://doi.org/10.1007/978-3-642-76153-9_28.

    Args:
        inputs: Float of shape (batch, ...).
        num_classes: At least two.
        layers: Makes the layer.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    return layers.logits(keras.layers.Flatten()(inputs), num_classes)


def logistic(inputs: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Weigh the inputs' values into one logit z and give the logits [0, z] of two classes.

    The softmax of [0, z] is exactly [1 - sigmoid(z), sigmoid(z)].

    Source: D. R. Cox, "The Regression Analysis of Binary Sequences", 1958,
    https://doi.org/10.1111/j.2517-6161.1958.tb00292.x.

    Args:
        inputs: Float of shape (batch, ...).
        num_classes: Two.
        layers: Makes the layer.

    Returns:
        Float32 logits of shape (batch, 2).

    Raises:
        ConfigurationError: If there are not two classes.
    """
    if num_classes != 2:
        raise ConfigurationError(
            f"network 'logistic' tells 2 classes apart, num_classes={num_classes}. "
            "Use 'linear' for more classes, or choose two of them."
        )
    logit = layers.logits(keras.layers.Flatten()(inputs), 1)  # (batch, 1)
    return keras.ops.concatenate([keras.ops.zeros_like(logit), logit], axis=-1)
