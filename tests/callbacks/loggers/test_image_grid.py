import numpy as np
import pytest

from lightning_tf.callbacks.loggers.image_grid import draw_image_grid
from lightning_tf.exceptions import DataError


def test_small_images_are_enlarged_without_smoothing():
    images = np.zeros((1, 2, 2, 1), "uint8")
    images[0, 0, 1] = 200
    grid = np.asarray(draw_image_grid(images))
    inside = grid[4:100, 4:100]
    assert set(np.unique(inside)) == {0, 200}
    assert (inside[:48, 48:] == 200).all()
    assert (inside[48:] == 0).all()


def test_the_grid_is_about_square_and_in_reading_order():
    images = np.stack([np.full((96, 96, 3), shade, "uint8") for shade in (10, 20, 30, 40, 50)])
    grid = np.asarray(draw_image_grid(images))
    assert grid.shape == (2 * 100 + 4, 3 * 100 + 4, 3)
    shades = [grid[50 + 100 * (i // 3), 50 + 100 * (i % 3), 0] for i in range(6)]
    assert shades == [10, 20, 30, 40, 50, 255]


def test_a_caption_stands_below_its_image():
    image = np.full((1, 96, 96, 1), 255, "uint8")
    bare = np.asarray(draw_image_grid(image))
    with_text = np.asarray(draw_image_grid(image, ["predicted 3\ntruth 5"]))
    assert with_text.shape[0] == bare.shape[0] + 2 * 15
    assert (with_text[4:100] == 255).all()
    assert (with_text[100:] == 0).any()


def test_each_image_needs_a_caption_or_none_has_one():
    with pytest.raises(DataError, match="1 captions for 2 images"):
        draw_image_grid(np.zeros((2, 8, 8, 1), "uint8"), ["a"])
