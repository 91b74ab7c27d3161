"""Spectral layers: the largest singular value is 1, and gradients know of the division."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.layers import SpectralConv2D, SpectralDense


def called(layer, inputs, times=60):
    for _ in range(times):
        outputs = layer(inputs, training=True)
    return outputs


def kernel_matrix(layer):
    return np.asarray(layer.kernel).reshape(-1, layer.kernel.shape[-1])


def test_the_kernel_is_divided_by_its_largest_singular_value():
    layer = SpectralDense(5, use_bias=False)
    outputs = called(layer, tf.eye(7))
    expected = kernel_matrix(layer) / np.linalg.norm(kernel_matrix(layer), 2)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_a_convolution_is_normalized_as_the_matrix_of_its_kernel():
    images = tf.random.stateless_normal([2, 6, 6, 3], [0, 1])
    layer = SpectralConv2D(4, 3, strides=2, padding="same", activation="tanh")
    outputs = called(layer, images)
    kernel = layer.kernel / np.linalg.norm(kernel_matrix(layer), 2)
    expected = np.tanh(tf.nn.conv2d(images, kernel, strides=2, padding="SAME"))
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_scaling_the_kernel_changes_nothing_so_that_its_gradient_along_itself_is_0():
    layer = SpectralDense(3, use_bias=False)
    inputs = tf.random.stateless_normal([8, 4], [1, 2])
    called(layer, inputs)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs, training=True) ** 3)
    gradient = tape.gradient(loss, layer.kernel.value)
    assert float(tf.reduce_max(tf.abs(gradient))) > 1e-2
    assert float(tf.reduce_sum(gradient * layer.kernel.value)) == pytest.approx(0.0, abs=1e-4)


def test_calls_outside_of_training_leave_the_vector():
    layer = SpectralDense(3)
    layer(tf.eye(4))
    before = np.asarray(layer.left)
    layer(tf.eye(4), training=False)
    np.testing.assert_array_equal(layer.left, before)
    layer(tf.eye(4), training=True)
    assert not np.array_equal(layer.left, before)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_gives_the_same(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            SpectralConv2D(4, 3),
            keras.layers.Flatten(),
            SpectralDense(1),
        ]
    )
    images = tf.random.stateless_normal([2, 6, 6, 1], [0, 1])
    called(model, images, times=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_under_mixed_precision_the_value_is_found_in_float32():
    layer = SpectralDense(5, use_bias=False, dtype="mixed_bfloat16")
    outputs = called(layer, tf.eye(7))
    assert outputs.dtype == tf.bfloat16
    norm = np.linalg.norm(np.asarray(tf.cast(outputs, tf.float32)), 2)
    assert norm == pytest.approx(1.0, abs=0.02)
