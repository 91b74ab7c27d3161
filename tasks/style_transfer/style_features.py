"""StyleFeatures: what the layers of a VGG network see in images."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.transfer_learning import keras_applications

NETWORKS = ("VGG16", "VGG19")
POOLINGS = ("average", "max")


class StyleFeatures:
    """The lower part of a VGG network, which never trains and stands in no checkpoint.

    The task must not hold it as a layer: 59 MB that never change would go into every checkpoint.

    Args:
        network: ``VGG16`` or ``VGG19``.
        weights: ``imagenet``, a local file of the network without its top, or None.
        layers: Names of layers whose outputs are returned; what lies above the last is dropped.
        pooling: ``max`` as the network was trained, or ``average``, which Gatys et al. found to
            give smoother images.

    Raises:
        ConfigurationError: A name is unknown, or the weights cannot be had.

    Attributes:
        layers: Of the network, up to the last one that is compared.
        smallest_side: Of an image that leaves a pixel in the last layer.

    Example:
        >>> features = StyleFeatures("VGG16", None, ["block2_conv1"])
        >>> features(tf.zeros((1, 32, 48, 3)))["block2_conv1"].shape
        TensorShape([1, 16, 24, 128])
    """

    def __init__(
        self, network: str, weights: Any, layers: Iterable[str], pooling: str = "average"
    ) -> None:
        self._names, self._network = set(layers), network
        model, self._preprocess, _ = keras_applications.build(network, weights, (None, None, 3))
        known = [layer.name for layer in model.layers[1:]]  # without the input
        for name in sorted(self._names):
            check_known(f"{network} has no layer {name!r}", name, known)

        last = max(known.index(name) for name in self._names)
        used = model.layers[1 : last + 2]
        self.layers = [_replace_pooling(layer, pooling) for layer in used]
        # Each pooling halves the sides, and the last one must leave a pixel.
        self.smallest_side = 2 ** sum(isinstance(each, keras.layers.MaxPooling2D) for each in used)

    def __call__(self, images: Any) -> dict[str, tf.Tensor]:
        """Return feature maps by layer, float32, shape (batch, height, width, channels).

        Args:
            images: Float in [0, 1], shape (batch, height, width, 3).
        """
        values = self._preprocess(tf.cast(images, tf.float32) * 255.0)
        maps = {}
        for layer in self.layers:
            values = layer(values)
            if layer.name in self._names:
                maps[layer.name] = tf.cast(values, tf.float32)  # the losses are float32
        return maps

    def check_size(self, name: str, height: int, width: int) -> None:
        """Refuse an image of which nothing would be left.

        Raises:
            ConfigurationError: Its shorter side is below `smallest_side`.
        """
        if min(height, width) < self.smallest_side:
            raise ConfigurationError(
                f"{name} has {width} x {height} pixels; the layers of {self._network} that are "
                f"compared need {self.smallest_side} or more each way: give a larger image, a "
                "larger size, or lower layers."
            )


def check_features(network: Any, weights: Any, pooling: Any) -> None:
    """Refuse names that `StyleFeatures` could not take, before anything is built.

    Raises:
        ConfigurationError: A name is unknown or the weights' file is missing.
    """
    check_known(f"network={network!r}", network, NETWORKS)
    check_known(f"pooling={pooling!r}", pooling, POOLINGS)
    keras_applications.check_weights(network, weights)


def _replace_pooling(layer: keras.Layer, pooling: str) -> keras.Layer:
    if pooling == "average" and isinstance(layer, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D(2, strides=2, name=layer.name)
    return layer
