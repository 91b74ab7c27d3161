"""DetectionLayer: decoding and non-maximum suppression as the last layer of an exported model."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.tasks.object_detection.anchors import Anchors, Sizes
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.detections import Detections


@keras.saving.register_keras_serializable("lightning_tf", name="DetectionLayer")
class DetectionLayer(keras.layers.Layer):
    """Makes detections of a detector's raw outputs, as `Detections` does.

    Args:
        image_size: Height and width of the input image.
        levels: Of the feature maps.
        anchors: For each level a list of (width, height) in pixels.
        variances: Of the `BoxCoding`.
        class_loss: ``focal`` or ``softmax``.
        score_threshold: Lower scores are left out.
        nms_iou: Two detections of a class that overlap more are one object.
        max_detections: Detections an image, K.
        **options: Of `keras.layers.Layer`.

    Example:
        >>> layer = DetectionLayer((64, 64), (3,), [[[16.0, 16.0]]])
        >>> raw = {"classes": tf.fill([1, 64, 2], -9.0), "boxes": tf.zeros([1, 64, 4])}
        >>> layer(raw)["count"].numpy().tolist()
        [0]
    """

    def __init__(
        self,
        image_size: Sequence[int],
        levels: Sequence[int],
        anchors: Sizes,
        variances: Sequence[float] = (1.0, 1.0),
        class_loss: str = "focal",
        score_threshold: float = 0.3,
        nms_iou: float = 0.5,
        max_detections: int = 100,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        height, width = image_size
        self._config = {
            "image_size": [height, width],
            "levels": list(levels),
            "anchors": anchors,
            "variances": list(variances),
            "class_loss": class_loss,
            "score_threshold": score_threshold,
            "nms_iou": nms_iou,
            "max_detections": max_detections,
        }
        self.detections = Detections(
            Anchors((height, width), tuple(levels), anchors).boxes,
            BoxCoding((variances[0], variances[1])),
            (height, width),
            class_loss,
            nms_iou,
            max_detections,
        )
        self.score_threshold = score_threshold

    def call(self, raw: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Return ``boxes``, ``scores``, ``labels`` and ``count``, boxes in pixels of the input.

        Args:
            raw: ``classes`` (batch, anchors, logits) and ``boxes`` (batch, anchors, 4).
        """
        return self.detections(raw, self.score_threshold)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), **self._config}
