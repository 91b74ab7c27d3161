"""The image grid: several images with captions as one."""

import math
from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from lightning_tf.callbacks.loggers.pixels import to_pixels
from lightning_tf.exceptions import DataError

LEAST_SIDE = 96  # smaller images are enlarged, so that 8x8 digits can be seen
GAP = 4
FONT_SIZE = 12
LONGEST_LINE = 40


def draw_image_grid(images: Any, captions: Sequence[str] | None = None) -> Image:
    """Put images into a grid that is about square, each with its caption below.

    Args:
        images: See `to_pixels`.
        captions: One for each image, of one or more lines; lines of more than 40 characters are
            cut.

    Returns:
        A PIL image; small images are enlarged by whole numbers, without smoothing.

    Raises:
        DataError: Another shape, dtype or range, no image at all, or not one caption for each.

    Example:
        >>> draw_image_grid(np.zeros((4, 8, 8, 1), "uint8"), ["a", "b", "c", "d"]).save("grid.png")
    """
    from PIL import Image, ImageDraw, ImageFont

    pixels = to_pixels(images)  # (n, height, width, 3)
    count, height, width = pixels.shape[:3]
    if captions is not None and len(captions) != count:
        raise DataError(f"{len(captions)} captions for {count} images; give one for each.")
    # All cells have the size of the largest, so that columns and rows are straight.
    lines = [[_cut(line) for line in str(text).splitlines()] for text in captions or [""] * count]

    font = ImageFont.load_default(FONT_SIZE)
    scale = max(1, math.ceil(LEAST_SIDE / max(height, width)))
    height, width = height * scale, width * scale
    text_width = max(math.ceil(font.getlength(line)) for text in lines for line in text or [""])
    line_height = math.ceil(FONT_SIZE * 1.25)
    cell_width = max(width, text_width) + GAP
    cell_height = height + max(map(len, lines)) * line_height + GAP

    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)

    grid = Image.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP), "white")
    draw = ImageDraw.Draw(grid)
    for index, (image, text) in enumerate(zip(pixels, lines, strict=True)):
        left = GAP + index % columns * cell_width
        top = GAP + index // columns * cell_height
        enlarged = Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST)
        grid.paste(enlarged, (left, top))
        for number, line in enumerate(text):
            draw.text((left, top + height + number * line_height), line, "black", font)
    return grid


def _cut(line: str) -> str:
    return (
        line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "\N{HORIZONTAL ELLIPSIS}"
    )
