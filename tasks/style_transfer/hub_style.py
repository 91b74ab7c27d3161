"""HubStyle: a SavedModel that takes any content and any style."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.images.image import Image
from lightning_tf.data.sources.repetitions import Repetitions
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import HubLayer, refuse_precision
from lightning_tf.tasks.style_transfer.colors import match_colors, take_colors_of
from lightning_tf.tasks.style_transfer.style_method import StyleMethod, unit_images

MAGENTA = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"


class HubStyle(StyleMethod):
    """Arbitrary stylization in one pass; nothing trains.

    Source: Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic
    stylization network", 2017, https://arxiv.org/abs/1705.06830.

    Args:
        content: The image that is stylized where no other is named, or None.
        styles: The one image of the style.
        colors: See `StyleTransfer`.
        hub: A SavedModel's folder or URL; it takes two batches of images in [0, 1], contents and
            styles, and gives one.

    Raises:
        ConfigurationError: There are several styles.
    """

    name = "hub"
    trains = False
    style_size = 256  # what the network of Ghiasi et al. was trained on

    def __init__(
        self,
        content: Image | None,
        styles: Sequence[Image],
        colors: str,
        hub: str | os.PathLike[str],
    ) -> None:
        if len(styles) > 1:
            raise ConfigurationError("method='hub' takes one style image; give one.")
        self.content, self._style, self._colors = content, styles[0], colors
        self._hub = os.fspath(hub)
        self.data = Repetitions(1, predict=None if content is None else content.unit)

    def build(self) -> keras.Layer:
        """Load the SavedModel.

        Raises:
            ConfigurationError: It cannot be loaded, or the run has another precision than float32.
        """
        refuse_precision(self._hub)
        self.model = HubLayer(self._hub, name="stylization")
        return self.model

    def predict(self, batch: Any) -> tf.Tensor:
        """Return stylized images, float32 in [0, 1], of the batch's size."""
        contents = unit_images(batch)
        style = tf.repeat(tf.constant(self._style.unit), tf.shape(contents)[0], axis=0)
        if self._colors == "histogram":
            style = match_colors(self._style.unit, contents)

        outputs = self.model(contents, style)
        stylized = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        shape = tf.shape(contents)
        # The network halves and doubles: sides that four does not divide come back longer.
        stylized = tf.ensure_shape(stylized[:, : shape[1], : shape[2]], contents.shape)
        stylized = tf.clip_by_value(stylized, 0.0, 1.0)  # (batch, height, width, 3)
        return take_colors_of(contents, stylized) if self._colors == "luminance" else stylized

    def stylize(self, image: Image | None) -> Image:
        """Return the image in the style; without one, the content.

        Raises:
            ConfigurationError: There is neither.
        """
        image = image or self.content
        if image is None:
            raise ConfigurationError("stylize: give a path or an array, or the task content=.")
        return image.recolor(self.predict(image.unit))
