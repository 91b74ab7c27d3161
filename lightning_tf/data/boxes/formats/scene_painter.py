"""ScenePainter: one scene of digits, drawn from a random state."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_DIGITS = 6
HEIGHTS = (16, 48)
MOST_OVERLAP = 0.1
TRIES = 30
LEAST_CONTRAST = 70.0
INK = 64
"""From here on, of 255, a pixel belongs to the digit: its box is that of these."""
MOST_NOISE = 8.0
LUMINANCE = np.array([0.299, 0.587, 0.114])


class ScenePainter:
    """Paints colored digits on crops of photos.

    Args:
        glyphs: uint8 of shape (digits, height, width), ink on 0.
        labels: What each glyph is.
        photos: uint8 of shape (height, width, 3), larger than a scene.

    Example:
        >>> glyphs, photo = np.full((1, 28, 28), 255, "uint8"), np.zeros((99, 99, 3), "uint8")
        >>> painter = ScenePainter(glyphs, np.array([7]), [photo])
        >>> pixels, boxes, digits = painter.paint(np.random.RandomState(0), 96)
        >>> pixels.shape, boxes.shape[1], set(digits)
        ((96, 96, 3), 4, {7})
    """

    def __init__(
        self,
        glyphs: NDArray[np.uint8],
        labels: NDArray[np.int64],
        photos: Sequence[NDArray[np.uint8]],
    ) -> None:
        """Keep what is painted with."""
        self._glyphs, self._labels, self._photos = glyphs, labels, photos

    def paint(
        self, random: np.random.RandomState, side: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], list[int]]:
        """Return pixels (side, side, 3), boxes xyxy (digits, 4) and the digits of a scene."""
        scene = self._background(random, side)
        boxes: list[tuple[int, int, int, int]] = []
        digits: list[int] = []
        for _ in range(random.randint(1, MOST_DIGITS + 1)):
            number = random.randint(len(self._glyphs))
            ink = _resize_glyph(self._glyphs[number], random.randint(HEIGHTS[0], HEIGHTS[1] + 1))
            box = _free_place(random, ink.shape, side, boxes)
            if box is None:  # no room is left
                continue
            _draw(random, scene, ink, box)
            boxes.append(box)
            digits.append(int(self._labels[number]))

        noise = random.normal(0.0, random.uniform(0.0, MOST_NOISE), scene.shape)
        pixels = np.clip(np.round(scene + noise), 0, 255).astype(np.uint8)
        return pixels, np.array(boxes, np.float64).reshape(-1, 4), digits

    def _background(self, random: np.random.RandomState, side: int) -> NDArray[np.float64]:
        photo = self._photos[random.randint(len(self._photos))]
        top = random.randint(photo.shape[0] - side + 1)
        left = random.randint(photo.shape[1] - side + 1)
        return photo[top : top + side, left : left + side].astype(np.float64)


def _resize_glyph(glyph: NDArray[np.uint8], height: int) -> NDArray[np.float64]:
    """Return the ink of a digit in this height, 0 to 1, cut at its edges."""
    import PIL.Image

    inked = _cut(glyph)
    width = max(1, round(inked.shape[1] * height / inked.shape[0]))
    # No wider than the largest height: a flat stroke would fill the scene.
    width = min(width, HEIGHTS[1])
    resized = PIL.Image.fromarray(inked).resize((width, height), PIL.Image.Resampling.BILINEAR)
    return _cut(np.asarray(resized)) / 255.0


def _cut(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.flatnonzero((ink >= INK).any(1)), np.flatnonzero((ink >= INK).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_place(
    random: np.random.RandomState,
    shape: tuple[int, ...],
    side: int,
    boxes: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    """Return a box whose overlap with every other covers at most 0.1 of the smaller of the two."""
    height, width = shape
    for _ in range(TRIES):
        top, left = random.randint(side - height + 1), random.randint(side - width + 1)
        box = (left, top, left + width, top + height)
        if all(_overlap(box, other) <= MOST_OVERLAP for other in boxes):
            return box
    return None


def _overlap(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> float:
    """Return the shared area as a share of the smaller box; an IoU is never above it."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return max(width, 0) * max(height, 0) / smaller


def _draw(
    random: np.random.RandomState,
    scene: NDArray[np.float64],
    ink: NDArray[np.float64],
    box: tuple[int, int, int, int],
) -> None:
    """Paint ink into the scene, in a color that stands out from what is below it."""
    left, top, right, bottom = box
    below = scene[top:bottom, left:right]
    brightness = below.mean(axis=(0, 1)) @ LUMINANCE
    color = random.uniform(0, 255, 3)
    shift = color @ LUMINANCE - brightness
    if abs(shift) < LEAST_CONTRAST:
        # Toward the side with more room, which keeps the hue as far as it goes.
        wanted = brightness + (LEAST_CONTRAST if brightness < 128 else -LEAST_CONTRAST)
        color = np.clip(color + (wanted - color @ LUMINANCE), 0, 255)
    alpha = ink[..., np.newaxis]
    scene[top:bottom, left:right] = below * (1 - alpha) + color * alpha
