"""LayerFactory: the layers of one network, all with the same activation, initializer and so on."""

from collections.abc import Callable
from typing import Any

import keras

from lightning_tf.checks import checked_fraction
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.layers import FusedBatchNormalization

INITIALIZER_ALIASES = {
    "he": "he_normal",
    "xavier": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "normal": "random_normal",
}
NOT_NAMES = ("get", "serialize", "deserialize")
# Images of 64 and more come down to 32..63 in the first layer.
ENTRY_SIDE = 32


class LayerFactory:
    """Makes the layers of one network: convolution or dense, then normalization, then activation.

    Tensors are float of shape (batch, height, width, channels) or (batch, features).

    Args:
        activation: The hidden layers' activation, a name of `keras.activations` or a callable.
        initializer: The kernels' initializer: he, xavier, normal, truncated_normal, any name of
            `keras.initializers`, or an object. Each layer gets a copy of its own; an object with a
            seed gives the layers the seeds that follow it, so that equal shapes start differently.
        batch_norm: Whether a FusedBatchNormalization stands between a layer and its activation.
        dropout: The rate at which `drop` drops, 0 <= dropout < 1.

    Raises:
        ConfigurationError: If a name is unknown or the rate is out of range.

    Example:
        >>> layers = LayerFactory("relu", "he", batch_norm=True, dropout=0.0)
        >>> layers.convolution(keras.Input((8, 8, 3)), 16).shape
        (None, 8, 8, 16)
    """

    def __init__(
        self,
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        *,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.activation = _activation(activation)
        self._initializer = _initializer(initializer)
        self._initializers_made = 0
        self.batch_norm = batch_norm
        self.dropout = checked_fraction("dropout", dropout)

    def convolution(
        self,
        x: Any,
        filters: int,
        kernel_size: int = 3,
        *,
        strides: int = 1,
        padding: str = "same",
        activate: bool = True,
    ) -> Any:
        """Convolve, normalize and, unless `activate` is False, activate."""
        x = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=not self.batch_norm,
            kernel_initializer=self.initializer(),
        )(x)
        return self._finish(x, activate)

    def depthwise(self, x: Any, *, strides: int = 1) -> Any:
        """Convolve each channel alone with its own 3x3 kernel, normalize and activate."""
        x = keras.layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same",
            use_bias=not self.batch_norm,
            depthwise_initializer=self.initializer(),
        )(x)
        return self._finish(x, activate=True)

    def dense(self, x: Any, units: int) -> Any:
        """Weigh all features, normalize and activate."""
        x = keras.layers.Dense(
            units, use_bias=not self.batch_norm, kernel_initializer=self.initializer()
        )(x)
        return self._finish(x, activate=True)

    def activate(self, x: Any) -> Any:
        """Apply the network's activation."""
        return keras.layers.Activation(self.activation)(x)

    def pool(self, x: Any) -> Any:
        """Add the mean over all places: from (batch, height, width, channels) to (batch, channels).

        The axes are kept for the gradient, which would wait on a GPU; see `reduce_mean`.
        """
        return keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))

    def drop(self, x: Any) -> Any:
        """Drop values in training, where the network has dropout."""
        return keras.layers.Dropout(self.dropout)(x) if self.dropout else x

    def halve(self, x: Any, *, down_to: int = 2) -> Any:
        """Max-pool to half the side, unless the shorter side would fall below `down_to`."""
        return keras.layers.MaxPooling2D(2)(x) if min(x.shape[1:3]) >= 2 * down_to else x

    def entry(self, x: Any, filters: int) -> Any:
        """Convolve an image; sides of 64 and more are strided down to between 32 and 63."""
        strides = entry_strides(x)
        return self.convolution(x, filters, 2 * strides + 1, strides=strides)

    def logits(self, x: Any, units: int) -> Any:
        """Finish with float32 logits, also under mixed precision."""
        return keras.layers.Dense(
            units, kernel_initializer=self.initializer(), dtype="float32", name="logits"
        )(x)

    def initializer(self) -> keras.Initializer:
        """Copy the initializer for one layer."""
        if not isinstance(self._initializer, keras.Initializer):
            return self._initializer

        # Equal seeds would start layers of one shape alike.
        config = self._initializer.get_config()
        if isinstance(config.get("seed"), int):
            config["seed"] += self._initializers_made
        self._initializers_made += 1
        return type(self._initializer).from_config(config)

    def _finish(self, x: Any, activate: bool) -> Any:
        if self.batch_norm:
            x = FusedBatchNormalization()(x)
        return self.activate(x) if activate else x


def entry_strides(images: Any) -> int:
    """Return the power of two that brings an image's shorter side to between 32 and 63."""
    strides = 1
    while min(images.shape[1:3]) // (2 * strides) >= ENTRY_SIDE:
        strides *= 2
    return strides


def _names(module: Any) -> set[str]:
    names = {name for name in dir(module) if name.islower() and not name.startswith("_")}
    return names.difference(NOT_NAMES)


def _activation(activation: str | Callable[[Any], Any]) -> Any:
    if callable(activation):
        return activation
    known = _names(keras.activations)
    if activation not in known:
        raise ConfigurationError(
            f"activation={activation!r} is no name of keras.activations and no callable."
            + nearest(activation, known)
        )
    return keras.activations.get(activation)


def _initializer(initializer: str | keras.Initializer) -> Any:
    if callable(initializer):
        return initializer() if isinstance(initializer, type) else initializer
    known = _names(keras.initializers) | INITIALIZER_ALIASES.keys()
    if initializer not in known:
        raise ConfigurationError(
            f"initializer={initializer!r} is no name of keras.initializers and no initializer."
            + nearest(initializer, known)
        )
    return keras.initializers.get(INITIALIZER_ALIASES.get(initializer, initializer))
