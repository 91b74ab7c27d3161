"""RoIAlign: what loops over cells and points give."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import RoIAlign

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(2, 6, 9, 3)).astype("float32")
BOXES = np.array(
    [
        [[0, 0, 144, 96], [10, 20, 70, 61], [33.3, 5.5, 34.4, 90.1]],
        [[-30, -8, 20, 40], [100, 50, 200, 300], [17, 17, 17, 17]],
    ],
    "float32",
)


def by_loops(maps, box, size, stride, samples):
    """Return what a box gets, point by point."""
    x0, y0, x1, y1 = box / stride
    height, width, channels = maps.shape
    pooled = np.zeros((size, size, channels))
    for i, j in np.ndindex(size, size):
        for p, q in np.ndindex(samples, samples):
            y = y0 + (y1 - y0) * (i + (p + 0.5) / samples) / size - 0.5
            x = x0 + (x1 - x0) * (j + (q + 0.5) / samples) / size - 0.5
            y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            above = maps[top, left] * (1 - (x - left)) + maps[top, right] * (x - left)
            below = maps[bottom, left] * (1 - (x - left)) + maps[bottom, right] * (x - left)
            pooled[i, j] += (above * (1 - (y - top)) + below * (y - top)) / samples**2
    return pooled


@pytest.mark.parametrize(("size", "samples"), [(7, 2), (3, 1), (1, 4)])
def test_a_cell_is_the_mean_of_interpolated_points(size, samples):
    pooled = RoIAlign(size, stride=16, samples=samples)(MAPS, BOXES)
    assert pooled.shape == (2, 3, size, size, 3)
    for image, box in np.ndindex(2, 3):
        expected = by_loops(MAPS[image], BOXES[image, box], size, 16, samples)
        np.testing.assert_allclose(pooled[image, box], expected, rtol=1e-4, atol=1e-5)


def test_a_ramp_has_its_values_in_the_middle_of_the_cells():
    ramp = (np.arange(8) + 0.5)[np.newaxis, np.newaxis, :, np.newaxis] * np.ones((1, 8, 1, 1))
    pooled = RoIAlign(3, stride=10)(ramp.astype("float32"), np.array([[[10, 10, 70, 70]]]))
    np.testing.assert_allclose(pooled[0, 0, :, :, 0], [[2.0, 4.0, 6.0]] * 3, rtol=1e-6)


def test_maps_of_any_size_and_number_of_boxes_get_a_gradient():
    maps_in, boxes_in = keras.Input((None, None, 3)), keras.Input((None, 4))
    model = keras.Model([maps_in, boxes_in], RoIAlign(2, stride=16)(maps_in, boxes_in))
    assert model.output_shape == (None, None, 2, 2, 3)
    maps = tf.constant(MAPS)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        pooled = tf.function(model)([maps, BOXES])
        total = tf.reduce_sum(pooled)
    # Every cell is a mean: all weights together are the number of cells and channels.
    gradient = tape.gradient(total, maps)
    np.testing.assert_allclose(tf.reduce_sum(gradient), 2 * 3 * 2 * 2 * 3, rtol=1e-5)


def test_it_is_saved_with_its_numbers(tmp_path):
    maps_in, boxes_in = keras.Input((6, 9, 3)), keras.Input((3, 4))
    model = keras.Model([maps_in, boxes_in], RoIAlign(5, stride=8, samples=3)(maps_in, boxes_in))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again([MAPS, BOXES]), model([MAPS, BOXES]))


def test_numbers_that_pool_nothing_are_refused():
    for arguments in ({"size": 0}, {"stride": 0}, {"samples": 0}):
        with pytest.raises(ConfigurationError, match="is 0"):
            RoIAlign(**arguments)


def test_in_bfloat16_the_boxes_stay_where_they_are():
    maps = np.zeros((1, 8, 512, 1), "float32")
    maps[:, :, 250] = 1.0
    box = np.array([[[1001.0, 0.0, 1001.5, 32.0]]], "float32")  # as bfloat16 1000 to 1000
    pooled = RoIAlign(1, stride=4, samples=1, dtype="mixed_bfloat16")(maps, box)
    assert pooled.dtype == "bfloat16"
    assert float(pooled[0, 0, 0, 0, 0]) == 0.8125
