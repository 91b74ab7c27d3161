"""ReflectionPadding: edges are mirrored, in a saved model too."""

import keras
import numpy as np
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import ReflectionPadding


def test_edges_are_mirrored_and_nothing_else_changes():
    images = np.arange(24, dtype="float32").reshape(1, 3, 4, 2)
    padded = np.asarray(ReflectionPadding(2)(images))
    expected = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(padded, expected)


def test_the_shape_is_known_before_the_images_are():
    layer = ReflectionPadding.from_config(ReflectionPadding(3).get_config())
    outputs = layer(keras.Input((None, 5, 2)))
    assert outputs.shape == (None, None, 11, 2)


@pytest.mark.parametrize("padding", [-1, 1.5, True])
def test_a_padding_that_cannot_be_is_told(padding):
    with pytest.raises(ConfigurationError, match="padding is"):
        ReflectionPadding(padding)
