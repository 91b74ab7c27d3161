"""The quick look at a JPEG's header says what pillow says, or leaves it to pillow."""

import io

import numpy as np
import pytest
from helpers.image_kinds import image_kinds
from PIL import Image

from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.plain_jpeg_size import BEGINNING, plain_jpeg_size
from lightning_tf.exceptions import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype("uint8")


def jpeg(mode="RGB", **options):
    content = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


def exif(orientation):
    made = Image.Exif()
    made[0x0112] = orientation
    return made


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
QUICK = {
    "color": jpeg(),
    "gray": jpeg("L"),
    "progressive": jpeg(progressive=True),
    "best": jpeg(quality=100, subsampling=0),
    "profile": jpeg(icc_profile=bytes(500)),
    "comment": jpeg(comment=b"made by hand"),
}
SLOW = {
    "turned": jpeg(exif=exif(6)),
    "turned by XMP": jpeg(xmp=XMP),
    "four colors": jpeg("CMYK"),
    "large profile": jpeg(icc_profile=bytes(BEGINNING)),
    **{name: content for name, content in image_kinds().items() if content[:2] != b"\xff\xd8"},
}


def slow_header(content):
    with Image.open(io.BytesIO(content)) as image:
        return ImageHeader._of(image)


@pytest.mark.parametrize("content", QUICK.values(), ids=QUICK)
def test_usual_files_need_no_pillow_and_are_what_it_says(content):
    header = slow_header(content)
    assert plain_jpeg_size(content[:BEGINNING]) == header.stored
    assert ImageHeader.read(content) == header
    assert header.is_plain


@pytest.mark.parametrize("content", SLOW.values(), ids=SLOW)
def test_all_others_are_left_to_pillow(content):
    assert plain_jpeg_size(content[:BEGINNING]) is None
    assert ImageHeader.read(content) == slow_header(content)


def test_a_header_that_is_cut_anywhere_is_left_to_pillow(tmp_path):
    content = QUICK["color"]
    first_scan = content.index(b"\xff\xda")
    assert not any(plain_jpeg_size(content[:length]) for length in range(first_scan))
    (tmp_path / "cut.jpg").write_bytes(content[:30])
    with pytest.raises(DataError, match=r"cut\.jpg is no image that can be decoded \(") as error:
        ImageHeader.read(tmp_path / "cut.jpg")
    assert "BufferedReader" not in str(error.value)


def test_more_pixels_than_pillow_opens_are_left_to_it(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(DataError, match="decompression bomb"):
        ImageHeader.read(QUICK["color"])
