"""occlusion_drops: where in an image a class was seen, by covering one place after another."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 32  # covered images that are predicted together
PATCHES = 5  # squares side by side, where nobody says how large they are


def occlusion_drops(
    predict: Callable[[NDArray[Any]], NDArray[np.floating]],
    images: NDArray[Any],
    classes: NDArray[np.integer],
    patch: int,
    stride: int,
) -> NDArray[np.float32]:
    """Return how much less a class is predicted where a place of the image is covered.

    A square in the mean color of the image moves over it; a pixel gets the mean drop of the squares
    that cover it. Nothing is asked of the network but predictions.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section
    4.2, https://arxiv.org/abs/1311.2901.

    Args:
        predict: From images to numbers of shape (batch, classes).
        images: Of shape (batch, height, width, channels).
        classes: The class of each image to look for, shape (batch,).
        patch: Side of the square in pixels; cut to the image.
        stride: Pixels from one square to the next, at most `patch`; the last ones end at the edge.

    Returns:
        Float32 of shape (batch, height, width); negative where the class is predicted more without
        the place.

    Example:
        >>> brightness = lambda images: images.mean(axis=(1, 2))
        >>> image = np.zeros((1, 2, 2, 1), np.float32)
        >>> image[0, 0, 0] = 4.0
        >>> occlusion_drops(brightness, image, np.array([0]), patch=1, stride=1)[0].tolist()
        [[0.75, -0.25], [-0.25, -0.25]]
    """
    height, width = images.shape[1:3]
    squares = [
        (slice(top, top + patch), slice(left, left + patch))
        for top in _starts(height, patch, stride)
        for left in _starts(width, patch, stride)
    ]
    whole = predict(images)  # (batch, classes)

    drops = np.zeros((len(images), height, width), np.float32)
    covers = np.zeros((height, width), np.float32)
    for square in squares:
        covers[square] += 1.0
    for image, chosen, values, drop in zip(images, classes, whole, drops, strict=True):
        for group in _groups(squares):
            covered = predict(_covered(image, group))[:, chosen]  # (squares,)
            for square, value in zip(group, covered, strict=True):
                drop[square] += values[chosen] - value
    return drops / covers


def _starts(length: int, patch: int, stride: int) -> list[int]:
    """Return where squares begin along an axis, about evenly, the first and the last at its ends.

    Example:
        >>> _starts(10, 4, 2), _starts(9, 4, 2), _starts(3, 4, 2)
        ([0, 2, 4, 6], [0, 2, 3, 5], [0])
    """
    room = max(length - patch, 0)
    starts: list[int] = np.linspace(0, room, math.ceil(room / stride) + 1).astype(int).tolist()
    return starts


def _groups(squares: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(squares), AT_ONCE):
        yield squares[start : start + AT_ONCE]


def _covered(image: NDArray[Any], squares: list[Any]) -> NDArray[Any]:
    """Return the image with each of the squares covered, shape (squares, *image.shape)."""
    images = np.repeat(image[np.newaxis], len(squares), axis=0)
    color = image.mean(axis=(0, 1)).astype(image.dtype)  # (channels,)
    for number, square in enumerate(squares):
        images[number][square] = color
    return images
