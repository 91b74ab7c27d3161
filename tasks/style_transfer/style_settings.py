"""StyleSettings: what a style transfer compares, checked before anything is built."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.style_transfer.losses import StyleLosses
from lightning_tf.tasks.style_transfer.style_features import StyleFeatures, check_features


@dataclass(frozen=True)
class StyleSettings:
    """Loss network, layers and weights.

    Args:
        network: ``VGG16`` or ``VGG19``.
        weights: Of the network: ``imagenet``, a file, or None.
        pooling: ``average`` or ``max``.
        content_layers: Names of layers.
        style_layers: Names of layers, or their weights by name.
        style_weights: A weight for each style image.
        content_weight: Of the content loss.
        style_weight: Of the style loss.
        tv_weight: Of the total variation.

    Raises:
        ConfigurationError: A name is unknown, a file is missing or a weight is out of range.
    """

    network: str
    weights: Any
    pooling: str
    content_layers: Sequence[str]
    style_layers: Sequence[str] | Mapping[str, float]
    style_weights: Sequence[float]
    content_weight: float
    style_weight: float
    tv_weight: float

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_features(self.network, self.weights, self.pooling)
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            if isinstance(layers, str) or not layers:
                raise ConfigurationError(f"{name}={layers!r}: give a list of names of layers.")

        for name in ("content_weight", "style_weight", "tv_weight"):
            _check_weights(name, [getattr(self, name)])
        _check_weights("style_weights", self.style_weights, positive=True)
        _check_weights("style_layers", list(self.layer_weights.values()), positive=True)

    @property
    def layer_weights(self) -> dict[str, float]:
        """Return the style layers with their weights, 1 where only names are known."""
        if isinstance(self.style_layers, Mapping):
            return dict(self.style_layers)
        return dict.fromkeys(self.style_layers, 1.0)

    def features(self) -> StyleFeatures:
        """Make the loss network; runs in the precision and placement of the run."""
        layers = [*self.content_layers, *self.layer_weights]
        return StyleFeatures(self.network, self.weights, layers, self.pooling)

    def losses(self, features: StyleFeatures, styles: Sequence[NDArray[np.float32]]) -> StyleLosses:
        """Make the losses; style images are float in [0, 1], (1, height, width, 3)."""
        for style in styles:
            features.check_size("the style image", *style.shape[1:3])
        return StyleLosses(
            features, self.content_layers, self.layer_weights, styles, self.style_weights
        )

    def total(self, losses: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the weighted sum that is minimized."""
        return (
            self.content_weight * losses["content_loss"]
            + self.style_weight * losses["style_loss"]
            + self.tv_weight * losses["tv_loss"]
        )


def _check_weights(name: str, weights: Sequence[Any], positive: bool = False) -> None:
    for weight in weights:
        is_finite = is_number(weight) and math.isfinite(weight)
        if not is_finite or weight < 0 or (positive and not weight):
            least = "above 0" if positive else "of at least 0"
            raise ConfigurationError(f"{name}: {weight!r} must be a number {least}.")
