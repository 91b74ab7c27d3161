"""Figures of a convolution: its filters, and what it makes of images."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP = 2  # pixels between tiles, white as the page
LEAST_SIDE = 24  # pixels of a tile: those of 3 x 3 filters shall not drown in the gaps
SLICES = 8  # filters and input channels of a layer whose filters are no images
COLORS = 3
IMAGE, TITLE = 2.2, 0.45  # inches


def draw_filters(kernel: NDArray[np.floating], name: str, most: int) -> Any:
    """Draw filters as images; of many input channels a row for each filter.

    Args:
        kernel: Of shape (height, width, input channels, filters).
        name: The layer's.
        most: Filters, of those that are images; the first ones.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure

    height, width, channels, filters = kernel.shape
    if channels in (1, COLORS):
        shown = tiles_of(np.moveaxis(kernel[..., :most], -1, 0))  # (rows, columns, 1 or 3)
        title = f"{name}: {min(most, filters)} of {filters} filters, {height} x {width}"
    else:
        chosen = kernel[:, :, :SLICES, :SLICES]
        cells = scaled(np.moveaxis(chosen, -1, 0))  # each filter by itself: (filters, h, w, inputs)
        count, height, width, inputs = cells.shape
        slices = cells.transpose(0, 3, 1, 2).reshape(count * inputs, height, width, 1)
        shown = tiles_of(slices, columns=inputs, is_scaled=True)
        title = f"{name}: {count} of {filters} filters in rows,\n"
        title += f"{inputs} of {channels} inputs in columns"

    side = 3.2
    figure = Figure(figsize=(side, side * shown.shape[0] / shown.shape[1] + TITLE))
    _leave_room(figure)
    _show(figure.add_subplot(), shown)
    figure.suptitle(title, fontsize=9)
    return figure


def draw_feature_maps(
    images: NDArray[Any], maps: NDArray[np.floating], name: str, most: int
) -> Any:
    """Draw images, each beside the maps that a layer makes of it.

    Args:
        images: Of any range, shape (n, height, width, channels).
        maps: Of shape (n, rows, columns, channels).
        name: The layer's.
        most: Channels; the first ones.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure

    count = len(images)
    figure = Figure(figsize=(3 * IMAGE, IMAGE * count + TITLE))
    _leave_room(figure)
    grid = figure.subplots(count, 2, squeeze=False, width_ratios=[1, 2])
    low, high = images.min(), images.max()
    for (left, right), image, of_image in zip(grid, images, maps, strict=True):
        pixels = (image.astype(np.float32) - low) / max(high - low, 1e-12)
        _show(left, pixels[..., :COLORS] if image.shape[-1] >= COLORS else pixels[..., :1])
        tiles = np.moveaxis(of_image[..., :most], -1, 0)  # (channels, rows, columns)
        _show(right, tiles_of(tiles[..., np.newaxis], columns=math.ceil(math.sqrt(2 * len(tiles)))))
    _, rows, columns, channels = maps.shape
    title = f"{name}: {min(most, channels)} of {channels} maps, {rows} x {columns}"
    figure.suptitle(title, fontsize=9)
    return figure


def tiles_of(
    images: NDArray[np.floating], columns: int | None = None, is_scaled: bool = False
) -> NDArray[np.floating]:
    """Return images side by side as one; small ones are enlarged by whole numbers.

    Args:
        images: Of shape (n, height, width, channels), each between its own lowest and highest
            value.
        columns: How many side by side; None is about a square.
        is_scaled: Whether they are in [0, 1] already.

    Returns:
        Float in [0, 1], shape (height of all, width of all, channels).

    Example:
        >>> tiles_of(np.zeros((4, 5, 5, 1))).shape
        (52, 52, 1)
    """
    large = images if is_scaled else scaled(images)
    scale = math.ceil(LEAST_SIDE / max(images.shape[1:3]))
    large = large.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, channels = large.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    rows = math.ceil(count / columns)

    # Every cell is an image with a gap below and to the right of it; the last gaps are cut off.
    cells = np.full((rows * columns, height + GAP, width + GAP, channels), 1.0, np.float32)
    cells[:count, :-GAP, :-GAP] = large
    cells = cells.reshape(rows, columns, height + GAP, width + GAP, channels)
    whole = cells.transpose(0, 2, 1, 3, 4)
    return whole.reshape(rows * (height + GAP), columns * (width + GAP), channels)[:-GAP, :-GAP]


def scaled(images: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return each image between its own lowest value, 0, and its highest, 1; a flat one is 0."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True)
    span = high - low
    shown: NDArray[np.floating] = np.divide(
        images - low, span, out=np.zeros_like(images), where=span > 0
    )
    return shown


def _leave_room(figure: Any) -> None:
    """Keep a title's room; panels without labels need none, and nothing is measured."""
    top = 1.0 - TITLE / figure.get_figheight()
    figure.subplots_adjust(0.01, 0.01, 0.99, top, wspace=0.02, hspace=0.05)


def _show(axes: Any, pixels: NDArray[np.floating]) -> None:
    is_gray = pixels.shape[-1] == 1
    shown = pixels[..., 0] if is_gray else pixels
    axes.imshow(shown, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_axis_off()
