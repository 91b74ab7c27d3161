"""grad_cam: where in an image a class was seen."""

from typing import Any

import tensorflow as tf


def grad_cam(to_maps: Any, head: Any, images: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Weigh feature maps by how much the class's logit grows with each channel.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2.

    Args:
        to_maps: From images to feature maps (batch, height, width, channels).
        head: From means over height and width to logits.
        images: Float32 in [0, 255], shape (batch, height, width, channels).
        classes: The class of each image to look for, shape (batch,).

    Returns:
        Float32 in [0, 1], shape (batch, height, width) of the feature maps; the hottest place of
        each image is 1, or all are 0 where nothing speaks for the class.

    Example:
        >>> maps = grad_cam(built.to_maps, built.head, images, classes=[0, 1])
    """
    maps = tf.cast(to_maps(images, training=False), tf.float32)  # (batch, height, width, channels)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = head(tf.reduce_mean(maps, axis=[1, 2]), training=False)
        chosen = tf.gather(logits, tf.cast(classes, tf.int32), axis=1, batch_dims=1)  # (batch,)

    weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=[1, 2], keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1))  # (batch, height, width)
    return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=[1, 2], keepdims=True))
