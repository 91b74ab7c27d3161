"""titled_images: images in a grid, each under a title."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RIGHT, WRONG = "black", "red"


def titled_images(
    images: NDArray[np.floating],
    titles: Sequence[str],
    right: NDArray[np.bool_] | None = None,
    heat_maps: NDArray[np.floating] | None = None,
) -> Any:
    """Draw images in a grid, each under its title, in red where that is known to be mistaken.

    Args:
        images: Float in [0, 1], shape (n, height, width, 1 or 3).
        titles: What was predicted, for each image.
        right: Whether that is true, shape (n,); None where nobody knows.
        heat_maps: In [0, 1], shape (n, height, width) of any size, laid over the images.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure

    known = np.ones(len(images), bool) if right is None else right
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    lines = max(title.count("\n") for title in titles) + 1
    height = (1.75 + 0.2 * max(lines, 2)) * rows + 0.4
    figure = Figure(figsize=(1.9 * columns, height), layout="constrained")

    for place, (image, title, is_right) in enumerate(zip(images, titles, known, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        _draw_image(axes, image, None if heat_maps is None else heat_maps[place])

        color = RIGHT if is_right else WRONG
        axes.set_title(title, fontsize=9, color=color, parse_math=False)
        for spine in axes.spines.values():
            spine.set_color(color)
            spine.set_linewidth(1 if is_right else 3)

    if right is None:
        return figure
    wrong = int((~right).sum())
    figure.suptitle(f"{wrong} of {len(right)} mistaken" if wrong else f"all {len(right)} right")
    return figure


def _draw_image(axes: Any, image: NDArray[np.floating], heat_map: Any) -> None:
    is_gray = image.shape[-1] == 1
    axes.imshow(image[..., 0] if is_gray else image[..., :3], cmap="gray", vmin=0.0, vmax=1.0)
    axes.set_xticks([])
    axes.set_yticks([])
    if heat_map is None:
        return

    # A heat map of any size is stretched over the image's pixels.
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    style = {"cmap": "jet", "alpha": 0.45, "vmin": 0.0, "vmax": 1.0, "interpolation": "bilinear"}
    axes.imshow(heat_map, extent=extent, **style)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
