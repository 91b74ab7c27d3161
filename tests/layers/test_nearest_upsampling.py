"""NearestUpsampling: Keras' numbers, without its shapes that a GPU waits for."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.layers import NearestUpsampling


def outcome(layer, shape):
    inputs = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32"))

    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def run(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            larger = layer(images)
            loss = tf.reduce_sum(larger * tf.cos(larger))
        return larger, tape.gradient(loss, images)

    return [tensor.numpy() for tensor in run(inputs)]


def test_images_and_gradients_are_those_of_keras_to_the_last_bit():
    for shape in ([None, None, None, 4], [None, 3, 5, 4]):
        keras_layer = keras.layers.UpSampling2D(2, interpolation="nearest")
        expected, found = outcome(keras_layer, shape), outcome(NearestUpsampling(), shape)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_shape_is_known_before_the_images_are():
    outputs = NearestUpsampling()(keras.Input((None, 5, 2)))
    assert outputs.shape == (None, None, 10, 2)
