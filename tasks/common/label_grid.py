"""LabelGrid: a grid of images with their predicted labels, of which each may have several."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.titled_images import titled_images
from lightning_tf.tasks.common.prediction_grid import PredictionGrid

SHOWN = 4


class LabelGrid(PredictionGrid):
    """Logs a grid of images when training ends and after every test, as `PredictionGrid` does.

    Each image carries the labels whose probability is above one half. Where these are not the
    true ones it is red: what is missing stands behind a minus, what is too much behind a plus.

    Args:
        count: How many images.
    """

    def draw(self, *of_images: Any) -> Any:
        """Draw what `label_figure` takes."""
        return label_figure(*of_images)


def label_figure(
    images: NDArray[np.floating],
    labels: NDArray[Any],
    probabilities: NDArray[np.floating],
    class_names: list[str],
    heat_maps: NDArray[np.floating] | None = None,
) -> Any:
    """Draw images in a grid, each under its predicted labels.

    Args:
        images: Float in [0, 1], shape (n, height, width, 1 or 3).
        labels: The true ones, 0 or 1, shape (n, labels).
        probabilities: Shape (n, labels).
        class_names: A name for each label.
        heat_maps: In [0, 1], shape (n, height, width) of any size, laid over the images.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    predicted = probabilities > 0.5
    true = labels.reshape(predicted.shape) > 0.5
    right = (predicted == true).all(axis=1)
    titles = [_title(*pair, class_names) for pair in zip(predicted, true, strict=True)]
    return titled_images(images, titles, right, heat_maps)


def _title(predicted: NDArray[np.bool_], true: NDArray[np.bool_], names: list[str]) -> str:
    lines = [names[i] for i in np.flatnonzero(predicted & true)]
    lines += [f"+ {names[i]}" for i in np.flatnonzero(predicted & ~true)]
    lines += [f"\N{MINUS SIGN} {names[i]}" for i in np.flatnonzero(true & ~predicted)]
    more = len(lines) - SHOWN
    lines = [*lines[:SHOWN], f"... {more} more"] if more > 0 else lines
    return "\n".join(lines) or "no label"
