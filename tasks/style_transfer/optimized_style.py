"""OptimizedStyle: the pixels of one image are what trains."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import check_known
from lightning_tf.data.images.image import Image
from lightning_tf.data.sources.repetitions import Repetitions
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.style_transfer.colors import (
    luminance,
    match_colors,
    match_luminance,
    take_colors_of,
)
from lightning_tf.tasks.style_transfer.losses import Targets
from lightning_tf.tasks.style_transfer.style_method import StyleMethod
from lightning_tf.tasks.style_transfer.style_settings import StyleSettings

STARTS = ("content", "noise")


class OptimizedStyle(StyleMethod):
    """An image that starts as the content, or as noise, and moves towards content and style.

    Source: Gatys et al., 2016, as of `StyleLosses`.

    Args:
        content: The image to be stylized.
        styles: Images of the styles.
        settings: What is compared.
        colors: See `StyleTransfer`.
        start: ``content`` or ``noise``.
        steps_per_epoch: Updates that count as an epoch.

    Raises:
        ConfigurationError: `start` is unknown.
    """

    name = "optimize"
    image_size = 512
    learning_rate = 0.02
    style_weight = 5.0
    content_layers = ("block4_conv2",)
    style_layers = tuple(f"block{block}_conv1" for block in range(1, 6))

    def __init__(
        self,
        content: Image,
        styles: Sequence[Image],
        settings: StyleSettings,
        colors: str,
        *,
        start: str,
        steps_per_epoch: int,
    ) -> None:
        check_known(f"start={start!r}", start, STARTS)
        self.content, self._styles, self.settings = content, styles, settings
        self._colors, self._start = colors, start
        self.data = Repetitions(steps_per_epoch, predict=content.unit)

    def build(self) -> keras.Layer:
        """Make the image, the loss network and the targets."""
        content = self.content.unit  # (1, height, width, 3)
        target = np.asarray(luminance(content)) if self._colors == "luminance" else content

        features = self.settings.features()
        features.check_size("the content image", *content.shape[1:3])
        styles = [self._adapt_style(style.unit) for style in self._styles]
        self.losses = self.settings.losses(features, styles)
        # The content never changes: its feature maps are computed once, not at every update.
        self._targets = self.losses.content_targets(tf.constant(target))

        start = target
        if self._start == "noise":
            # An initializer follows the Trainer's seed; keras.random goes on where it was.
            noise = keras.initializers.RandomUniform(0.0, 1.0)(content.shape, "float32")
            start = keras.ops.convert_to_numpy(noise)
        self.model = TrainableImage(start)
        return self.model

    def attempt(self, batch: Any, training: bool) -> tuple[tf.Tensor, Targets]:
        """Return the image as it is, and the content's feature maps."""
        return self.model(batch), self._targets

    def predict(self, batch: Any) -> tf.Tensor:
        """Return the image in the colors that were asked for, once for each example of a batch."""
        return tf.repeat(self._colored(), tf.shape(batch)[0], axis=0)

    def preview(self) -> NDArray[np.float32]:
        """Return the image as it is, shape (1, height, width, 3)."""
        return np.asarray(self._colored())

    def stylize(self, image: Image | None) -> Image:
        """Return the image.

        Raises:
            ConfigurationError: Another one is asked for.
        """
        if image is not None:
            raise ConfigurationError(
                "method='optimize' makes one image, that of content=; make a new task for "
                "another one, or call stylize() without an image."
            )
        return self.content.recolor(self.preview())

    def _adapt_style(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._colors == "histogram":
            return np.asarray(match_colors(style, self.content.unit))
        if self._colors == "luminance":
            return match_luminance(style, self.content.unit)
        return style

    def _colored(self) -> tf.Tensor:
        image = self.model(None)
        if self._colors == "luminance":
            return take_colors_of(self.content.unit, image)
        return image


class TrainableImage(keras.layers.Layer):  # type: ignore[misc]
    """An image as a weight: every call returns it, whatever the input.

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
            constraint=_clip_to_unit,
            autocast=False,
            name="pixels",
        )
        self.built = True

    def call(self, batch: Any) -> Any:
        """Return the image, shape (1, height, width, 3)."""
        return keras.ops.convert_to_tensor(self.pixels)


def _clip_to_unit(weight: Any) -> Any:
    return keras.ops.clip(weight, 0.0, 1.0)
