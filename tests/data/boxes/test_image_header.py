"""Files of every kind and orientation give upright pixels, and boxes that fit them."""

import numpy as np
import pytest
from helpers.boxes import examples, ready, voc_object, voc_xml
from PIL import Image

from lightning_tf.data import BoxTable, VocFolder
from lightning_tf.data.images.image_header import ORIENTATION, ImageHeader
from lightning_tf.data.images.read_pixels import read_pixels

RED = (250, 10, 10)
BOX = (6, 20, 26, 30)  # of the upright image of 40 x 60 (width x height)
SIZE = (60, 40)
# What pillow does to an upright image so that a viewer that obeys the number turns it back.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright_image():
    pixels = np.full((*SIZE, 3), 100, np.uint8)
    x_min, y_min, x_max, y_max = BOX
    pixels[y_min:y_max, x_min:x_max] = RED
    return Image.fromarray(pixels)


def red_box(pixels):
    rows, columns = np.nonzero((pixels[..., 0] > 180) & (pixels[..., 1] < 90))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def write_turned(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = upright_image()
    stored = image if STORED[number] is None else image.transpose(STORED[number])
    exif = Image.Exif()
    exif[ORIENTATION] = number
    stored.save(path, quality=95, subsampling=0, exif=exif)
    return np.asarray(stored)


@pytest.mark.parametrize("in_memory", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("drawn_on", ["upright", "stored"])
def test_exif_turns_image_and_boxes_alike(tmp_path, drawn_on, in_memory):
    (tmp_path / "annotations").mkdir()
    for number in STORED:
        pixels = write_turned(tmp_path / "images" / f"{number}.jpg", number)
        box = BOX if drawn_on == "upright" else red_box(pixels)
        size = SIZE if drawn_on == "upright" else pixels.shape[:2]
        xml = voc_xml(voc_object(box=box), size=size, filename=f"{number}.jpg")
        (tmp_path / "annotations" / f"{number}.xml").write_text(xml)
    data = ready(VocFolder(tmp_path, image_size=(60, 60), val_fraction=0.0, in_memory=in_memory))
    images, objects = examples(data.train_dataset(0))
    assert len(images) == 8
    assert (objects["size"] == SIZE).all()
    for image, box, index in zip(images, objects["boxes"], objects["index"], strict=True):
        assert np.abs(box[0] - red_box(image)).max() <= 1.0
        np.testing.assert_array_equal(data.annotations[index].boxes, [BOX])
        assert red_box(data.original(index)) == list(BOX)


@pytest.mark.parametrize(("option", "first"), [("upright", [6, 20, 26, 30]), ("stored", None)])
def test_an_option_says_what_boxes_without_a_size_were_drawn_on(tmp_path, option, first):
    pixels = write_turned(tmp_path / "images" / "a.jpg", 6)
    box = BOX if option == "upright" else red_box(pixels)
    row = dict(zip(("xmin", "ymin", "xmax", "ymax"), [[x] for x in box], strict=True))
    import pandas as pd

    table = pd.DataFrame({"filename": ["a.jpg"], "class": ["red"], **row})
    data = BoxTable(
        table, images_dir=tmp_path / "images", exif_boxes=option, val_fraction=0.0, image_size=60
    )
    assert ready(data).annotations[0].boxes.tolist() == [list(BOX)]


def test_boxes_are_turned_as_pixels_are():
    for number in STORED:
        stored = np.asarray(
            upright_image() if STORED[number] is None else upright_image().transpose(STORED[number])
        )
        header = ImageHeader(stored.shape[:2], number, True)
        assert header.upright == SIZE
        assert header.turn_boxes(np.float64([red_box(stored)])).tolist() == [list(BOX)]


def kinds():
    gray = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
    color = Image.fromarray(np.stack([gray, gray[::-1], gray[:, ::-1]], -1))
    alpha = color.copy()
    alpha.putalpha(Image.fromarray(np.where(gray > 120, 255, 0).astype(np.uint8)))
    deep = Image.fromarray(gray.astype(np.uint16) * 256)
    return {
        "gray.png": Image.fromarray(gray),
        "gray.jpg": Image.fromarray(gray),
        "bit.png": Image.fromarray(gray).convert("1"),
        "palette.png": color.quantize(16),
        "palette.bmp": color.quantize(16),
        "palette.gif": color.quantize(16),
        "alpha.png": alpha,
        "gray_alpha.png": alpha.convert("LA"),
        "deep.png": deep,
        "deep.tif": deep,
        "cmyk.jpg": color.convert("CMYK"),
        "color.webp": color,
    }


@pytest.mark.parametrize("name", kinds())
def test_every_kind_of_file_is_decoded_as_pillow_does(tmp_path, name):
    import pandas as pd

    kinds()[name].save(tmp_path / name)
    table = pd.DataFrame(
        {"filename": [name], "class": ["x"], "xmin": [1], "ymin": [2], "xmax": [9], "ymax": [8]}
    )
    data = ready(BoxTable(table, images_dir=tmp_path, val_fraction=0.0, image_size=(48, 64)))
    images, _ = examples(data.train_dataset(0))
    expected = read_pixels(tmp_path / name)
    assert np.abs(images[0].astype(int) - expected).max() <= 3  # two decoders of JPEG
    if name == "alpha.png":
        assert (images[0][0, :10] == 255).all()  # what is transparent lies on white
    if name.startswith("deep"):
        assert 100 < images[0].mean() < 150  # the upper eight bits, not all white
