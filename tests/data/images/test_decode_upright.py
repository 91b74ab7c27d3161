"""decode_upright: TensorFlow's operations alone give the pixels that pillow gives."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as PillowImage

from lightning_tf.data.images.decode_upright import decode_upright
from lightning_tf.data.images.exif_orientation import exif_orientation
from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.read_pixels import read_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (18, 26, 4)).astype("uint8")
decode = tf.function(decode_upright, input_signature=[tf.TensorSpec([], tf.string)])
orientation_of = tf.function(exif_orientation, input_signature=[tf.TensorSpec([], tf.string)])


def exif(number):
    note = PillowImage.Exif()
    note[0x010E] = "a photo"  # an entry before it
    note[0x0112] = number
    note[0x0131] = "a program"
    return note


def saved(path, pixels=PIXELS[..., :3], mode=None, **options):
    image = PillowImage.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def big_endian(number):
    """Return a TIFF header and a directory of one entry, in Motorola's order."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, number, 0, 0)


def with_segments(jpeg, *segments):
    """Put segments (marker, content) at the beginning of a JPEG file."""
    parts = [struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments]
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", pytest.param("png", marks=pytest.mark.slow)])
def test_every_orientation_is_turned_upright(tmp_path, ending, number):
    path = saved(tmp_path / f"a.{ending}", exif=exif(number))
    assert ImageHeader.read(path).orientation == number  # what pillow reads
    assert int(orientation_of(path.read_bytes())) == number
    pixels = decode(path.read_bytes()).numpy()
    expected = read_pixels(path)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= (0 if ending == "png" else 6)


def test_a_note_in_motorolas_order_behind_other_segments_is_found():
    jpeg = tf.io.encode_jpeg(PIXELS[..., :3]).numpy()
    note = (0xE1, b"Exif\0\0" + big_endian(8))
    xmp = (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 40_000)
    assert int(orientation_of(with_segments(jpeg, note))) == 8
    assert int(orientation_of(with_segments(jpeg, xmp, note))) == 8
    assert decode(with_segments(jpeg, note)).shape == (26, 18, 3)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"MM",
        big_endian(0),
        big_endian(9),
        big_endian(6)[:12],
        b"II*\0" + b"\xff" * 30,
        b"MM\0*" + struct.pack(">IH", 8, 65535),
    ],
)
def test_a_damaged_note_turns_nothing(note):
    jpeg = tf.io.encode_jpeg(PIXELS[..., :3]).numpy()
    assert int(orientation_of(with_segments(jpeg, (0xE1, b"Exif\0\0" + note)))) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\x89PNG", b"x" * 99]
)
def test_what_is_no_image_has_no_orientation(content):
    assert int(orientation_of(content)) == 1


def test_a_note_behind_the_pixels_of_a_png_is_passed_over_as_by_the_data(tmp_path):
    path = saved(tmp_path / "a.png")
    name, data = b"eXIf", big_endian(6)
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert int(orientation_of(path.read_bytes())) == ImageHeader.read(path).orientation == 1


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [
        (PIXELS, None),  # transparent
        (PIXELS, "LA"),
        (PIXELS[..., :3], "P"),
        (PIXELS[..., 0], None),  # gray
        (PIXELS[..., 0], "1"),
        (PIXELS[..., 0].astype("uint16") * 250, None),  # 16 bits
    ],
)
def test_kinds_of_png_are_decoded_as_by_pillow(tmp_path, pixels, mode):
    path = saved(tmp_path / "a.png", pixels, mode)
    np.testing.assert_array_equal(decode(path.read_bytes()), read_pixels(path))


@pytest.mark.parametrize("options", [{}, {"bits": 2}])
def test_a_palette_with_a_transparent_color_lies_on_white(tmp_path, options):
    image = PillowImage.fromarray(PIXELS[..., 0] // 64, "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.save(tmp_path / "a.png", transparency=2, **options)
    content = (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(decode(content), read_pixels(tmp_path / "a.png"))


def test_bmp_and_gif_are_decoded():
    for format in ("BMP", "GIF"):
        file = io.BytesIO()
        PillowImage.new("RGB", (5, 4), (255, 0, 0)).save(file, format)
        np.testing.assert_array_equal(decode(file.getvalue())[3, 4], [255, 0, 0])
