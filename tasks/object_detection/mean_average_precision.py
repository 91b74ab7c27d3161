"""MeanAveragePrecision: COCO's twelve numbers of a detector, measured by hotcoco."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError
from lightning_tf.host_metric import HostMetric
from lightning_tf.tasks.object_detection.detected_image import DetectedImage, detected_images
from lightning_tf.tasks.object_detection.reports.confusion_counts import confusion_counts
from lightning_tf.tasks.object_detection.reports.precision_recall import (
    PrecisionRecall,
    precision_recall_curves,
)

AREAS = {"small": 1, "medium": 2, "large": 3}  # COCO's: up to 32 x 32, up to 96 x 96, above
MOST_DETECTIONS = {"1": 0, "10": 1, "100": 2}  # of an image
ALL_AREAS, HUNDRED = 0, 2  # places in hotcoco's tables
IOU_50, IOU_75 = 0, 5


class MeanAveragePrecision(HostMetric):
    """Mean average precision and recall of detections, as COCO measures them.

    ``map`` is the mean over classes and over the IoU thresholds 0.5, 0.55 ... 0.95, ``map_50`` and
    ``map_75`` are those of one threshold, ``map_small``, ``map_medium`` and ``map_large`` those of
    objects by their area in the original image (up to 32 x 32 pixels, up to 96 x 96, above).
    ``mar_1``, ``mar_10`` and ``mar_100`` are the highest recalls with so many detections an image,
    ``mar_small`` and so on those of 100 by area. A class or an area without an object counts
    nowhere; a number of which nothing is left is left out, all of them where no image has an
    object. An ignored object is what COCO calls a crowd: it is never missed, and what lies in it
    counts neither as right nor as wrong.

    Lin et al., "Microsoft COCO: Common Objects in Context", 2014, https://arxiv.org/abs/1405.0312,
    and https://cocodataset.org/#detection-eval. hotcoco (https://github.com/derekallman/hotcoco)
    computes it, with the numbers of the reference, pycocotools. Area is width times height of the
    box, where COCO's own files have that of a mask.

    A step hands over ``truth`` and ``detections`` with `Task.collect`; see `detected_images`.
    Detections must not have gone through a threshold of use: each that is left out lowers mAP.

    Args:
        class_names: A name for each label.

    Attributes:
        images: What has been measured, by index.

    Example:
        >>> class Detector(MyTask):
        ...     def configure_host_metrics(self):
        ...         return {"map": MeanAveragePrecision(["cat", "dog"])}
        ...
        ...     def validation_step(self, batch):
        ...         images, objects = batch
        ...         self.collect("detections", self.detect(images, threshold=0.001))
        ...         self.collect("truth", objects)
    """

    names = (
        *("map", "map_50", "map_75"),
        *(f"map_{area}" for area in AREAS),
        *(f"mar_{most}" for most in MOST_DETECTIONS),
        *(f"mar_{area}" for area in AREAS),
    )

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.images: dict[int, DetectedImage] = {}
        self._tables: dict[str, NDArray[np.float64]] | None = None

    def update(self, outputs: Mapping[str, Any]) -> None:
        """Take one batch.

        Args:
            outputs: ``truth`` and ``detections``; see `detected_images`.

        Raises:
            DataError: An image comes a second time, or a label is no class's.
        """
        self._tables = None
        batch = detected_images(outputs["truth"], outputs["detections"], len(self.class_names))
        for image in batch:
            if image.index in self.images:
                raise DataError(
                    f"image {image.index} is measured twice in one evaluation; give every image "
                    "an `index` of its own, and each once."
                )
            self.images[image.index] = image

    def compute(self) -> dict[str, float]:
        """Return the numbers of `names`, without those that no object has a say in."""
        tables = self._evaluate()
        if tables is None:
            return {}
        precision, recall = tables["precision"], tables["recall"]
        best = precision[:, :, :, ALL_AREAS, HUNDRED]  # (IoU, recall, classes)
        parts = {"map": best, "map_50": best[IOU_50], "map_75": best[IOU_75]}
        for area, place in AREAS.items():
            parts[f"map_{area}"] = precision[:, :, :, place, HUNDRED]
            parts[f"mar_{area}"] = recall[:, :, place, HUNDRED]
        for most, place in MOST_DETECTIONS.items():
            parts[f"mar_{most}"] = recall[:, :, ALL_AREAS, place]

        means = {name: _mean(parts[name]) for name in self.names}
        return {name: mean for name, mean in means.items() if mean is not None}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return ``objects``, ``map``, ``map_50``, ``map_75`` and ``mar_100`` of each class.

        By class name; classes without an object that counts are left out.
        """
        tables = self._evaluate()
        if tables is None:
            return {}
        precision = tables["precision"][:, :, :, ALL_AREAS, HUNDRED]  # (IoU, recall, classes)
        recall = tables["recall"][:, :, ALL_AREAS, HUNDRED]  # (IoU, classes)
        counted = [image.labels[~image.ignored] for image in self.images.values()]
        objects = np.bincount(np.concatenate(counted), minlength=len(self.class_names))

        return {
            name: {
                "objects": int(objects[label]),
                "map": float(precision[:, :, label].mean()),
                "map_50": float(precision[IOU_50, :, label].mean()),
                "map_75": float(precision[IOU_75, :, label].mean()),
                "mar_100": float(recall[:, label].mean()),
            }
            for label, name in enumerate(self.class_names)
            if objects[label]
        }

    def curves(self, iou: float = 0.5) -> list[PrecisionRecall]:
        """Return precision over recall of each class that has an object; see `PrecisionRecall`.

        Args:
            iou: From here on a detection has found an object.
        """
        return precision_recall_curves(self._in_order(), self.class_names, iou)

    def confusion(self, score_threshold: float, iou: float = 0.5) -> NDArray[np.int64]:
        """Return how often which class is detected as which; see `confusion_counts`.

        Args:
            score_threshold: Detections below it are left out.
            iou: From here on a detection has found an object.
        """
        images = [image.above(score_threshold) for image in self._in_order()]
        return confusion_counts(images, len(self.class_names), iou)

    def _in_order(self) -> list[DetectedImage]:
        """Return the images by index: equal scores must not depend on the order of arrival."""
        return [self.images[index] for index in sorted(self.images)]

    def _evaluate(self) -> dict[str, NDArray[np.float64]] | None:
        """Return hotcoco's tables, None where no image has an object; kept until the next batch."""
        if self._tables is None and self.images:
            self._tables = coco_tables(self._in_order(), self.class_names)
        if self._tables is None or not (self._tables["recall"] >= 0.0).any():
            return None
        return self._tables


def coco_tables(
    images: Sequence[DetectedImage], class_names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return COCO's tables, -1 where there is no object.

    Args:
        images: By ascending index.
        class_names: A name for each label.

    Returns:
        ``precision`` of shape (10 IoU thresholds, 101 recalls, classes, 4 areas, 3 numbers of
        detections) and ``recall``, the same without the second dimension.
    """
    import hotcoco

    numbers = np.array([image.index for image in images])
    boxes = _corner_and_sides(np.concatenate([image.boxes for image in images]))  # (objects, 4)
    truth = hotcoco.COCO.from_arrays(
        [{"id": i.index, "height": i.size[0], "width": i.size[1]} for i in images],
        [{"id": label, "name": name} for label, name in enumerate(class_names)],
        np.repeat(numbers, [len(image.labels) for image in images]),
        np.concatenate([image.labels for image in images]),
        boxes,
        area=boxes[:, 2] * boxes[:, 3],
        # pycocotools overwrites `ignore` by this one.
        iscrowd=np.concatenate([image.ignored for image in images]).astype(np.int64),
    )
    found = np.column_stack(
        [
            np.repeat(numbers, [len(image.scores) for image in images]),
            _corner_and_sides(np.concatenate([image.found_boxes for image in images])),
            np.concatenate([image.scores for image in images]),
            np.concatenate([image.found_labels for image in images]),
        ]
    )  # (detections, 7)
    evaluation = hotcoco.COCOeval(truth, truth.load_res(found), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    tables = evaluation.eval or {}
    return {name: np.asarray(tables[name]) for name in ("precision", "recall")}


def _corner_and_sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return xyxy boxes as COCO has them: left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None
