"""Image: upright, with its transparency apart, whatever it came as."""

import numpy as np
import PIL.Image
import pytest

from lightning_tf.data import Image
from lightning_tf.exceptions import ConfigurationError, DataError

ORIENTATION = 0x0112
RED = np.zeros((6, 4, 3), "uint8")
RED[:2, :, 0] = 255  # on top


def test_an_image_that_was_taken_with_a_turned_camera_stands_upright(tmp_path):
    turned = PIL.Image.fromarray(np.rot90(RED))  # what the sensor saw
    exif = turned.getexif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees, clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(Image.read(tmp_path / "turned.png").pixels, RED)


def test_what_is_transparent_lies_on_white_and_comes_back_transparent(tmp_path):
    alpha = np.full((6, 4), 255, "uint8")
    alpha[0], alpha[5] = 0, 128
    image = Image.read(np.dstack([RED, alpha]))
    np.testing.assert_array_equal(image.pixels[0], 255)
    np.testing.assert_array_equal(image.pixels[1], RED[1])
    assert abs(int(image.pixels[5, 0, 0]) - 127) <= 1  # black at a half on white
    file = image.recolor(np.zeros((1, 6, 4, 3))).save(tmp_path / "new" / "black.png")
    written = np.asarray(PIL.Image.open(file))
    np.testing.assert_array_equal(written[..., 3], alpha)
    assert not written[..., :3].any()


@pytest.mark.parametrize(
    "source",
    [np.full((5, 7), 51, "uint8"), np.full((5, 7, 1), 0.2), np.full((5, 7, 3), 0.2, "float32")],
    ids=["gray", "one channel", "float"],
)
def test_arrays_of_every_kind_are_the_same_image(source):
    image = Image.read(source)
    np.testing.assert_array_equal(image.pixels, np.full((5, 7, 3), 51))
    assert image.alpha is None
    np.testing.assert_allclose(image.unit, np.full((1, 5, 7, 3), 0.2), rtol=1e-6)


@pytest.mark.parametrize(("shape", "expected"), [((30, 60), (10, 20)), ((60, 30), (20, 10))])
def test_the_longer_side_is_resized_and_the_proportions_stay(shape, expected):
    assert Image.read(np.zeros((*shape, 3), "uint8"), 20).pixels.shape == (*expected, 3)


def test_a_gray_file_with_a_palette_is_read_in_color(tmp_path):
    PIL.Image.fromarray(RED).convert("P").save(tmp_path / "palette.png")
    np.testing.assert_array_equal(Image.read(tmp_path / "palette.png").pixels, RED)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.jpg", "style 'gone.jpg' is no file"),
        (None, "style is a NoneType"),
        (np.zeros((2, 2, 2), "uint8"), r"style is an array of shape \(2, 2, 2\)"),
        (np.zeros((0, 2, 3), "uint8"), "it has no pixels"),
        (np.full((2, 2, 3), 1.5), "float64 between 1.5 and 1.5"),
        (np.full((2, 2, 3), np.nan), "float64 between nan and nan"),
        (np.full((2, 2, 3), 300), "int64 between 300 and 300"),
    ],
    ids=["missing", "none", "channels", "empty", "range", "nan", "integers"],
)
def test_what_is_no_image_is_told(source, message):
    with pytest.raises(DataError, match=message):
        Image.read(source, name="style")


def test_a_broken_file_and_a_wrong_ending_are_told(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing else")
    with pytest.raises(DataError, match="cannot be decoded"):
        Image.read(tmp_path / "broken.jpg")
    with pytest.raises(ConfigurationError, match=r"end it in \.png"):
        Image.read(RED).save(tmp_path / "made.jpg")
    with pytest.raises(ConfigurationError, match="image_size is 0"):
        Image.read(RED, 0)
