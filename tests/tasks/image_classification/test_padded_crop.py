"""PaddedCrop: every result is a shifted image, in training only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.image_classification.augmentation import PaddedCrop


def images(count=32, side=6):
    return np.random.default_rng(0).uniform(1, 255, (count, side, side, 2)).astype("float32")


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_every_image_is_a_window_of_itself_padded(mode):
    x = images()
    cut = np.asarray(PaddedCrop(2, mode, seed=1)(x, training=True))
    numpy_mode = {"reflect": "reflect", "zeros": "constant"}[mode]
    shifts = set()
    for image, result in zip(x, cut, strict=True):
        padded = np.pad(image, [(2, 2), (2, 2), (0, 0)], mode=numpy_mode)
        (shift,) = [
            (row, column)
            for row in range(5)
            for column in range(5)
            if np.array_equal(padded[row : row + 6, column : column + 6], result)
        ]
        shifts.add(shift)
    assert len(shifts) > 10
    assert {row for row, _ in shifts} == {column for _, column in shifts} == set(range(5))


def test_evaluation_changes_nothing():
    x = images()
    np.testing.assert_array_equal(PaddedCrop(2)(x, training=False), x)


def test_a_seed_repeats_the_crops_and_every_call_draws_new_ones():
    x = images()
    first, again = PaddedCrop(2, seed=3), PaddedCrop(2, seed=3)
    one, two = first(x, training=True), first(x, training=True)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, again(x, training=True))


def test_the_static_shape_survives_a_graph_with_batches_of_any_size():
    crop = PaddedCrop(2)
    traced = tf.function(lambda x: crop(x, training=True))
    spec = tf.TensorSpec([None, 6, 6, 2])
    assert traced.get_concrete_function(spec).structured_outputs.shape == spec.shape
    assert traced(images(5)).shape == (5, 6, 6, 2)


def test_a_layer_survives_its_configuration():
    again = PaddedCrop.from_config(PaddedCrop(3, "zeros", seed=5).get_config())
    assert (again.padding, again.mode, again.seed) == (3, "zeros", 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "padding is 0"), ((1.5,), "padding is 1.5"), ((2, "wrap"), "mode='wrap'")],
)
def test_padding_and_mode_are_checked(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        PaddedCrop(*arguments)


def test_a_padding_that_cannot_be_reflected_says_how_much_can():
    with pytest.raises(ConfigurationError, match="use at most 5"):
        PaddedCrop(6)(keras.ops.zeros((1, 6, 6, 1)), training=True)
