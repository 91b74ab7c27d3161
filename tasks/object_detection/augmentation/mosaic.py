"""Mosaic: four images and their objects around one point of a new image."""

import keras
import tensorflow as tf

from lightning_tf.tasks.object_detection.augmentation.image_warp import (
    GRAY,
    SMALLEST_SCALE,
    Warp,
    warp_images,
    warp_objects,
)

CENTERS = (0.35, 0.65)  # of the point, in sides
SCALES = (SMALLEST_SCALE, 1.0)
QUARTERS = ((0, 0), (1, 0), (0, 1), (1, 1))


class Mosaic(keras.layers.Layer):  # type: ignore[misc]
    """Put four images of the batch around a point, a share of all images.

    An image gets the three that follow it in the batch of its replica, the first ones after the
    last; a batch of fewer repeats them. Each is scaled and cut at the point and the sides. There
    are four times as many rows of objects, most of them padding.

    Source: Bochkovskiy et al., "YOLOv4", 2020, section 3.3, https://arxiv.org/abs/2004.10934.

    Args:
        probability: Share of images that become mosaics.
        seed: Of the layer's seed generator; None draws one.

    Example:
        >>> images, objects = Mosaic(1.0)(images, objects, is_open=tf.constant(True))
    """

    def __init__(self, probability: float, seed: int | None = None) -> None:
        super().__init__(dtype="float32")
        self.probability = probability
        self.generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(
        self, images: tf.Tensor, objects: dict[str, tf.Tensor], is_open: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return images and objects of mosaics and, where `is_open` is false, all as they are."""
        batch, (height, width) = tf.shape(images)[0], images.shape[1:3]
        sides = tf.constant([width, height], tf.float32)
        drawn = keras.random.uniform((batch,), seed=self.generator) < self.probability
        drawn = tf.logical_and(drawn, is_open)[:, tf.newaxis]  # (batch, 1)
        points = keras.random.uniform((batch, 2), *CENTERS, seed=self.generator)
        points = tf.floor(points * sides)  # (batch, 2)

        painted, found = tf.zeros_like(images), []
        for k, quarter in enumerate(QUARTERS):
            scale = keras.random.uniform((batch, 1), *SCALES, seed=self.generator)
            warp, window = _quarter(quarter, scale, points, sides)

            # What is no mosaic is its first quarter, which is the whole image.
            whole = tf.concat([tf.zeros([2]), sides if k == 0 else tf.zeros([2])], axis=0)
            window = tf.where(drawn, window, whole)  # (batch, 4)
            warp = Warp(tf.where(drawn, warp.scale, 1.0), tf.where(drawn, warp.shift, 0.0))
            others = {name: tf.roll(value, -k, axis=0) for name, value in objects.items()}
            found.append(warp_objects(others, warp, window))

            # Each is gray outside of its window.
            painted += warp_images(tf.roll(images, -k, axis=0), warp, window) - GRAY
        return painted + GRAY, {
            name: tf.concat([part[name] for part in found], 1) for name in found[0]
        }


def _quarter(
    quarter: tuple[int, int], scale: tf.Tensor, points: tf.Tensor, sides: tf.Tensor
) -> tuple[Warp, tf.Tensor]:
    """Return where the image of a quarter comes to, its corner at the point, and the quarter."""
    after = tf.constant(quarter, tf.float32)  # 1 where the quarter lies behind the point
    shift = points - (1.0 - after) * scale * sides  # (batch, 2)
    low = after * points
    high = after * sides + (1.0 - after) * points
    return Warp(tf.tile(scale, [1, 2]), shift), tf.concat([low, high], axis=1)
