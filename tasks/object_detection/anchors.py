"""Anchors: boxes of several sizes around the centers of a regular grid on each level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

OCTAVES = (1.0, 2.0 ** (1.0 / 3.0), 2.0 ** (2.0 / 3.0))
RATIOS = (0.5, 1.0, 2.0)
GOOD_IOU = 0.5  # from here on an anchor learns an object
SSD_LIMITS = (0.15, 0.9)  # of the image's shorter side, at the first and the last level

Sizes = list[list[list[float]]]


def level_shapes(image_size: Sequence[int], levels: Sequence[int]) -> list[tuple[int, int]]:
    """Return rows and columns of each level's feature map; level k has the stride 2^k.

    Example:
        >>> level_shapes((160, 224), (3, 6))
        [(20, 28), (3, 4)]
    """
    height, width = image_size
    return [(-(-height // 2**level), -(-width // 2**level)) for level in levels]


@dataclass(frozen=True)
class Anchors:
    """The anchors of a detector, as plain data and as boxes.

    Attributes:
        image_size: Height and width of the input image.
        levels: Of the feature maps, such as (3, 4, 5, 6).
        sizes: For each level a list of (width, height) in pixels, equally many on each.

    Example:
        >>> Anchors((64, 64), (3, 4), retinanet_sizes((3, 4), 4.0)).boxes.shape
        (720, 4)
    """

    image_size: tuple[int, int]
    levels: tuple[int, ...]
    sizes: Sizes

    @property
    def per_cell(self) -> int:
        """Return the number of anchors at each place of a feature map."""
        return len(self.sizes[0])

    @cached_property
    def boxes(self) -> NDArray[np.float32]:
        """Return x0, y0, x1, y1 in pixels, shape (anchors, 4): by level, row, column and size.

        They are centered in the cells that a feature map divides the image into.
        """
        height, width = self.image_size
        parts = []
        for (rows, columns), sizes in zip(self.shapes, self.sizes, strict=True):
            y = (np.arange(rows) + 0.5) * (height / rows)
            x = (np.arange(columns) + 0.5) * (width / columns)
            centers = np.stack(np.meshgrid(x, y), axis=-1)[:, :, None]  # (rows, columns, 1, 2)
            half = np.asarray(sizes) / 2.0  # (sizes, 2)
            corners = np.concatenate([centers - half, centers + half], axis=-1)
            parts.append(corners.reshape(-1, 4))
        return np.concatenate(parts).astype(np.float32)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Return rows and columns of each level's feature map."""
        return level_shapes(self.image_size, self.levels)

    def best_overlaps(self, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the IoU of each box with the anchor that overlaps it most, shape (boxes,).

        Args:
            boxes: In pixels of the input image, shape (boxes, 4).
        """
        exact = np.asarray(boxes, np.float64).reshape(-1, 4)
        best = np.zeros(len(exact))
        for shape, sizes in zip(self.shapes, self.sizes, strict=True):
            centers = _nearest_centers(exact, self.image_size, shape)
            for size in np.asarray(sizes):
                corners = np.concatenate([centers - size / 2.0, centers + size / 2.0], axis=1)
                best = np.maximum(best, _iou(exact, corners))
        return best

    def coverage(self, boxes: NDArray[np.float32], least: float = GOOD_IOU) -> float:
        """Return the share of boxes with an anchor of at least this IoU; 1 without boxes."""
        overlaps = self.best_overlaps(boxes)
        return float(np.mean(overlaps >= least)) if len(overlaps) else 1.0


def retinanet_sizes(
    levels: Sequence[int],
    scale: float | Sequence[float],
    ratios: Sequence[float] = RATIOS,
) -> Sizes:
    """Return the sizes of RetinaNet: each level's stride by scales, in several shapes.

    Source: Lin et al., 2017, section 4, https://arxiv.org/abs/1708.02002 (scale 4, three scales
    an octave, three ratios).

    Args:
        levels: Of the feature maps.
        scale: Of a side in strides; a number stands for three scales from there, an octave.
        ratios: Of height and width, at an equal area.
    """
    scales = [scale * octave for octave in OCTAVES] if isinstance(scale, (int, float)) else scale
    return [[_sides(s * 2**level, ratio) for s in scales for ratio in ratios] for level in levels]


def ssd_sizes(levels: Sequence[int], side: float, limits: Sequence[float] = SSD_LIMITS) -> Sizes:
    """Return the sizes of SSD: from level to level larger in equal steps, six on each.

    Source: Liu et al., 2016, section 2.2, https://arxiv.org/abs/1512.02325.

    Args:
        levels: Of the feature maps.
        side: Of the image, in pixels.
        limits: Of the first and the last level's boxes, as shares of the side.
    """
    low, high = limits
    steps = max(len(levels) - 1, 1)
    scales = [side * (low + (high - low) * k / steps) for k in range(len(levels) + 1)]
    sizes = []
    for scale, following in pairwise(scales):
        shapes = [_sides(scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)]
        sizes.append([*shapes, _sides((scale * following) ** 0.5, 1.0)])
    return sizes


def _sides(scale: float, ratio: float) -> list[float]:
    return [float(scale / ratio**0.5), float(scale * ratio**0.5)]


def _nearest_centers(
    boxes: NDArray[np.float64], image_size: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the center that is nearest to each box: at one size none overlaps it more."""
    counts = np.asarray(shape[::-1])
    strides = np.asarray(image_size[::-1]) / counts
    cells = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2.0 / strides)
    return np.asarray((np.clip(cells, 0, counts - 1) + 0.5) * strides)


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = np.prod(one[:, 2:] - one[:, :2], axis=1) + np.prod(other[:, 2:] - other[:, :2], axis=1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-9))
