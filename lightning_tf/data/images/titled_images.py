"""titled_images: images in a grid, each under a title."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RIGHT, WRONG = "black", "red"
FONT_SIZE, LINE = 9, 0.16  # of titles: points, and inches from one line to the next
IMAGE = 1.75  # inches of an image's longer side
DPI = 100  # at which titles are measured; at others they differ by less than the gap
GAP = 0.15  # inches between two cells
WIDEST = 4.0  # inches of a title; a longer one makes all of them smaller
HEADING = 0.45  # inches above the grid


def titled_images(
    images: NDArray[np.floating],
    titles: Sequence[str],
    right: NDArray[np.bool_] | None = None,
    heat_maps: NDArray[np.floating] | None = None,
    heading: str | None = None,
) -> Any:
    """Draw images in a grid, each under its title, in red where that is known to be mistaken.

    Args:
        images: Float in [0, 1], shape (n, height, width, 1 or 3).
        titles: What was predicted, for each image.
        right: Whether that is true, shape (n,); None where nobody knows.
        heat_maps: In [0, 1], shape (n, height, width) of any size, laid over the images.
        heading: Above the grid; None tells how many are mistaken, where that is known.

    Returns:
        A matplotlib Figure that belongs to no window. All images are in one Axes, in inches from
        the top left: an Axes for each would take most of the time.
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    if heading is None and right is not None:
        wrong = int((~right).sum())
        heading = f"{wrong} of {len(right)} mistaken" if wrong else f"all {len(right)} right"
    above = 0.0 if heading is None else HEADING

    # Cells are as wide as the widest title, so that none is cut or lies over another.
    wide, high = (IMAGE * side / max(images.shape[1:3]) for side in images.shape[2:0:-1])
    title_width = _longest_line(titles)
    font_size = FONT_SIZE * min(1.0, WIDEST / max(title_width, WIDEST))
    lines = max(title.count("\n") for title in titles) + 1
    cell_width = max(wide, min(title_width, WIDEST)) + GAP
    cell_height = high + LINE * lines + GAP

    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = columns * cell_width, rows * cell_height + above
    figure = Figure(figsize=(width, height), layout=PanelLayout())
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))

    known = np.ones(len(images), bool) if right is None else right
    for place, (image, title, is_right) in enumerate(zip(images, titles, known, strict=True)):
        row, column = divmod(place, columns)
        x, bottom = (column + 0.5) * cell_width, above + (row + 1) * cell_height - GAP / 2
        extent = (x - wide / 2, x + wide / 2, bottom, bottom - high)
        color = RIGHT if is_right else WRONG
        heat_map = None if heat_maps is None else heat_maps[place]
        _draw_image(axes, image, heat_map, extent, color, line_width=1 if is_right else 3)
        style: Any = {"color": color, "fontsize": font_size, "ha": "center", "parse_math": False}
        axes.text(x, bottom - high - 0.05, title, **style)

    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    if heading is not None:
        figure.suptitle(heading, y=1 - 0.12 / height, va="top")
    return figure


def _longest_line(titles: Sequence[str]) -> float:
    """Return the width of the longest line, in inches."""
    from matplotlib.backends import backend_agg
    from matplotlib.font_manager import FontProperties

    module: Any = backend_agg  # untyped
    renderer = module.RendererAgg(1, 1, DPI)
    font = FontProperties(size=FONT_SIZE)
    lines = {line for title in titles for line in title.split("\n")}
    widths = [renderer.get_text_width_height_descent(x, font, False)[0] for x in lines]
    return float(max(widths)) / DPI


def _draw_image(
    axes: Any,
    image: NDArray[np.floating],
    heat_map: Any,
    extent: tuple[float, float, float, float],
    color: str,
    line_width: float,
) -> None:
    from matplotlib.patches import Rectangle

    pixels = image[..., 0] if image.shape[-1] == 1 else image[..., :3]
    place: Any = {"extent": extent, "aspect": "auto", "origin": "upper"}
    axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, **place)
    if heat_map is not None:  # of any size, stretched over the image's pixels
        style: Any = {"cmap": "jet", "alpha": 0.45, "vmin": 0.0, "vmax": 1.0}
        axes.imshow(heat_map, interpolation="bilinear", **style, **place)

    left, right, bottom, top = extent
    frame: Any = {"fill": False, "edgecolor": color, "linewidth": line_width}
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, **frame))
