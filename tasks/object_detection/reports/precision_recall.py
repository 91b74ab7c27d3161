"""PrecisionRecall: precision over recall of one class, and the threshold of the best F1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.object_detection.detected_image import DetectedImage
from lightning_tf.tasks.object_detection.reports.box_matches import NOTHING, match_boxes


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """What a class's precision and recall are when detections from a score on are kept.

    Attributes:
        name: The class's.
        objects: How many there are.
        scores: Every score that a detection of the class has, descending.
        precision: At each of the scores; empty where the class is never detected.
        recall: The same.
    """

    name: str
    objects: int
    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def interpolated(self) -> NDArray[np.float64]:
        """The highest precision at this or a higher recall, whose mean COCO calls AP."""
        envelope: NDArray[np.float64] = np.maximum.accumulate(self.precision[::-1])[::-1]
        return envelope

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall at each of the scores."""
        return 2 * self.precision * self.recall / np.maximum(self.precision + self.recall, 1e-12)

    @property
    def best_f1(self) -> float:
        """The highest F1; 0 where the class is never detected."""
        return float(self.f1.max(initial=0.0))

    @property
    def best_threshold(self) -> float | None:
        """The score from which on detections are kept at the best F1; None if it is 0."""
        return float(self.scores[self.f1.argmax()]) if self.best_f1 else None


def precision_recall_curves(
    images: Sequence[DetectedImage], class_names: Sequence[str], iou: float = 0.5
) -> list[PrecisionRecall]:
    """Return the curve of each class that has an object, in the order of the classes.

    Args:
        images: By ascending index.
        class_names: A name for each label.
        iou: From here on a detection has found an object.
    """
    matches = [match_boxes(image, iou) for image in images]
    kept = [~match.is_ignored for match in matches]
    pairs = list(zip(images, matches, kept, strict=True))
    empty: NDArray[np.float64] = np.zeros(0)
    labels = np.concatenate([empty, *(i.found_labels[k] for i, _, k in pairs)])
    scores = np.concatenate([empty, *(i.scores[k] for i, _, k in pairs)])
    is_right = np.concatenate([empty, *(m.object_of[k] != NOTHING for _, m, k in pairs)])
    truth = np.concatenate([empty, *(image.labels[~image.ignored] for image in images)])

    curves = []
    for label, name in enumerate(class_names):
        objects = int((truth == label).sum())
        if objects:
            mine = labels == label
            curves.append(_curve(name, objects, scores[mine], is_right[mine]))
    return curves


def _curve(
    name: str, objects: int, scores: NDArray[np.float64], is_right: NDArray[np.float64]
) -> PrecisionRecall:
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], np.cumsum(is_right[order])
    # A threshold cannot part equal scores: only the last of them is a point.
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    kept = np.arange(1, len(scores) + 1)
    return PrecisionRecall(
        name, objects, scores[last], (right / kept)[last], (right / objects)[last]
    )


def best_common_threshold(curves: Sequence[PrecisionRecall]) -> tuple[float, float] | None:
    """Return the score from which on the mean F1 of the classes is best, and that F1.

    Args:
        curves: One for each class.

    Returns:
        None where nothing is ever right.
    """
    scores = np.unique(np.concatenate([np.zeros(0), *(curve.scores for curve in curves)]))
    means = np.zeros(len(scores))
    for curve in curves:
        # The last point of the curve whose score is still high enough; before the first 0.
        places = np.searchsorted(-curve.scores, -scores, side="right")
        means += np.append(0.0, curve.f1)[places] / len(curves)
    if not means.any():
        return None
    best = int(means.argmax())
    return float(scores[best]), float(means[best])
