"""Multi-layer perceptron."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

UNITS = (512, 256)


def mlp(inputs: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Pass the flattened inputs through two hidden layers.

    Source: Rumelhart, Hinton and Williams, "Learning Representations by Back-Propagating Errors",
    1986, https://doi.org/10.1038/323533a0.

    Args:
        inputs: Float of shape (batch, ...).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = keras.layers.Flatten()(inputs)
    for units in UNITS:
        x = layers.drop(layers.dense(x, units))
    return layers.logits(x, num_classes)
