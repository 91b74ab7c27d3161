"""Small image files of every kind that people have, made on the spot."""

from __future__ import annotations

import io
import struct

import numpy as np
import tensorflow as tf
from PIL import Image

RANDOM = np.random.default_rng(0)
HEIGHT, WIDTH = 18, 26
COLORS = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 4)).astype("uint8")
GRAY = np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)


def saved(pixels, ending, mode=None, **options):
    """Return the content of a file of these pixels."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(file, ending, **options)
    return file.getvalue()


def exif(number):
    """Return a note of a camera that was held so."""
    note = Image.Exif()
    note[0x0112] = number
    return note


def tiff_of_16_bits(values):
    """Return a TIFF file of colors of 16 bits, which pillow cannot write."""
    height, width, channels = values.shape
    data = values.astype("<u2").tobytes()
    names = [256, 257, 258, 259, 262, 273, 277, 278, 279]
    tail = 8 + 2 + 12 * len(names) + 4
    content = [width, height, tail, 1, 2, tail + 2 * channels, channels, height, len(data)]
    entries = b""
    for tag, value in zip(names, content, strict=True):
        is_short = tag in (259, 262, 277)
        count = channels if tag == 258 else 1
        entries += struct.pack("<HHI", tag, 3 if is_short or tag == 258 else 4, count)
        entries += struct.pack("<HH", value, 0) if is_short else struct.pack("<I", value)
    bits = struct.pack(f"<{channels}H", *[16] * channels)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(names)) + entries + b"\0" * 4 + bits + data


def image_kinds():
    """Return the content of files by name."""
    rgb, palette = COLORS[..., :3], Image.fromarray(COLORS[..., :3]).quantize(16)
    hole = Image.fromarray(COLORS[..., 0] // 64, "P")
    hole.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    smooth = (GRAY * 255).astype("uint8")
    deep = (GRAY * 65535).astype("uint16")
    color16 = RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 4)).astype("uint16")
    color12 = color16[..., :3] // 16
    frames = [Image.fromarray(rgb), Image.fromarray(rgb[::-1])]
    kinds = {
        "color.jpg": saved(rgb, "JPEG", quality=90),
        "subsampled.jpg": saved(rgb, "JPEG", quality=60, subsampling=2),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "gray.jpg": saved(smooth, "JPEG"),
        "cmyk.jpg": saved(rgb, "JPEG", "CMYK"),
        "color.jfif": saved(rgb, "JPEG"),
        "color.JPG": saved(rgb, "JPEG", quality=80),
        "color.png": saved(rgb, "PNG"),
        "gray.png": saved(smooth, "PNG"),
        "bit.png": saved(smooth, "PNG", "1"),
        "palette.png": saved(palette, "PNG"),
        "palette4.png": saved(palette, "PNG", bits=4),
        "alpha.png": saved(COLORS, "PNG"),
        "gray_alpha.png": saved(COLORS, "PNG", "LA"),
        "hole.png": saved(hole, "PNG", transparency=2),
        "hole2.png": saved(hole, "PNG", transparency=2, bits=2),
        "clear.png": saved(np.zeros((HEIGHT, WIDTH, 4), "uint8"), "PNG"),
        "animated.png": saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "gray16.png": saved(deep, "PNG"),
        "gray12.png": saved(deep // 16, "PNG"),
        "gray10.png": saved(deep // 64, "PNG"),
        "color16.png": tf.io.encode_png(color16[..., :3]).numpy(),
        "color12.png": tf.io.encode_png(color12).numpy(),
        "alpha16.png": tf.io.encode_png(color16).numpy(),
        "color.bmp": saved(rgb, "BMP"),
        "gray.bmp": saved(smooth, "BMP"),
        "palette.bmp": saved(palette, "BMP"),
        "bit.bmp": saved(smooth, "BMP", "1"),
        "alpha.bmp": saved(COLORS, "BMP"),
        "palette.gif": saved(palette, "GIF"),
        "animated.gif": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "lossy.webp": saved(rgb, "WEBP"),
        "alpha.webp": saved(COLORS, "WEBP", lossless=True),
        "color.tif": saved(rgb, "TIFF"),
        "packed.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "gray16.tif": saved(deep, "TIFF"),
        "signed.tif": saved((GRAY * 4000 - 1000).astype("int32"), "TIFF"),
        "unit.tiff": saved(GRAY.astype("float32"), "TIFF"),
        "float.tiff": saved((GRAY * 9000).astype("float32"), "TIFF"),
        "color16.tif": tiff_of_16_bits(color16[..., :3]),
        "color12.tif": tiff_of_16_bits(color12),
        "color.ppm": saved(rgb, "PPM"),
        "color.tga": saved(rgb, "TGA"),
    }
    for number in range(2, 9):
        kinds[f"held{number}.jpg"] = saved(rgb, "JPEG", exif=exif(number))
    kinds["held6.png"] = saved(rgb, "PNG", exif=exif(6))
    kinds["held6.webp"] = saved(rgb, "WEBP", lossless=True, exif=exif(6))
    kinds["held6.tif"] = saved(rgb, "TIFF", exif=exif(6))
    return kinds


IN_A_GRAPH = (".jpg", ".jfif", ".JPG", ".png", ".bmp", ".gif", ".webp")
"""Endings of files that TensorFlow decodes."""
