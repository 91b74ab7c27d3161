"""Images to predict come in every form, and reach the network as a task's own did."""

import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.new_images import new_images
from lightning_tf.exceptions import ConfigurationError, DataError

RANDOM = np.random.default_rng(0)


def spec(channels=3, value_range=(0.0, 255.0), size=(6, 8)):
    return ImageSpec((*size, channels), 2, ["cat", "dog"], value_range)


def decoding(of, **options):
    return ImageDecoding(of.input_shape[:2], of.input_shape[2], **options)


def read(data, of=None, **options):
    """Return names and the images that the network gets."""
    of = of or spec()
    examples = new_images(data, of, decoding(of), **options)
    batches = [np.asarray(batch) for batch in examples.batches(2)]  # broken files are known now
    return {name: list(values) for name, values in examples.names.items()}, np.concatenate(batches)


def pixels(*shape):
    return RANDOM.integers(0, 256, shape).astype("uint8")


@pytest.fixture
def folder(tmp_path):
    """Five images in a folder and below it, beside what is none."""
    images = {}
    for name in ("b.png", "a, ü.png", "deep/er/c.PNG", "deep/d.bmp", "z.png"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        images[name] = pixels(6, 8, 3)
        Image.fromarray(images[name]).save(file)
    (tmp_path / "photos/notes.txt").write_text("none")
    (tmp_path / "photos/.hidden.png").write_bytes(b"none")
    return tmp_path / "photos", images


def test_a_folder_is_read_to_its_depth_in_the_order_of_paths_and_the_rest_is_told(folder, caplog):
    root, images = folder
    for given in (root, str(root)):
        names, arrays = read(given)
        assert names["file"] == ["a, ü.png", "b.png", "deep/d.bmp", "deep/er/c.PNG", "z.png"]
        np.testing.assert_array_equal(arrays, [images[name] for name in names["file"]])
    assert "Left out: 1 hidden, 1 of .txt" in caplog.text


def test_files_keep_their_order_and_the_names_that_were_given(folder):
    root, images = folder
    given = [root / "z.png", str(root / "b.png"), root / "z.png"]
    names, arrays = read(given)
    assert names["file"] == [str(path) for path in given]
    np.testing.assert_array_equal(arrays, [images["z.png"], images["b.png"], images["z.png"]])
    assert read(root / "b.png")[0] == {"file": [str(root / "b.png")]}


def test_a_table_of_files_begins_where_it_lies(folder, tmp_path):
    root, images = folder
    table = pd.DataFrame({"filename": ["z.png", "a, ü.png"], "label": ["cat", "dog"]})
    table.to_csv(root / "t.csv", index=False)
    names, arrays = read(root / "t.csv")
    assert names == {"file": ["z.png", "a, ü.png"]}
    np.testing.assert_array_equal(arrays, [images["z.png"], images["a, ü.png"]])
    assert read(table, images_dir=root)[0] == names
    renamed = table.rename(columns={"filename": "path"})
    assert read(renamed, images_dir=root, file_column="path")[0] == names
    with pytest.raises(DataError, match="no column 'filename'"):
        read(renamed)


def test_images_of_pillow_contents_arrays_and_files_go_in_one_list(folder):
    root, images = folder
    image, content = images["b.png"], io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    mixed = [Image.fromarray(image), content.getvalue(), image, tf.constant(image), root / "b.png"]
    names, arrays = read(mixed)
    assert names == {"row": [0, 1, 2, 3, 4]}
    np.testing.assert_array_equal(arrays, [image] * 5)
    np.testing.assert_array_equal(read(Image.fromarray(image))[1], [image])
    np.testing.assert_array_equal(read(content.getvalue())[1], [image])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_an_image_of_pillow_is_read_as_its_file(mode, tmp_path):
    image = Image.fromarray(pixels(6, 8, 3))
    if mode == "I;16":
        image = Image.fromarray(RANDOM.integers(0, 65536, (6, 8)).astype("uint16"))
    else:
        image = image.convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(pixels(6, 8)))
    file = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    image.save(file)
    of = spec()
    how = ImageDecoding((6, 8), 3, value_range=(0.0, 65535.0))
    one, other = (next(iter(new_images(x, of, how).batches(1))) for x in (image, file))
    np.testing.assert_array_equal(one, other)


def test_a_turned_photo_is_upright_as_a_file_and_as_an_image(tmp_path):
    image = Image.fromarray(pixels(8, 6, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "x.png", exif=exif)
    from_file = read(tmp_path / "x.png")[1]
    with Image.open(tmp_path / "x.png") as opened:
        np.testing.assert_array_equal(read(opened)[1], from_file)


def test_another_size_is_resized_as_files_are(tmp_path, caplog):
    image = pixels(20, 30, 3)
    Image.fromarray(image).save(tmp_path / "x.png")
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(read(image)[1], read(tmp_path / "x.png")[1])
    assert "images of 20 x 30 pixels are resized to 6 x 8" in caplog.text
    of = spec()
    cropping = decoding(of, crop_to_aspect_ratio=True)
    one, other = (
        next(iter(new_images(x, of, cropping).batches(1))) for x in (image, tmp_path / "x.png")
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("of", [(0.0, 1.0), (-1.0, 1.0), (0.0, 16.0)])
def test_files_come_into_the_range_that_the_task_has_learned(of, tmp_path):
    image = pixels(6, 8, 3)
    Image.fromarray(image).save(tmp_path / "x.png")
    low, high = of
    wanted = image / np.float32(255.0) * (high - low) + low
    known = spec(value_range=of)
    for data, options in (
        (tmp_path / "x.png", {}),
        (Image.fromarray(image), {}),
        (image, {"value_range": (0, 255)}),
        (image / 255.0, {"value_range": (0, 1)}),
        (wanted, {}),
    ):
        np.testing.assert_allclose(read(data, known, **options)[1][0], wanted, atol=1e-5)


def test_values_of_another_range_are_refused_with_the_option_that_tells_it():
    unit = spec(value_range=(0.0, 1.0))
    with pytest.raises(DataError, match=r"uint8 from .* to .*\[0, 1\].*value_range=\(0, 255\)"):
        read(np.stack([pixels(6, 8, 3)] * 2) // 2 * 2, unit)
    with pytest.raises(DataError, match=r"\[0, 255\].*value_range=\(0, 1\)"):
        read(RANDOM.random((2, 6, 8, 3)))
    with pytest.raises(DataError, match="NaN"):
        read(np.full((1, 6, 8, 3), np.nan))
    with pytest.raises(ConfigurationError, match="value_range"):
        read(pixels(1, 6, 8, 3), value_range=(1, 0))


def test_values_that_only_may_be_of_another_range_are_told(caplog):
    read(RANDOM.random((2, 6, 8, 3)), spec(value_range=(-1.0, 1.0)))
    assert "value_range=(0, 1)" in caplog.text
    caplog.clear()
    read(RANDOM.random((2, 6, 8, 3)) * 20, spec(value_range=(0.0, 16.0)))
    assert "beyond [0, 16]" in caplog.text


MASK = pixels(6, 8, 3) > 100


@pytest.mark.parametrize(
    ("images", "guess"),
    [
        (MASK, r"bool from 0 to 1.*\[0, 255\].*value_range=\(0, 1\)"),
        (np.zeros_like(MASK), r"bool from 0 to 0"),
        (MASK.astype("uint8"), r"uint8 from 0 to 1.*value_range=\(0, 1\)"),
        ([pixels(6, 8, 3), MASK], r"bool from 0 to 1"),
        (MASK.astype("int64").tolist(), r"int64 from 0 to 1"),
        (np.ones((6, 8, 3)), r"float64 from 1 to 1"),
        (np.full((6, 8, 3), -1.0), r"from -1 to -1.*value_range=\(-1, 1\).*clip them"),
        (np.full((6, 8, 3), 257.0), r"from 257 to 257.*clip them"),
    ],
)
def test_masks_and_values_beyond_the_range_are_refused(images, guess):
    with pytest.raises(DataError, match=guess):
        read(images)


def test_a_mask_with_its_range_and_a_black_image_are_taken():
    for mask in (MASK, MASK.astype("uint8"), MASK.astype("float32")):
        np.testing.assert_array_equal(read(mask, value_range=(0, 1))[1][0], MASK * 255.0)
    for dtype in ("uint8", "float32"):
        assert not read(np.zeros((6, 8, 3), dtype))[1].any()
    dark = MASK.astype("uint8")
    np.testing.assert_array_equal(read(dark, value_range=(0, 255))[1][0], dark)
    np.testing.assert_array_equal(read(Image.fromarray(dark))[1][0], dark)  # a file knows its range
    np.testing.assert_array_equal(read([pixels(6, 8, 3), dark])[1][1], dark)
    noisy = np.full((6, 8, 3), 255.3)
    np.testing.assert_allclose(read(noisy)[1][0], noisy, rtol=1e-6)
    with pytest.raises(DataError, match=r"bool .*value_range is \[0, 255\]"):
        read(MASK, value_range=(0, 255))


def test_what_fits_is_not_told(caplog):
    with caplog.at_level(logging.INFO):
        read(pixels(2, 6, 8, 3))
        read(RANDOM.random((2, 6, 8, 3)), spec(value_range=(0.0, 1.0)))
        read(np.zeros((1, 6, 8, 3), "float32"))
    assert not caplog.text


def test_one_image_needs_no_batch_and_gray_no_channels():
    color, gray = pixels(6, 8, 3), pixels(6, 8)
    assert read(color)[1].shape == (1, 6, 8, 3)
    assert read(gray)[1].shape == (1, 6, 8, 3)
    assert read(gray, spec(1))[1].shape == (1, 6, 8, 1)
    assert read(pixels(5, 6, 8), spec(1))[1].shape == (5, 6, 8, 1)
    assert read(pixels(5, 9, 11), spec(1))[1].shape == (5, 6, 8, 1)
    assert read([gray, color, pixels(9, 9, 4)], spec(1))[1].shape == (3, 6, 8, 1)
    assert read(color[..., :1].tolist(), spec(1))[1].shape == (1, 6, 8, 1)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((3, 6, 9), 3),
        ((6, 144), 3),
        ((144,), 3),
        ((2, 3, 6, 8), 3),
        ((2, 6, 8, 2), 3),
        ((0, 6, 8, 3), 3),
    ],
)
def test_a_shape_that_is_no_images_is_refused_with_the_one_that_is_wanted(shape, channels):
    with pytest.raises(DataError, match="shape"):
        read(np.zeros(shape, "uint8"), spec(channels))


def test_two_meanings_of_a_shape_are_refused():
    with pytest.raises(DataError, match="several things"):
        read(pixels(5, 6, 3), spec(1, size=(6, 3)))


def test_gray_and_transparent_arrays_become_what_files_become(tmp_path):
    clear = pixels(6, 8, 4)
    Image.fromarray(clear).save(tmp_path / "x.png")
    for channels in (1, 3):
        from_file = read(tmp_path / "x.png", spec(channels))[1].astype(int)
        assert np.abs(read(clear, spec(channels))[1].astype(int) - from_file).max() <= 1
    gray = read(pixels(6, 8, 3), spec(1))[1]
    assert gray.dtype == np.uint8


def test_broken_and_missing_files_are_named_or_skipped(folder, caplog):
    root, _ = folder
    (root / "deep/broken.png").write_bytes((root / "b.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"1 of 6 images cannot be decoded.*broken\.png.*skip"):
        read(root)
    names, arrays = read(root, broken="skip")
    assert len(names["file"]) == len(arrays) == 5
    assert "broken.png" in caplog.text
    with pytest.raises(DataError, match=r"1 of 2 images are not there.*nowhere\.png"):
        read([root / "b.png", "nowhere.png"])
    with pytest.raises(DataError, match="no file and no folder"):
        read("nowhere")
    with pytest.raises(ConfigurationError, match="broken"):
        read(root, broken="drop")


def test_an_empty_folder_and_an_empty_list_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no images.*1 of \.txt"):
        read(Path(tmp_path))
    with pytest.raises(DataError, match="no images to predict"):
        read([])


def test_datasets_and_batches_are_left_to_others():
    for data in (tf.data.Dataset.from_tensor_slices(pixels(4, 6, 8, 3)).batch(2), object()):
        assert new_images(data, spec(), decoding(spec())) is None


def test_images_are_shown_as_the_network_sees_them(folder):
    root, images = folder
    of = spec(value_range=(-1.0, 1.0))
    for data in (root / "b.png", images["b.png"] / 127.5 - 1.0):
        shown = new_images(data, of, decoding(of)).pixels([0])
        np.testing.assert_allclose(shown[0], images["b.png"] / 255.0, atol=1e-5)


def test_the_folder_of_files_of_sixteen_bits_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/deep/b.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 65535, (6, 8)).astype("uint16")).save(name)
    with caplog.at_level(logging.INFO):
        for given in ("in", ["in/a.png", Path("in/deep/b.png").absolute()]):
            read(given, spec(channels=1))
    told = [line for line in caplog.messages if "2 of 2 images have more than eight bits" in line]
    assert [line.partition(":")[0] for line in told] == ["in", str(tmp_path / "in")]
