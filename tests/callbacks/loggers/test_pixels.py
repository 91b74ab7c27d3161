"""Images of every usual dtype, range and shape become the same pixels, or are refused by name."""

import keras
import ml_dtypes
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from lightning_tf.callbacks.loggers import pixels as module
from lightning_tf.callbacks.loggers.pixels import to_pixels
from lightning_tf.exceptions import DataError

BYTES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), "uint8")
BYTES[0, 0, 0], BYTES[0, 0, 1] = 0, 255  # all of the range


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "int32", "int64", "uint16", "float32", "float64"]
)
def test_values_up_to_255_are_bytes_in_every_dtype(dtype):
    np.testing.assert_array_equal(to_pixels(BYTES.astype(dtype)), BYTES)


@pytest.mark.parametrize(
    ("dtype", "off"), [("float16", 0), ("float64", 0), (ml_dtypes.bfloat16, 1)]
)
def test_floats_up_to_one_are_scaled(dtype, off):
    scaled = to_pixels((BYTES / 255.0).astype(dtype))
    assert np.abs(scaled.astype(int) - BYTES).max() <= off


@pytest.mark.parametrize(
    "images",
    [
        tf.constant(BYTES),
        tf.constant(BYTES, tf.float32),
        tf.constant(BYTES, tf.bfloat16),
        keras.ops.convert_to_tensor(BYTES),
        keras.Variable(BYTES.astype("float32")),
        list(BYTES),
        [PIL.Image.fromarray(image) for image in BYTES],
        BYTES.tolist(),
        np.asfortranarray(BYTES),
        BYTES.astype(">i4"),
    ],
    ids=[
        "tensor",
        "float",
        "bfloat16",
        "keras",
        "variable",
        "list",
        "PIL",
        "lists",
        "order",
        "end",
    ],
)
def test_images_come_as_arrays_tensors_and_lists(images):
    pixels = to_pixels(images)
    assert pixels.dtype == np.uint8
    # bfloat16 has 8 bits of precision: every byte, exactly.
    np.testing.assert_array_equal(pixels, BYTES)


def test_sixteen_bits_are_scaled_and_said(caplog, monkeypatch):
    monkeypatch.setattr(module, "_told", set())
    np.testing.assert_array_equal(to_pixels(BYTES.astype("uint16") * 257), BYTES)
    assert "uint16" in caplog.text


def test_a_palette_and_gray_images_of_pil_are_images():
    gray = PIL.Image.fromarray(BYTES[0]).convert("L")
    assert to_pixels([gray]).shape == (1, 5, 4, 3)
    assert to_pixels([gray.convert("1")]).max() == 255


def test_small_integers_are_taken_as_they_are():
    np.testing.assert_array_equal(to_pixels(np.full((1, 2, 2, 3), 100, "int8")), 100)


def test_booleans_are_black_and_white():
    mask = np.eye(4, dtype=bool)[np.newaxis]
    assert sorted(np.unique(to_pixels(mask))) == [0, 255]


def test_an_image_without_channels_is_gray():
    gray = BYTES[..., 0]
    np.testing.assert_array_equal(to_pixels(gray), to_pixels(gray[..., np.newaxis]))


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_is_white(channels):
    colors = BYTES[..., :channels]
    opaque = np.concatenate([colors, np.full((2, 5, 4, 1), 255, "uint8")], axis=-1)
    np.testing.assert_array_equal(to_pixels(opaque), to_pixels(colors))
    clear = np.concatenate([colors, np.zeros((2, 5, 4, 1), "uint8")], axis=-1)
    assert (to_pixels(clear) == 255).all()
    np.testing.assert_array_equal(to_pixels(clear / 255.0), 255)


@pytest.mark.parametrize(
    ("images", "shown", "said"),
    [
        (np.array([-1.0, 0.0, 1.0]), [0, 128, 255], "[-1, 1]"),
        (np.array([np.nan, 0.0, 1.0]), [0, 0, 255], "NaN"),
    ],
)
def test_a_guessed_range_and_nan_are_said_once(images, shown, said, caplog, monkeypatch):
    monkeypatch.setattr(module, "_told", set())
    for _ in range(2):
        pixels = to_pixels(images.reshape(1, 1, 3, 1))
    assert pixels[0, 0, :, 0].tolist() == shown
    assert caplog.text.count(said) == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((8, 8), "uint8"), r"shape \(8, 8\)"),
        (np.zeros((1, 8, 8, 5), "uint8"), r"shape \(1, 8, 8, 5\)"),
        (np.zeros((0, 8, 8, 1), "uint8"), r"shape \(0, 8, 8, 1\)"),
        (np.full((1, 8, 8, 1), 256), r"\[256, 256\]"),
        (np.full((1, 8, 8, 1), -1), r"\[-1, -1\]"),
        (np.full((1, 8, 8, 1), -0.5) * np.arange(8).reshape(8, 1), r"\[-3.5, -?0\]"),
        (np.full((1, 8, 8, 1), np.inf), r"\[inf, inf\]"),
        (np.full((1, 8, 8, 1), "a"), "dtype <U1"),
        (np.full((1, 8, 8, 1), 1j), "dtype complex128"),
        (np.full((1, 8, 8, 1), None), "dtype object"),
        ([], r"shape \(0,\)"),
        (5, r"shape \(\)"),
        (None, r"shape \(\)"),
        (np.zeros((28, 20, 3), "uint8"), r"\(28, 20, 3\): one with channels, or 28 without"),
        (np.zeros((28, 20, 2), "uint8"), r"\(28, 20, 2\): one"),
        (PIL.Image.new("RGB", (20, 28)), r"\(28, 20, 3\): one"),
        ([np.zeros((8, 8, 3)), np.zeros((4, 4, 3))], r"shapes \(8, 8, 3\), \(4, 4, 3\)"),
        (np.zeros((1, 3, 8, 8), "uint8"), r"shape \(1, 3, 8, 8\)"),
        (np.zeros((1, 1, 8, 8, 3), "uint8"), r"shape \(1, 1, 8, 8, 3\)"),
    ],
)
def test_what_is_no_image_is_refused_with_what_it_is(images, message):
    with pytest.raises(DataError, match=message):
        to_pixels(images)
