"""StyleMethod: one way to paint an image in a style, as `StyleTransfer` drives it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.image import Image
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.spec_task import inputs_of
from lightning_tf.tasks.style_transfer.losses import StyleLosses, Targets
from lightning_tf.tasks.style_transfer.style_settings import StyleSettings


class StyleMethod:
    """A method of style transfer: its defaults, its data and what it computes.

    A method trains unless it overrides `trains`; one that trains has `settings`, and `losses` once
    it is built.

    Attributes:
        name: As a user writes it.
        trains: Whether the Trainer can fit it.
        image_size: Default of the longer side of the content; None keeps the image's own.
        style_size: Default of the longer side of the style images; None is that of the content.
        learning_rate: Default for the Adam family.
        style_weight: Default weight of the style loss.
        content_layers: Default layers of the content loss, the paper's.
        style_layers: Default layers of the style loss, the paper's.
        data: The batches of `StyleTransfer`.
        model: What trains or predicts, once `build` has made it.
    """

    name: ClassVar[str]
    trains: ClassVar[bool] = True
    image_size: ClassVar[int | None] = None
    style_size: ClassVar[int | None] = None
    learning_rate: ClassVar[float | None] = None
    style_weight: ClassVar[float] = 1.0
    content_layers: ClassVar[Sequence[str]] = ()
    style_layers: ClassVar[Sequence[str]] = ()

    data: DataModule
    settings: StyleSettings
    losses: StyleLosses
    model: keras.Layer

    def build(self) -> keras.Layer:
        """Make `model`, and the losses of a method that trains; runs in the strategy's scope."""
        raise NotImplementedError

    def attempt(self, batch: Any, training: bool) -> tuple[tf.Tensor, Targets]:
        """Return images as they are now, and what `losses` compares their content with.

        Raises:
            ConfigurationError: The method does not train.
        """
        raise ConfigurationError(f"method={self.name!r} only predicts.")

    def predict(self, batch: Any) -> tf.Tensor:
        """Return stylized images, float32 in [0, 1], shape (batch, height, width, 3)."""
        raise NotImplementedError

    def preview(self) -> NDArray[np.float32] | None:
        """Return images that show the progress, float in [0, 1], or None for none."""
        return None

    def stylize(self, image: Image | None) -> Image:
        """Return an image in the style; None stands for the task's own content."""
        raise NotImplementedError

    def exported_model(self) -> keras.Model:
        """Return the network to be exported.

        Raises:
            ConfigurationError: The method trains no network.
        """
        raise ConfigurationError(
            f"export: method={self.name!r} trains no network; use method='fast', or write "
            "the image with stylize(out=...)."
        )

    def export(self, path: Path) -> None:
        """Write `exported_model` as a SavedModel."""
        self.exported_model()  # refuses; a method that has a network overrides both


def unit_images(batch: Any) -> tf.Tensor:
    """Return the images of a batch, without labels, as float32 in [0, 1] (uint8 is divided)."""
    images = tf.convert_to_tensor(inputs_of(batch))
    scale = 255.0 if images.dtype == tf.uint8 else 1.0
    return tf.cast(images, tf.float32) / scale  # (batch, height, width, 3)
