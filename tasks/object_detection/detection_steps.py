"""DetectionSteps: what a detector computes of a batch, and what is measured and shown of it."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.host_metric import HostMetric
from lightning_tf.tasks.common.spec_task import SpecTask, inputs_of
from lightning_tf.tasks.object_detection.augmentation.augmentation_settings import (
    AugmentationSettings,
)
from lightning_tf.tasks.object_detection.augmentation.box_augmentation import BoxAugmentation
from lightning_tf.tasks.object_detection.detection_loss import DetectionLoss
from lightning_tf.tasks.object_detection.detections import (
    MEASURING_THRESHOLD,
    Detections,
    in_original,
)
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.anchor_coverage import AnchorCoverage
from lightning_tf.tasks.object_detection.reports.average_precision_table import (
    AveragePrecisionTable,
)
from lightning_tf.tasks.object_detection.reports.detection_confusion import DetectionConfusion
from lightning_tf.tasks.object_detection.reports.detection_grid import DetectionGrid
from lightning_tf.tasks.object_detection.reports.precision_recall_curves import (
    PrecisionRecallCurves,
)
from lightning_tf.tasks.object_detection.reports.training_examples import TrainingExamples


class DetectionSteps(SpecTask):
    """Steps, metrics and reports of a detector; a subclass makes the attributes below.

    Attributes:
        class_names: A name for each label.
        augmentation_settings: Until when augmentation holds.
        augmentation: Of images and objects.
        losses: Of raw outputs and objects.
        detections: From raw outputs to boxes.
        score_threshold: Of predictions and of what is shown.
    """

    class_names: list[str]
    augmentation_settings: AugmentationSettings
    augmentation: BoxAugmentation
    losses: DetectionLoss
    detections: Detections
    score_threshold: float

    def configure_host_metrics(self) -> dict[str, HostMetric]:
        """Measure COCO's mAP in validation and test."""
        return {"map": MeanAveragePrecision(self.class_names)}

    def callbacks(self) -> list[Callback]:
        """Show training images and anchors, then detections, curves, confusion and a table."""
        threshold = self.score_threshold
        return [
            TrainingExamples(),
            AnchorCoverage(),
            DetectionGrid(score_threshold=threshold),
            PrecisionRecallCurves(),
            DetectionConfusion(score_threshold=threshold),
            AveragePrecisionTable(),
        ]

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of augmented images, and what the model's layers add."""
        images, objects = tf.cast(batch[0], tf.float32), batch[1]
        is_open = self.augmentation_settings.is_open(self.trainer)
        images, objects = self.augmentation(images, objects, is_open=is_open, training=True)
        raw = self.model(images, training=True)
        return tf.add_n([self._loss(raw, objects), *self.added_losses()])

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of the images as they are."""
        raw = self.raw_outputs(batch)
        self._measure(batch, raw)
        return self._loss(raw, batch[1])

    def predict_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Return boxes in pixels of the original images, scores, labels and counts."""
        raw = self.raw_outputs(batch)
        objects = batch[1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else {}
        return self.detect(raw, objects, self.score_threshold)

    def raw_outputs(self, batch: Any) -> dict[str, tf.Tensor]:
        """Return the model's ``classes`` and ``boxes`` of a batch's images as they are."""
        images = tf.cast(inputs_of(batch), tf.float32)
        return self.model(images, training=False)  # type: ignore[no-any-return]

    def detect(
        self, raw: dict[str, Any], objects: Mapping[str, Any], threshold: float
    ) -> dict[str, tf.Tensor]:
        """Return detections of raw outputs in pixels of the original images; see `Detections`.

        Args:
            raw: As of `raw_outputs`.
            objects: ``frame`` and ``size`` of the images; without them the input image is the
                original.
            threshold: Lower scores are left out.
        """
        detections = self.detections(raw, threshold)
        if "frame" in objects:
            boxes = in_original(detections["boxes"], objects["frame"], objects["size"])
            detections = {**detections, "boxes": boxes}
        return detections

    def _loss(self, raw: dict[str, Any], objects: dict[str, Any]) -> tf.Tensor:
        losses = self.losses(raw, objects)
        for name, value in losses.items():
            self.log(name, value)
        return tf.add_n(list(losses.values()))

    def _measure(self, batch: Any, raw: dict[str, Any]) -> None:
        """Hand objects and detections to `MeanAveragePrecision`, in pixels of the originals."""
        objects = batch[1]
        names = ("labels", "ignored", "size", "index")
        boxes = in_original(objects["boxes"], objects["frame"], objects["size"])
        self.collect("truth", {"boxes": boxes, **{name: objects[name] for name in names}})
        self.collect("detections", self.detect(raw, objects, MEASURING_THRESHOLD))
