"""HubStyle: a SavedModel that takes any content and any style."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.image import Image
from lightning_tf.data.sources.repetitions import Repetitions
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import HubLayer
from lightning_tf.tasks.style_transfer.colors import matched_colors, with_colors_of
from lightning_tf.tasks.style_transfer.fast import unit_images

MAGENTA = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"


class HubStyle:
    """Arbitrary stylisation in one pass; nothing trains.

    Source: Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic
    stylization network", 2017, https://arxiv.org/abs/1705.06830.

    Args:
        content: The image that is stylised where no other is given, or None.
        style: The image of the style.
        colors: See `StyleTransfer`.
        hub: A SavedModel's folder or URL; it takes two batches of images in [0, 1], contents and
            styles, and gives one.
    """

    exports = False

    def __init__(
        self, content: Image | None, style: Image, colors: str, hub: str | os.PathLike[str]
    ) -> None:
        self.content, self._style, self._colors = content, style, colors
        self._hub = os.fspath(hub)
        self.data = Repetitions(1, predict=None if content is None else content.unit)

    def build(self) -> keras.Layer:
        """Load the SavedModel."""
        policy = keras.config.dtype_policy()
        if policy.compute_dtype != "float32":
            raise ConfigurationError(
                f"precision={policy.name!r}: the SavedModel {self._hub!r} computes in float32 "
                "alone, so the precision would change nothing; leave it out."
            )
        self.model = HubLayer(self._hub, name="stylization")
        return self.model

    def predict(self, batch: Any) -> tf.Tensor:
        """Stylised images, float32 in [0, 1], the size of the batch's."""
        contents = unit_images(batch)
        style = tf.repeat(tf.constant(self._style.unit), tf.shape(contents)[0], axis=0)
        if self._colors == "histogram":
            style = matched_colors(self._style.unit, contents)
        outputs = self.model(contents, style)
        made = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        shape = tf.shape(contents)
        # The network halves and doubles: sides that four does not divide come back longer.
        made = tf.ensure_shape(made[:, : shape[1], : shape[2]], contents.shape)
        made = tf.clip_by_value(made, 0.0, 1.0)
        return with_colors_of(contents, made) if self._colors == "luminance" else made

    def preview(self) -> NDArray[np.float32] | None:
        """Nothing: there is no progress to be shown."""
        return None

    def stylize(self, image: Image | None) -> Image:
        """The image in the style; without one, the content.

        Raises:
            ConfigurationError: There is neither.
        """
        image = image or self.content
        if image is None:
            raise ConfigurationError("stylize: give a path or an array, or the task content=.")
        return image.recolor(self.predict(image.unit))
