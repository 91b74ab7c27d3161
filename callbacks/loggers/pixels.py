"""Pixels: images of any usual dtype, range and channels, as loggers write them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from lightning_tf.exceptions import DataError

log = logging.getLogger("lightning_tf")

TOLERANCE = 1e-3  # by which a float may leave [0, 1]: rounding, not another range
CHANNELS = (1, 2, 3, 4)  # gray, gray and alpha, RGB, RGB and alpha
WANTED = "give (n, height, width) or (n, height, width, 1 to 4)"

_told: set[str] = set()


def to_pixels(images: Any) -> np.ndarray:
    """Return images as uint8 of shape (n, height, width, 3).

    Args:
        images: Shape (n, height, width) or (n, height, width, channels): gray, RGB, and either with
            alpha, which is laid over white; arrays, tensors or a list of PIL's images. Booleans;
            integers in [0, 255], uint16 up to 65535; floats in [0, 1], or up to 255. Floats in
            [-1, 1] and 16 bits are scaled and NaN becomes black, which is said once.

    Raises:
        DataError: There is no image, or another shape, dtype or range; or one image alone, which
            could be several without channels.

    Example:
        >>> to_pixels(np.ones((1, 8, 8), bool)).shape
        (1, 8, 8, 3)
    """
    try:
        pixels = np.asarray(images)
    except ValueError as error:  # a list of different sizes
        shapes = ", ".join(str(np.shape(image)) for image in images)
        raise DataError(
            f"images have shapes {shapes:.200}; log those of a size together."
        ) from error
    if pixels.ndim == 3:
        if pixels.shape[-1] in CHANNELS and pixels.shape[0] > pixels.shape[-1]:
            raise DataError(
                f"images have shape {pixels.shape}: one with channels, or {pixels.shape[0]} "
                "without? Give (1, height, width, channels) or (n, height, width, 1)."
            )
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in CHANNELS or 0 in pixels.shape:
        raise DataError(f"images have shape {np.shape(images)}; {WANTED}.")

    if pixels.dtype != np.uint8:
        pixels = _to_bytes(pixels)
    if pixels.shape[-1] in (2, 4):
        pixels = _over_white(pixels)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    kind = pixels.dtype.kind
    if kind == "b":
        return pixels.astype(np.uint8) * np.uint8(255)
    if kind not in "iufV":  # V: bfloat16
        raise DataError(f"images have dtype {pixels.dtype}; give booleans, integers or floats.")

    values: np.ndarray = pixels.astype(np.float32)
    if np.isnan(values).any():
        _say("images hold NaN, which is shown as black.")
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    low, high = float(values.min()), float(values.max())

    is_integer = kind in "iu"
    if pixels.dtype == np.uint16 and high > 255.0:
        _say("images are uint16, shown from 0 (black) to 65535 (white).")
        return np.rint(values / 257.0).astype(np.uint8)
    if low >= (0.0 if is_integer else -TOLERANCE) and high <= 255.0:
        unit = not is_integer and high <= 1.0 + TOLERANCE
        values = values.clip(0.0, 1.0) * 255.0 if unit else values.clip(0.0)
        return np.rint(values).astype(np.uint8)
    if not is_integer and low >= -1.0 - TOLERANCE and high <= 1.0 + TOLERANCE:
        _say("images have values in [-1, 1], which are shown from black to white.")
        values = (values.clip(-1.0, 1.0) + 1.0) * 127.5
        return np.rint(values).astype(np.uint8)
    raise DataError(
        f"images have values in [{low:g}, {high:g}]; give floats in [0, 1], or 0 to 255."
    )


def _over_white(pixels: np.ndarray) -> np.ndarray:
    colors, alpha = pixels[..., :-1].astype(np.float32), pixels[..., -1:].astype(np.float32) / 255.0
    mixed: np.ndarray = np.rint(colors * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)
    return mixed


def _say(text: str) -> None:
    """Say something once: images are logged again and again."""
    if text not in _told:
        _told.add(text)
        log.warning("%s", text)
