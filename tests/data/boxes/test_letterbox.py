"""Images into one size, and boxes there and back."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import boxes_to_input, boxes_to_original, letterbox_frame, letterbox_image
from lightning_tf.data.boxes.letterbox import FILL, letterbox_places

RANDOM = np.random.RandomState(3)
SIZES = [tuple(RANDOM.randint(20, 3000, 2).tolist()) for _ in range(20)]


def some_boxes(size, count=50):
    height, width = size
    corners = np.random.RandomState(0).uniform(0, 1, (count, 2, 2)) * [width, height]
    return np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", SIZES)
def test_boxes_come_back_to_a_thousandth_of_a_pixel(size, resize):
    boxes = some_boxes(size)
    frame = letterbox_frame(size, (320, 256), resize)
    inside = boxes_to_input(boxes, frame)
    assert np.abs(boxes_to_original(inside, frame) - boxes).max() <= 1e-3
    assert inside.dtype == np.float32
    assert inside.min() >= -1e-3
    assert (inside <= [256.001, 320.001, 256.001, 320.001]).all()


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(30, 40), (40, 30), (1, 500), (500, 1), (7, 7), (64, 96)])
def test_an_image_lies_where_its_frame_says(size, resize):
    image = np.full((*size, 3), 255, np.uint8)
    letterboxed, frame = letterbox_image(tf.constant(image), (64, 96), resize)
    assert (letterboxed.shape, letterboxed.dtype) == ((64, 96, 3), tf.uint8)
    np.testing.assert_array_equal(frame, letterbox_frame(size, (64, 96), resize))
    rows, columns = np.nonzero(letterboxed.numpy()[..., 0] == 255)
    whole = boxes_to_input(np.float32([[0, 0, size[1], size[0]]]), frame.numpy())[0]
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(whole - found).max() < 1e-3
    assert set(np.unique(letterboxed)) <= {255, FILL}
    if resize == "stretch":
        assert (letterboxed.numpy() == 255).all()


def test_a_graph_places_images_of_any_size_as_numpy_does():
    place = tf.function(
        lambda image: letterbox_image(image, (64, 96))[1],
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
    )
    for size in [(5, 9), (101, 33), (640, 427)]:
        frame = place(tf.zeros((*size, 3), tf.uint8))
        np.testing.assert_array_equal(frame, letterbox_frame(size, (64, 96)))


def test_frames_of_many_images_are_made_at_once():
    frames = letterbox_frame(SIZES, (320, 256))
    assert frames.shape == (20, 4)
    boxes = np.stack([some_boxes(size) for size in SIZES])
    tensors = boxes_to_input(tf.constant(boxes), tf.constant(frames))
    np.testing.assert_array_equal(tensors, boxes_to_input(boxes, frames))
    np.testing.assert_allclose(boxes_to_original(tensors, tf.constant(frames)), boxes, atol=1e-3)


def test_a_narrow_image_keeps_a_pixel():
    inner, offset = letterbox_places(np.array([1, 5000]), (64, 64))
    assert inner.tolist() == [1, 64]
    assert offset.tolist() == [31, 0]
