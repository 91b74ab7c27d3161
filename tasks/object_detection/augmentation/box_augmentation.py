"""BoxAugmentation: random changes of training images and their boxes, in the compiled step."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.augmentation.image_warp import (
    Warp,
    identity_warp,
    warp_images,
    warp_objects,
)
from lightning_tf.tasks.object_detection.augmentation.mosaic import Mosaic

AUGMENTATIONS = ("flip", "scale", "shift", "crop", "color")
CLOSING = ("scale", "shift", "crop")  # what the last epochs can go without, beside mosaic
SCALES = (0.6, 1.6)
SHIFT = 0.125  # of a side
WINDOWS = (0.5, 1.0)  # of a side
BRIGHTNESS, CONTRAST, SATURATION = (0.8, 1.2), (0.75, 1.25), (0.6, 1.4)
GRAY_WEIGHTS = (0.299, 0.587, 0.114)


class BoxAugmentation(keras.layers.Layer):  # type: ignore[misc]
    """Random changes of images and of the boxes in them, every image by numbers of its own.

    Images are float32 (batch, height, width, channels) in [0, 255] and keep their size; what lies
    outside of the old image is gray. Whatever changes places is one interpolation. An object stays
    where at least 30 % of its area stays in the image, with its box clipped to it, and becomes
    padding otherwise. The layer keeps its seed generators, so a seed repeats a run and a checkpoint
    resumes it. Everything runs in float32.

    =======  ===================================================================================
    name     what it does
    =======  ===================================================================================
    flip     mirrors left and right, half of the images
    scale    scales by 0.6 to 1.6, at a random place (Ghiasi et al., "Simple Copy-Paste", 2021,
             section 3, https://arxiv.org/abs/2012.07177)
    shift    moves by up to an eighth of the sides
    crop     stretches a window of 0.5 to 1 of each side to the whole image (as Liu et al., "SSD",
             2016, section 2.2)
    color    changes brightness, contrast and saturation
    =======  ===================================================================================

    Args:
        chosen: A name or a list of names.
        mosaic: Share of images that are made of four; see `Mosaic`. They come first.
        seed: Of the layer's seed generators; None draws one.

    Raises:
        ConfigurationError: A name is unknown, or `mosaic` is no share.

    Example:
        >>> augment = BoxAugmentation(["flip", "scale"], mosaic=0.5)
        >>> images, objects = augment(images, objects, training=True)
    """

    def __init__(
        self, chosen: str | Sequence[str] | None, mosaic: float = 0.0, seed: int | None = None
    ) -> None:
        super().__init__(dtype="float32")
        if chosen is not None and not isinstance(chosen, Sequence):
            raise ConfigurationError(
                f"augmentation is {chosen!r}; give names of {', '.join(AUGMENTATIONS)}, or None."
            )
        names = [chosen] if isinstance(chosen, str) else list(chosen or ())
        for name in names:
            check_known(f"augmentation {name!r} is unknown", name, AUGMENTATIONS)
        if not is_number(mosaic) or not 0.0 <= mosaic <= 1.0:
            raise ConfigurationError(f"mosaic is {mosaic!r}; give a share in [0, 1].")
        self.names = tuple(names)
        self.generator = keras.random.SeedGenerator(seed)
        self.mosaic = Mosaic(mosaic, seed) if mosaic else None
        self.built = True  # nothing here has weights

    def call(
        self,
        images: tf.Tensor,
        objects: dict[str, Any],
        is_open: Any = True,
        training: bool = False,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return changed images and objects, or in evaluation both as they are.

        Args:
            images: Float32 (batch, height, width, channels) in [0, 255].
            objects: ``boxes`` float32 (batch, objects, 4), ``labels`` (batch, objects), -1 for
                padding, and ``ignored`` bool (batch, objects), which may be left out.
            is_open: A scalar; false leaves out mosaic, scale, shift and crop.
            training: False changes nothing.

        Returns:
            Images of the same shape, and ``boxes``, ``labels`` and ``ignored``; with mosaic, four
            times as many.
        """
        objects = _learnt(objects)
        if not training:
            return images, objects

        is_open = tf.convert_to_tensor(is_open)
        if self.mosaic is not None:
            images, objects = self.mosaic(images, objects, is_open=is_open)
        if {"flip", *CLOSING} & set(self.names):
            height, width = images.shape[1:3]
            warp = self._warp(tf.shape(images)[0], (width, height), is_open)
            images = warp_images(images, warp)
            objects = warp_objects(objects, warp, [0.0, 0.0, float(width), float(height)])
        if "color" in self.names:
            images = self._colored(images)
        return images, objects

    def _warp(self, batch: tf.Tensor, sides: tuple[int, int], is_open: tf.Tensor) -> Warp:
        size = tf.constant(sides, tf.float32)
        warp = identity_warp(batch)
        for name in self.names:
            if name in CLOSING:
                scale, shift = getattr(self, f"_{name}")(batch, size)
                warp = warp.then(tf.where(is_open, scale, 1.0), tf.where(is_open, shift, 0.0))
            elif name == "flip":
                flips = self._uniform((batch, 1)) < 0.5
                # Left and right alone: x becomes width - x.
                is_x = tf.constant([True, False])
                mirrored = tf.logical_and(flips, is_x)  # (batch, 2)
                warp = warp.then(tf.where(mirrored, -1.0, 1.0), tf.where(mirrored, size, 0.0))
        return warp

    def _scale(self, batch: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        low, high = tf.math.log(SCALES[0]), tf.math.log(SCALES[1])
        scale = tf.exp(self._uniform((batch, 1)) * (high - low) + low)  # (batch, 1)
        # Anywhere inside the image where it is smaller, anywhere over it where it is larger.
        shift = self._uniform((batch, 2)) * (1.0 - scale) * size
        return tf.tile(scale, [1, 2]), shift

    def _shift(self, batch: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.ones([batch, 2]), (self._uniform((batch, 2)) * 2.0 - 1.0) * SHIFT * size

    def _crop(self, batch: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        low, high = WINDOWS
        scale = 1.0 / (self._uniform((batch, 2)) * (high - low) + low)  # (batch, 2)
        return scale, self._uniform((batch, 2)) * (1.0 - scale) * size

    def _colored(self, images: tf.Tensor) -> tf.Tensor:
        shape = (tf.shape(images)[0], 1, 1, 1)

        def factor(limits: tuple[float, float]) -> tf.Tensor:
            return self._uniform(shape) * (limits[1] - limits[0]) + limits[0]

        images = images * factor(BRIGHTNESS)
        mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        images = mean + (images - mean) * factor(CONTRAST)
        if images.shape[-1] == 3:
            gray = tf.reduce_sum(images * tf.constant(GRAY_WEIGHTS), axis=-1, keepdims=True)
            images = gray + (images - gray) * factor(SATURATION)
        return tf.clip_by_value(images, 0.0, 255.0)

    def _uniform(self, shape: Any) -> tf.Tensor:
        return keras.random.uniform(shape, dtype="float32", seed=self.generator)


def _learnt(objects: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Return what a loss learns of objects; frame and size would be wrong after a change."""
    labels = tf.cast(objects["labels"], tf.int32)
    ignored = objects.get("ignored")
    return {
        "boxes": tf.cast(objects["boxes"], tf.float32),
        "labels": labels,
        "ignored": tf.zeros_like(labels, tf.bool) if ignored is None else ignored,
    }
