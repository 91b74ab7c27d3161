"""One image file is the same pixels wherever it is read."""

import io

import numpy as np
import pytest
import tensorflow as tf
from helpers.image_kinds import COLORS, GRAY, HEIGHT, IN_A_GRAPH, WIDTH, image_kinds
from PIL import Image as PillowImage
from PIL import ImageOps

from lightning_tf.data import ImageFolder
from lightning_tf.data.images.decode_upright import decode_upright
from lightning_tf.data.images.image import Image
from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.image_header import ImageHeader, image_endings
from lightning_tf.data.images.read_pixels import checked_background, read_pixels
from lightning_tf.exceptions import ConfigurationError, DataError

KINDS = image_kinds()
NOT_IN_A_GRAPH = ("bit.bmp",)  # TensorFlow reads no BMP of one bit


def turned(name):
    return name.startswith(("held5", "held6", "held7", "held8"))


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_an_image_and_the_pipeline_agree(tmp_path, name):
    for class_name in "ab":
        (tmp_path / class_name).mkdir()
        (tmp_path / class_name / name).write_bytes(KINDS[name])
    path = tmp_path / "a" / name

    expected = read_pixels(path)
    assert expected.shape == ((WIDTH, HEIGHT, 3) if turned(name) else (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(Image.read(path).pixels, expected)

    data = ImageFolder(tmp_path, image_size=expected.shape[:2], val_fraction=0.0)
    images, _ = next(data.train_dataset(0).as_numpy_iterator())
    np.testing.assert_array_equal(images, [expected, expected])
    content = KINDS[name]
    np.testing.assert_array_equal(ImageDecoding().decode_any(tf.constant(content)), expected)


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize(
    "background", [(255, 255, 255), pytest.param((10, 200, 30), marks=pytest.mark.slow)]
)
def test_an_exported_graph_and_the_pipeline_agree_with_pillow(channels, background):
    decode = tf.function(
        lambda content: decode_upright(content, channels, background),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    decoding = ImageDecoding(channels=channels, background=background)
    for name, content in KINDS.items():
        expected = read_pixels(content, channels, background)
        np.testing.assert_array_equal(decoding.decode_any(content), expected, err_msg=name)
        if name.endswith(IN_A_GRAPH) and name not in NOT_IN_A_GRAPH:
            np.testing.assert_array_equal(decode(content), expected, err_msg=name)


def test_a_user_sees_what_a_viewer_shows():
    for name in ("color.png", "palette.png", "palette.bmp", "gray.png", "held6.jpg", "lossy.webp"):
        with PillowImage.open(io.BytesIO(KINDS[name])) as opened:
            expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
        np.testing.assert_array_equal(read_pixels(KINDS[name]), expected, err_msg=name)
    assert (read_pixels(KINDS["clear.png"]) == 255).all()
    assert (read_pixels(KINDS["clear.png"], background=(9, 8, 7)) == [9, 8, 7]).all()


@pytest.mark.parametrize(
    "name", ["gray16.png", "gray12.png", "gray10.png", "gray16.tif", "unit.tiff", "float.tiff"]
)
def test_values_of_more_than_eight_bits_are_scaled_by_what_they_can_hold(name):
    pixels = read_pixels(KINDS[name])[..., 0].astype(float)
    assert np.abs(pixels - GRAY * 255).max() <= 1.0
    assert len(np.unique(pixels)) == 256


def test_negative_values_are_scaled_by_what_they_hold():
    pixels = read_pixels(KINDS["signed.tif"])
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_colors_of_12_bits_are_as_bright_as_those_of_16(ending):
    deep, shallow = (read_pixels(KINDS[f"color{bits}.{ending}"]).astype(int) for bits in (16, 12))
    assert np.abs(deep - shallow).max() <= 1
    assert deep.mean() > 100


def test_a_value_range_settles_what_is_white(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        values = np.full((4, 4), 500 if name == "a" else 1000, "uint16")
        PillowImage.fromarray(values).save(tmp_path / name / "x.png")

    def means(**options):
        data = ImageFolder(tmp_path, image_size=4, val_fraction=0.0, **options)
        images, labels = next(data.train_dataset(0).as_numpy_iterator())
        return images.mean(axis=(1, 2, 3))[np.argsort(labels)].tolist(), data.decoding.value_range

    # One range for all files: what is darker in the data stays darker.
    assert means() == ([125.0, 249.0], (0.0, 1023.0))
    assert means(value_range=(0, 2000)) == ([64.0, 128.0], (0.0, 2000.0))
    assert read_pixels(tmp_path / "a" / "x.png", value_range=(0.0, 500.0)).max() == 255


def test_the_log_says_how_deep_images_are_read(tmp_path, caplog):
    for name in ("train", "test"):
        for label in "ab":
            (tmp_path / name / label).mkdir(parents=True)
            values = np.full((4, 4), 4000 if name == "train" else 60_000, "uint16")
            PillowImage.fromarray(values).save(tmp_path / name / label / "x.png")
    caplog.set_level("INFO", "lightning_tf")
    ImageFolder(tmp_path, image_size=4, val_fraction=0.0).setup("fit")
    assert "4 of 4 images have more than eight bits, with values from 4000 to 4000" in caplog.text
    assert "2 images have values outside of 0 to 4095" in caplog.text


def test_what_is_transparent_lies_on_the_color_that_is_chosen(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(KINDS["clear.png"])
    data = ImageFolder(tmp_path, image_size=4, val_fraction=0.0, background="#0a0b0c")
    assert (next(data.train_dataset(0).as_numpy_iterator())[0] == [10, 11, 12]).all()
    assert (Image.read(tmp_path / "a" / "x.png", background="red").pixels == [255, 0, 0]).all()
    for wrong in ("no_color", (1, 2), (0, 0, 256), 3):
        with pytest.raises(ConfigurationError, match="background="):
            checked_background(wrong)


def test_a_float_image_with_nan_is_named(tmp_path):
    values = np.where(GRAY > 0.5, np.nan, GRAY).astype("float32")
    PillowImage.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x.tif holds NaN or infinity"):
        read_pixels(tmp_path / "x.tif")


def test_headers_tell_what_tensorflow_decodes():
    plain = {name for name, content in KINDS.items() if ImageHeader.read(content).is_plain}
    assert {"color.jpg", "gray.jpg", "held6.jpg", "color.png", "palette.png"} <= plain
    assert not any("16" in name or "alpha" in name or "hole" in name for name in plain)


def test_endings_are_those_that_pillow_decodes():
    assert {".jpg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= set(image_endings())
    assert not {".pdf", ".txt", ".h5", ".eps", ".mpg"} & set(image_endings())
    assert COLORS.dtype == np.uint8
