"""draw_boxes: boxes with their names, drawn over an image by pillow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.class_colors import CLASS_COLORS as CLASS_COLORS

Color = tuple[int, int, int]
Corners = tuple[float, float, float, float]

GRAY = 114  # of what is beside an image, as in a letterbox
DARK = 140  # luminance, up to which a color wants white text on it
SMALLEST_TEXT = 11  # pixels


@dataclass(frozen=True)
class DrawnBox:
    """A box and how it looks.

    Attributes:
        corners: x0, y0, x1, y1 in pixels of the image.
        text: Beside the box; none where empty.
        color: Of the line, and behind the text.
        dashed: Whether the line is.
    """

    corners: Corners
    text: str = ""
    color: Color = CLASS_COLORS[0]
    dashed: bool = False


def draw_boxes(pixels: NDArray[np.uint8], boxes: Sequence[DrawnBox]) -> NDArray[np.uint8]:
    """Return the image with boxes drawn over it; the first of them lies on top.

    Lines and text grow with the image. A text stands where it covers no other one, if there is
    such a place beside its box.

    Args:
        pixels: Shape (height, width, 3).
        boxes: In pixels of the image; what reaches beyond it is cut.
    """
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    side = min(max(image.size), 3 * min(image.size))
    width = max(1, round(side / 190))
    font = ImageFont.load_default(max(SMALLEST_TEXT, round(side / 36)))

    for box in reversed(boxes):
        _draw_line(draw, _inside(box.corners, image.size, width), box, width)

    taken: list[Corners] = []
    for box in boxes:
        if box.text:
            corners = _inside(box.corners, image.size, width)
            taken.append(_draw_text(draw, corners, box, font, image.size, taken))
    return np.asarray(image)


def fit_image(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the image resized so that its longer side is `side` pixels."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def pad_to_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with gray to the right or below, so that several make one array."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    padding = ((0, side - height), (0, side - width), (0, 0))
    return np.pad(pixels, padding, constant_values=GRAY)


def _inside(corners: Corners, size: tuple[int, int], width: int) -> Corners:
    """Return a box whose line of some width lies inside the image."""
    most = (size[0] - 1, size[1] - 1)
    x0, y0, x1, y1 = (min(max(v, 0.0), most[i % 2]) for i, v in enumerate(corners))
    return x0, y0, max(x1, min(x0 + width, most[0])), max(y1, min(y0 + width, most[1]))


def _draw_line(draw: Any, corners: Corners, box: DrawnBox, width: int) -> None:
    if not box.dashed:
        draw.rectangle(corners, outline=box.color, width=width)
        return

    x0, y0, x1, y1 = corners
    dash = 4 * width
    for begin in np.arange(x0, x1, 2 * dash):
        for y in (y0, y1):
            draw.line((begin, y, min(begin + dash, x1), y), fill=box.color, width=width)
    for begin in np.arange(y0, y1, 2 * dash):
        for x in (x0, x1):
            draw.line((x, begin, x, min(begin + dash, y1)), fill=box.color, width=width)


def _draw_text(
    draw: Any,
    corners: Corners,
    box: DrawnBox,
    font: Any,
    size: tuple[int, int],
    taken: Sequence[Corners],
) -> Corners:
    """Draw a text on a ground of its box's color and return where it stands."""
    left, top, right, bottom = draw.textbbox((0, 0), box.text, font=font)
    wide, high = right - left + 4, bottom - top + 4
    is_small = corners[3] - corners[1] < 3 * high or corners[2] - corners[0] < wide
    covered = [*taken, corners] if is_small else taken  # a text in a small box would hide it
    places = list(_places(corners, (wide, high), size))
    free = [place for place in places if not any(_meet(place, other) for other in taken)]
    best = (place for place in free if not any(_meet(place, other) for other in covered))
    x0, y0, x1, y1 = place = next(best, (free or places)[0])

    draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=box.color)
    red, green, blue = box.color
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue <= DARK
    position = (x0 + 2 - left, y0 + 2 - top)
    draw.text(position, box.text, fill="white" if is_dark else "black", font=font)
    return place


def _places(
    corners: Corners, text: tuple[float, float], size: tuple[int, int]
) -> Iterator[Corners]:
    """Yield where a text may stand, the best place first; moved into the image."""
    (x0, y0, x1, y1), (wide, high) = corners, text
    above, below = y0 - high, y1 + 1
    inner = [(x0, y0), (x0, y1 - high), (x1 - wide, y0)]
    outer = [(x0, below), (x1 - wide, above), (x1 + 1, y0), (x0 - wide, y0)]
    for x, y in [(x0, above), *inner, *outer]:
        inside_x = max(0.0, min(x, size[0] - wide))
        inside_y = max(0.0, min(y, size[1] - high))
        yield inside_x, inside_y, inside_x + wide, inside_y + high


def _meet(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
