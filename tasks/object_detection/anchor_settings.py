"""AnchorSettings: what a user names as `anchors`, made into anchors for given images and boxes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import check_known, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.anchors import (
    GOOD_IOU,
    RATIOS,
    SSD_LIMITS,
    Anchors,
    Sizes,
    retinanet_sizes,
    ssd_sizes,
)

SCALES = tuple(2.0 ** (k / 4.0) for k in range(-2, 9))  # 0.7 to 4 strides, the paper's
LOSS_OF_COVERAGE = 0.01
RATIO_QUANTILES = (1.0 / 6.0, 0.5, 5.0 / 6.0)
LIMIT_QUANTILES = (0.02, 0.98)


class AnchorSettings:
    """A user's choice of anchors.

    ``"auto"`` measures the boxes of the training data. For RetinaNet: ratios are quantiles of the
    boxes' own, beside the paper's, and scales are tried up to the paper's 4 strides. For SSD: the
    smallest and the largest size are quantiles of the boxes', beside the paper's. Taken are the
    largest anchors of those that cover as many boxes as any, or 1 % less. All classes count alike:
    a rare class of small objects would else be left without an anchor.

    Args:
        anchors: ``auto``; a number, the smallest side in strides of each level; or ``{"scales":
            (4.0, 5.0, 6.3), "ratios": (0.5, 1.0, 2.0)}``, sides in strides and height by width.
        head: ``retinanet`` or ``ssd``.

    Raises:
        ConfigurationError: It is none of these.

    Example:
        >>> anchors = AnchorSettings("auto", "retinanet").build((160, 160), (3, 4, 5, 6), boxes)
    """

    def __init__(self, anchors: Any, head: str) -> None:
        self.head = head
        self.scales: float | tuple[float, ...] | None = None
        self.ratios: tuple[float, ...] = RATIOS
        if anchors == "auto":
            return

        if isinstance(anchors, Mapping):
            for name in anchors:
                check_known(f"anchors has no entry {name!r}", name, ("scales", "ratios"))
            self.ratios = _positive("ratios", anchors.get("ratios", RATIOS))
            self.scales = _positive("scales", anchors.get("scales", ()))
        elif is_number(anchors) and anchors > 0:
            self.scales = float(anchors)
        else:
            raise ConfigurationError(
                f"anchors={anchors!r}: give 'auto', a number of strides such as 4.0, or "
                "{'scales': (4.0, 5.0, 6.3), 'ratios': (0.5, 1.0, 2.0)}."
            )

    @property
    def is_auto(self) -> bool:
        """Return whether the anchors are to be fitted to boxes."""
        return self.scales is None

    def build(
        self,
        image_size: tuple[int, int],
        levels: Sequence[int],
        boxes: NDArray[np.float32],
        labels: NDArray[np.int32] | None = None,
    ) -> Anchors:
        """Return the anchors; `AnchorCoverage` tells how many of the boxes they cover.

        Args:
            image_size: Height and width of the input image.
            levels: Of the feature maps.
            boxes: Of the training data, in pixels of the input image, shape (boxes, 4).
            labels: Their classes, shape (boxes,); None where all are of one.
        """
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        labels = np.zeros(len(boxes), np.int32) if labels is None else labels
        real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        boxes, labels = boxes[real], labels[real]
        candidates = self._candidates(image_size, levels, boxes)
        fitted = [Anchors(image_size, tuple(levels), sizes) for sizes in candidates]
        return fitted[0] if len(fitted) == 1 else _best(fitted, boxes, labels)

    def _candidates(
        self, image_size: tuple[int, int], levels: Sequence[int], boxes: NDArray[np.float32]
    ) -> list[Sizes]:
        if self.scales is not None:
            return [retinanet_sizes(levels, self.scales, self.ratios)]

        sides = boxes[:, 2:] - boxes[:, :2]  # (boxes, 2)
        if self.head == "ssd":
            limits = [SSD_LIMITS]
            if len(boxes):
                shares = np.sqrt(sides.prod(axis=1)) / min(image_size)
                low, high = (float(q) for q in np.quantile(shares, LIMIT_QUANTILES))
                limits.append((low, max(high, low * 2.0)))
            return [ssd_sizes(levels, min(image_size), pair) for pair in limits]

        if not len(boxes):
            return [retinanet_sizes(levels, 4.0)]
        ratios: list[tuple[float, ...]] = [RATIOS]
        logarithms = np.quantile(np.log(sides[:, 1] / sides[:, 0]), RATIO_QUANTILES)
        ratios.append(tuple(float(ratio) for ratio in np.exp(logarithms)))
        return [retinanet_sizes(levels, scale, shape) for shape in ratios for scale in SCALES]


def _best(
    candidates: list[Anchors], boxes: NDArray[np.float32], labels: NDArray[np.int32]
) -> Anchors:
    """Return the largest anchors of those that cover about as much as any.

    Larger anchors put an object on a finer level, where more of them overlap it and learn from it.
    """
    overlaps = [anchors.best_overlaps(boxes) for anchors in candidates]
    classes = [labels == label for label in np.unique(labels)]
    covered = np.array(
        [np.mean([np.mean(each[own] >= GOOD_IOU) for own in classes]) for each in overlaps]
    )
    good = np.flatnonzero(covered >= covered.max() - LOSS_OF_COVERAGE)
    areas = {k: round(float(np.prod(candidates[k].sizes[0][0])), 3) for k in good}
    chosen = max(good, key=lambda k: (areas[k], overlaps[k].mean()))
    return candidates[chosen]


def _positive(name: str, numbers: Any) -> tuple[float, ...]:
    numbers = (numbers,) if is_number(numbers) else tuple(numbers)
    if not numbers or not all(is_number(number) and number > 0 for number in numbers):
        raise ConfigurationError(f"anchors: {name}={numbers!r} must be positive numbers.")
    return tuple(float(number) for number in numbers)
