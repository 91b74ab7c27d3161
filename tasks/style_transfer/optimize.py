"""OptimizedStyle: the pixels of one image are what trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.image import Image
from lightning_tf.data.sources.repetitions import Repetitions
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.style_transfer.colors import (
    luminance,
    matched_colors,
    matched_luminance,
    with_colors_of,
)
from lightning_tf.tasks.style_transfer.losses import Targets
from lightning_tf.tasks.style_transfer.settings import StyleSettings

STARTS = ("content", "noise")


class OptimizedStyle:
    """An image that starts as the content, or as noise, and moves towards content and style.

    Source: Gatys et al., 2016, as of `StyleLosses`.

    Args:
        content: The image to be stylised.
        styles: Images of the styles.
        settings: What is compared.
        colors: See `StyleTransfer`.
        start: ``content`` or ``noise``.
        steps_per_epoch: Updates that count as an epoch.

    Raises:
        ConfigurationError: `start` is unknown.
    """

    exports = False

    def __init__(
        self,
        content: Image,
        styles: Sequence[Image],
        settings: StyleSettings,
        colors: str,
        start: str,
        steps_per_epoch: int,
    ) -> None:
        if start not in STARTS:
            raise ConfigurationError(f"start={start!r}.{nearest(start, STARTS)}")
        self.content, self._styles, self.settings = content, styles, settings
        self._colors, self._start = colors, start
        self.data = Repetitions(steps_per_epoch, predict=content.unit)

    def build(self) -> keras.Layer:
        """Make the image, the loss network and what it aims at."""
        content = self.content.unit
        aim = np.asarray(luminance(content)) if self._colors == "luminance" else content
        features = self.settings.features()
        features.check_size("the content image", *content.shape[1:3])
        self.losses = self.settings.losses(features, [self._style(s.unit) for s in self._styles])
        self._targets = self.losses.content_targets(tf.constant(aim))
        start = aim
        if self._start == "noise":
            # An initializer follows the Trainer's seed; keras.random goes on where it was.
            noise = keras.initializers.RandomUniform(0.0, 1.0)(content.shape, "float32")
            start = keras.ops.convert_to_numpy(noise)
        self.model = TrainableImage(start)
        return self.model

    def attempt(self, batch: Any, training: bool) -> tuple[tf.Tensor, Targets]:
        """The image as it is, and the content's feature maps."""
        return self.model(batch), self._targets

    def predict(self, batch: Any) -> tf.Tensor:
        """The image with the colours that were asked for, for each example of the batch."""
        image = self._coloured()
        return tf.repeat(image, tf.shape(batch)[0], axis=0)

    def preview(self) -> NDArray[np.float32]:
        """The image as it is."""
        return np.asarray(self._coloured())

    def stylize(self, image: Image | None) -> Image:
        """The image.

        Raises:
            ConfigurationError: Another one is asked for.
        """
        if image is not None:
            raise ConfigurationError(
                "method='optimize' makes one image, that of content=; make a new task for "
                "another one, or call stylize() without an image."
            )
        return self.content.recolor(self.preview())

    def _style(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._colors == "histogram":
            return np.asarray(matched_colors(style, self.content.unit))
        if self._colors == "luminance":
            return matched_luminance(style, self.content.unit)
        return style

    def _coloured(self) -> tf.Tensor:
        image = self.model(None)
        if self._colors == "luminance":
            return with_colors_of(self.content.unit, image)
        return image


class TrainableImage(keras.layers.Layer):  # type: ignore[misc]
    """Gives its image, whatever it is called with.

    The image is float32 under every precision; what looks at it may compute in less. Pixels that
    an update moves out of [0, 1] are put back to the nearest end.

    Args:
        start: Float in [0, 1], shape (1, height, width, 3).

    Example:
        >>> TrainableImage(np.zeros((1, 8, 8, 3), "float32"))(None).shape
        TensorShape([1, 8, 8, 3])
    """

    def __init__(self, start: NDArray[np.float32]) -> None:
        super().__init__(name="image")
        self.pixels = self.add_weight(
            shape=start.shape,
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(start, dtype),
            constraint=InUnit(),
            autocast=False,
            name="pixels",
        )
        self.built = True

    def call(self, batch: Any) -> Any:
        """The image, shape (1, height, width, 3)."""
        return keras.ops.convert_to_tensor(self.pixels)


class InUnit(keras.constraints.Constraint):  # type: ignore[misc]
    """Clips to [0, 1]."""

    def __call__(self, weight: Any) -> Any:
        """The nearest values in [0, 1]."""
        return keras.ops.clip(weight, 0.0, 1.0)
