"""example_figure: some examples drawn, before any training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.titled_images import titled_images
from lightning_tf.data.report.array_statistics import named_arrays

MOST_IMAGES, MOST_SERIES, MOST_COLUMNS, MOST_TEXTS = 25, 6, 12, 12
LINE = 110  # characters of a text


def example_figure(
    batch: Any,
    class_names: Sequence[str] = (),
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Any:
    """Draw the examples of a batch: images, curves of series, texts, or histograms of columns.

    Args:
        batch: Inputs, or a tuple of inputs and targets.
        class_names: Of integer targets.
        columns: Names of columns, as of `named_arrays`.

    Returns:
        A matplotlib Figure that belongs to no window.

    Example:
        >>> figure = example_figure((np.zeros((9, 8, 8, 1)), np.arange(9)), list("abcdefghi"))
        >>> len(figure.axes[0].images)
        9
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    inputs, target = (batch[0], batch[1]) if isinstance(batch, tuple) else (batch, None)
    arrays = dict(named_arrays(inputs, "input", columns))
    first = next(iter(arrays.values()))
    names = _names(target, len(first), class_names)

    if first.dtype == object:
        figure = Figure(figsize=(10, 0.4 * min(len(first), MOST_TEXTS) + 0.5))
        _draw_texts(figure, first.ravel(), names)
        return figure
    if first.ndim == 4 and first.shape[-1] in (1, 3, 4):
        return _image_figure(first[:MOST_IMAGES], names[:MOST_IMAGES])

    figure = Figure(layout=PanelLayout())
    if first.ndim == 3:
        _draw_series(figure, first[:MOST_SERIES], names)
    else:
        _draw_columns(figure, arrays)
    return figure


def _names(target: Any, count: int, class_names: Sequence[str]) -> list[str]:
    labels = target.ravel() if isinstance(target, np.ndarray) and target.size == count else None
    if labels is None:
        return [""] * count
    if labels.dtype.kind in "iu" and class_names:
        known = dict(enumerate(class_names))
        return [str(known.get(int(label), label)) for label in labels]
    return [f"{label:.4g}" if labels.dtype.kind == "f" else str(label) for label in labels]


def _image_figure(images: NDArray[Any], names: Sequence[str]) -> Any:
    pixels: NDArray[np.floating] = images.astype(np.float32)
    low, high = (0.0, 255.0) if images.dtype == np.uint8 else (pixels.min(), pixels.max())
    pixels = (pixels - low) / max(high - low, 1e-12)
    if pixels.shape[-1] == 4:  # on white
        pixels = 1 - pixels[..., 3:] * (1 - pixels[..., :3])
    return titled_images(pixels, names)


def _draw_series(figure: Any, windows: NDArray[Any], names: Sequence[str]) -> None:
    figure.set_size_inches(9, 1.6 * len(windows))
    for place, (window, name) in enumerate(zip(windows, names, strict=False)):
        axes = figure.add_subplot(len(windows), 1, place + 1)
        axes.plot(window)  # (rows, channels): a line for each channel
        axes.set_ylabel(name, fontsize=9)
        axes.grid(alpha=0.3)


def _draw_texts(figure: Any, texts: NDArray[Any], names: Sequence[str]) -> None:
    shown = min(len(texts), MOST_TEXTS)
    for place in range(shown):
        text = " ".join(texts[place].decode("utf-8", "replace").split())
        text = text if len(text) <= LINE else text[: LINE - 3] + "..."
        height = 1 - (place + 0.5) / shown
        # A dollar sign is no formula.
        figure.text(0.01, height, names[place], va="center", fontweight="bold", parse_math=False)
        figure.text(0.16, height, text, va="center", fontsize=9, parse_math=False)


def _draw_columns(figure: Any, arrays: dict[str, NDArray[Any]]) -> None:
    from matplotlib.ticker import MaxNLocator

    columns = [
        (f"{name} {place}" if array.reshape(len(array), -1).shape[1] > 1 else name, values)
        for name, array in arrays.items()
        for place, values in enumerate(array.reshape(len(array), -1).T)
    ][:MOST_COLUMNS]
    wide = min(len(columns), 4)
    rows = math.ceil(len(columns) / wide)
    figure.set_size_inches(3 * wide, 2.2 * rows)
    for place, (name, values) in enumerate(columns):
        axes = figure.add_subplot(rows, wide, place + 1)
        axes.hist(values[np.isfinite(values)], bins=20)
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))  # examples are counted
        axes.set_title(name, fontsize=9)
