"""grad_cam: the paper's equations on numbers that are known by hand."""

import keras
import numpy as np

from lightning_tf.tasks.transfer_learning.grad_cam import grad_cam


def maps_are_the_images(images, training):
    return images


def linear_head(kernel):
    head = keras.Sequential([keras.Input((2,)), keras.layers.Dense(len(kernel[0]), use_bias=False)])
    head.layers[-1].kernel.assign(kernel)
    return head


def test_a_class_is_found_where_its_channel_is_hot():
    maps = np.zeros((2, 3, 3, 2), "float32")
    maps[0, 0, 0, 0], maps[0, 1, 1, 0], maps[0, 2, 2, 1] = 4.0, 2.0, 8.0
    maps[1] = maps[0]
    heat = grad_cam(maps_are_the_images, linear_head([[1.0, 0.0], [0.0, 1.0]]), maps, [0, 1])
    first, second = np.zeros((3, 3)), np.zeros((3, 3))
    first[0, 0], first[1, 1], second[2, 2] = 1.0, 0.5, 1.0
    np.testing.assert_allclose(heat, [first, second])


def test_what_speaks_against_a_class_is_cold():
    maps = np.ones((1, 2, 2, 2), "float32")
    maps[0, 0, 0, 1] = 9.0
    heat = grad_cam(maps_are_the_images, linear_head([[2.0], [-1.0]]), maps, [0]).numpy()
    assert heat[0, 0, 0] == 0.0
    assert heat.max() == 1.0
    nothing = grad_cam(maps_are_the_images, linear_head([[-1.0], [-1.0]]), maps, [0]).numpy()
    np.testing.assert_array_equal(nothing, np.zeros((1, 2, 2)))
