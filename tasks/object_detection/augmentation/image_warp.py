"""Scaling and moving images and boxes alike, each image by numbers of its own.

A place x of an image comes to scale * x + shift, on each axis; a negative scale mirrors. Images are
moved by two matrix products, one an axis, which XLA compiles; TensorFlow's own operations for this
it does not.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from lightning_tf.tasks.object_detection.box_geometry import box_areas

GRAY = 114.0  # of letterboxes, and of what lies outside of an image
VISIBLE_SHARE = 0.3  # of an object's area that must stay in the image
SMALLEST_SCALE = 0.5  # which is smoothed as it must be
MARGIN = math.ceil(2.0 / SMALLEST_SCALE)  # pixels at which a smoothing kernel still weighs


class Warp(NamedTuple):
    """Where the places of each image come to.

    Attributes:
        scale: For x and y, float32 (batch, 2).
        shift: In pixels, float32 (batch, 2).
    """

    scale: tf.Tensor
    shift: tf.Tensor

    def then(self, scale: Any, shift: Any) -> "Warp":
        """Return this warp, followed by another."""
        return Warp(self.scale * scale, self.shift * scale + shift)


def identity_warp(batch: Any) -> Warp:
    """Return what leaves `batch` images as they are."""
    return Warp(tf.ones([batch, 2]), tf.zeros([batch, 2]))


def warp_images(images: Any, warp: Warp, window: Any = None) -> tf.Tensor:
    """Return moved images of the same size, gray where they have nothing.

    Args:
        images: Float32 (batch, height, width, channels).
        warp: Of each.
        window: What is painted, x0, y0, x1, y1 in whole pixels, (batch, 4); None for all. The rest
            is gray.
    """
    height, width = images.shape[1:3]
    spans = (None, None) if window is None else (window[:, 1::2], window[:, 0::2])
    rows = _interpolation(warp.scale[:, 1], warp.shift[:, 1], height, spans[0])
    columns = _interpolation(warp.scale[:, 0], warp.shift[:, 0], width, spans[1])

    # Gray is 0 here, so that what no pixel reaches is gray.
    planes = tf.transpose(images - GRAY, [0, 3, 1, 2])  # (batch, channels, height, width)
    moved = tf.matmul(rows[:, tf.newaxis], planes)  # (batch, channels, height, width)
    moved = tf.matmul(moved, columns[:, tf.newaxis], transpose_b=True)
    return tf.transpose(moved, [0, 2, 3, 1]) + GRAY


def warp_objects(objects: dict[str, Any], warp: Warp, window: Any) -> dict[str, tf.Tensor]:
    """Return moved objects, clipped to a window; those of which too little stays become padding.

    Args:
        objects: ``boxes`` (batch, objects, 4), ``labels`` and ``ignored`` (batch, objects).
        warp: Of each image.
        window: x0, y0, x1, y1, (batch, 4) or (4,).
    """
    window = tf.reshape(window, [-1, 1, 4])
    corners = objects["boxes"] * tf.tile(warp.scale, [1, 2])[:, tf.newaxis]
    corners += tf.tile(warp.shift, [1, 2])[:, tf.newaxis]  # (batch, objects, 4)
    low = tf.minimum(corners[..., :2], corners[..., 2:])  # a mirror swaps the corners
    high = tf.maximum(corners[..., :2], corners[..., 2:])

    low_edge, high_edge = window[..., :2], window[..., 2:]
    clipped = tf.concat(
        [
            tf.clip_by_value(low, low_edge, high_edge),
            tf.clip_by_value(high, low_edge, high_edge),
        ],
        axis=-1,
    )  # (batch, objects, 4)
    visible = box_areas(clipped)
    whole = box_areas(tf.concat([low, high], axis=-1))
    is_real = tf.cast(objects["labels"], tf.int64) >= 0  # a GPU compares int32 on the host
    stays = (visible >= VISIBLE_SHARE * whole) & (visible > 0.0) & is_real
    return {
        "boxes": tf.where(stays[..., tf.newaxis], clipped, 0.0),
        "labels": tf.where(stays, objects["labels"], -1),
        "ignored": tf.logical_and(objects["ignored"], stays),
    }


def _interpolation(scale: Any, shift: Any, side: int, span: Any) -> tf.Tensor:
    """Return what each pixel of a side weighs in each new one: (batch, new, old).

    Linear interpolation; an image that shrinks is smoothed by a wider kernel.
    """
    centers = tf.range(side, dtype=tf.float32) + 0.5
    scale, shift = scale[:, tf.newaxis, tf.newaxis], shift[:, tf.newaxis, tf.newaxis]
    sources = (centers[:, tf.newaxis] - shift) / scale  # (batch, new, 1)

    # With pixels beyond the sides: at a border the weights of those inside sum to less than 1.
    pixels = tf.range(-MARGIN, side + MARGIN, dtype=tf.float32) + 0.5
    narrowness = tf.minimum(tf.abs(scale), 1.0)
    weights = tf.maximum(1.0 - tf.abs(sources - pixels) * narrowness, 0.0)
    weights /= tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), 1e-6)
    weights = weights[..., MARGIN : side + MARGIN]  # (batch, new, old)
    if span is None:
        return weights

    painted = (centers >= span[:, :1]) & (centers < span[:, 1:])  # (batch, new)
    return tf.where(painted[..., tf.newaxis], weights, 0.0)
