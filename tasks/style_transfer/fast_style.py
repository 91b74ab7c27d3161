"""FastStyle: a network that learns one style and then needs one pass for an image."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.array_data import ArrayData
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.checks import checked_images
from lightning_tf.data.images.image import Image
from lightning_tf.data.images.unlabeled_image_folder import UnlabeledImageFolder
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.style_transfer.colors import luminance, take_colors_of
from lightning_tf.tasks.style_transfer.export import export_style
from lightning_tf.tasks.style_transfer.losses import Targets
from lightning_tf.tasks.style_transfer.network import SMALLEST_SIDE, style_network
from lightning_tf.tasks.style_transfer.style_method import StyleMethod, unit_images
from lightning_tf.tasks.style_transfer.style_settings import StyleSettings

PREVIEWED_PHOTOS = 4


class FastStyle(StyleMethod):
    """A feed-forward network trained on photos, for one style or one mixture of styles.

    Source: Johnson et al., 2016, https://arxiv.org/abs/1603.08155.

    Args:
        data: Photos: a folder, images of shape (n, height, width, 3), or a DataModule.
        styles: Images of the styles.
        settings: What is compared.
        colors: ``style`` or ``luminance``.
        image_size: Of the photos of a folder, height and width.
        batch_size: Photos in a global batch.
        val_fraction: Share of the photos to hold out.
        filters: Of the network.
        residual_blocks: Of the network.

    Raises:
        ConfigurationError: Colors or numbers that cannot be.
    """

    name = "fast"
    image_size = 256
    learning_rate = 1e-3
    style_weight = 2.0
    content_layers = ("block2_conv2",)
    style_layers = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")

    def __init__(
        self,
        data: Any,
        styles: Sequence[Image],
        settings: StyleSettings,
        colors: str,
        *,
        image_size: int,
        batch_size: int,
        val_fraction: float | None,
        filters: int,
        residual_blocks: int,
    ) -> None:
        if colors == "histogram":
            raise ConfigurationError(
                "colors='histogram' matches the style to one content; method='fast' learns from "
                "many: give 'luminance' or 'style'."
            )
        self._styles, self.settings, self._is_gray = styles, settings, colors == "luminance"
        self._filters = checked_integer("filters", filters, 1)
        self._residual_blocks = checked_integer("residual_blocks", residual_blocks, 0)
        self.data = _photos(data, image_size, batch_size, val_fraction)

    def build(self) -> keras.Model:
        """Make the network, the loss network and the targets of the style."""
        features = self.settings.features()
        styles = [np.asarray(self._to_network(style.unit)) for style in self._styles]
        self.losses = self.settings.losses(features, styles)

        height, width, _ = getattr(self.data, "input_shape", (SMALLEST_SIDE, SMALLEST_SIDE, 3))
        features.check_size("a training image (image_size)", height, width)
        _check_side("a training image (image_size)", height, width)

        self.model = style_network(self._filters, self._residual_blocks)
        return self.model

    def attempt(self, batch: Any, training: bool) -> tuple[tf.Tensor, Targets]:
        """Return the stylized photos of a batch, and the feature maps of the photos."""
        contents = self._to_network(unit_images(batch))
        return self.model(contents, training=training), self.losses.content_targets(contents)

    def predict(self, batch: Any) -> tf.Tensor:
        """Return stylized photos, float32 in [0, 1]."""
        contents = unit_images(batch)  # (batch, height, width, 3)
        stylized = self.model(self._to_network(contents), training=False)
        return take_colors_of(contents, stylized) if self._is_gray else stylized

    def preview(self) -> NDArray[np.float32] | None:
        """Return some held-out photos in the style, or None where there is no validation split."""
        split = (self.data.splits or {}).get("val") if isinstance(self.data, IndexedData) else None
        if split is None:
            return None
        chosen = split.indices[:PREVIEWED_PHOTOS]
        batch = next(iter(split.source.inputs(chosen, len(chosen))))
        return np.asarray(self.predict(batch))

    def stylize(self, image: Image | None) -> Image:
        """Return the image in the style.

        Raises:
            ConfigurationError: There is none, or it is too small.
        """
        if image is None:
            raise ConfigurationError(
                "stylize: method='fast' needs an image; give a path or an array."
            )
        _check_side("the image", *image.pixels.shape[:2])
        return image.recolor(self.predict(image.unit))

    def exported_model(self) -> keras.Model:
        """Return the network from images in [0, 1] to images in [0, 1]."""
        return self.model

    def export(self, path: Path) -> None:
        """Write a SavedModel that takes images or files; see `export_style`."""
        export_style(self, path)

    def _to_network(self, images: Any) -> Any:
        return luminance(images) if self._is_gray else images


def _photos(data: Any, image_size: int, batch_size: int, val_fraction: float | None) -> DataModule:
    if isinstance(data, DataModule):
        return data
    if isinstance(data, (str, os.PathLike)):
        return UnlabeledImageFolder(
            data, image_size=image_size, batch_size=batch_size, val_fraction=val_fraction
        )
    if data is None:
        raise ConfigurationError(
            "method='fast' learns from photos: give content= a folder of them."
        )

    images = checked_images("training", data)
    if images.shape[-1] != 3:
        raise ConfigurationError(f"the photos have shape {images.shape}; give 3 channels.")
    return ArrayData(images, batch_size=batch_size, val_fraction=val_fraction)


def _check_side(name: str, height: int, width: int) -> None:
    if min(height, width) < SMALLEST_SIDE:
        raise ConfigurationError(
            f"{name} has {width} x {height} pixels; the network needs {SMALLEST_SIDE} each way."
        )
