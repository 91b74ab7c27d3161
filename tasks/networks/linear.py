"""Linear softmax classifier."""

from __future__ import annotations

from typing import Any

import keras

from lightning_tf.tasks.networks.layer_factory import LayerFactory


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
