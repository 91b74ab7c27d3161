"""Raw outputs of a detector to detections: the one way of validation, prediction and export."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.box_geometry import box_iou

CANDIDATES = 400  # pairs of anchor and class that are looked at
MEASURING_THRESHOLD = 0.001  # below it mAP sees nothing; a threshold of use would falsify mAP


@dataclass(frozen=True, eq=False)
class Detections:
    """How raw outputs become detections.

    The candidates are the pairs of anchor and class with the highest scores. Of two that overlap
    too much the lower one goes, within each class.

    Attributes:
        anchors: Boxes, float32 array (anchors, 4).
        coding: How boxes are coded.
        image_size: Height and width of the input image.
        class_loss: ``focal``, scores by sigmoid, or ``softmax`` with the background last.
        iou: From here on two boxes are one object.
        most: Detections an image, K.

    Example:
        >>> find = Detections(anchors.boxes, BoxCoding(), (160, 160), "focal")
        >>> found = find(model(images), threshold=0.3)
        >>> found["boxes"].shape, found["scores"].shape, found["count"].shape
        (TensorShape([8, 100, 4]), TensorShape([8, 100]), TensorShape([8]))
    """

    anchors: Any
    coding: BoxCoding
    image_size: tuple[int, int]
    class_loss: str
    iou: float = 0.5
    most: int = 100

    def __call__(
        self, raw: dict[str, Any], threshold: float = MEASURING_THRESHOLD
    ) -> dict[str, tf.Tensor]:
        """Return detections in pixels of the input image, the best first.

        Args:
            raw: A detector's ``classes`` (batch, anchors, classes) and ``boxes`` (batch, anchors,
                4).
            threshold: Lower scores are left out.

        Returns:
            ``boxes`` float32 (batch, K, 4), padded with 0; ``scores`` float32 (batch, K),
            descending, 0 padded; ``labels`` int32 (batch, K), -1 padded; ``count`` int32 (batch,).
        """
        boxes, scores, labels = self._candidates(raw)
        kept = tf.logical_and(kept_by_nms(boxes, labels, self.iou), scores > threshold)

        # Candidates come sorted, so that the kept ones stay in order; the rest sorts behind.
        most = min(self.most, boxes.shape[1])
        scores, order = tf.math.top_k(tf.where(kept, scores, -1.0), most)  # (batch, K)
        found = scores > 0.0
        boxes = tf.gather(boxes, order, axis=1, batch_dims=1)  # (batch, K, 4)
        labels = tf.gather(labels, order, axis=1, batch_dims=1)  # (batch, K)

        missing = [[0, 0], [0, self.most - most]]
        return {
            "boxes": tf.pad(tf.where(found[..., tf.newaxis], boxes, 0.0), [*missing, [0, 0]]),
            "scores": tf.pad(tf.where(found, scores, 0.0), missing),
            "labels": tf.pad(tf.where(found, labels, -1), missing, constant_values=-1),
            "count": tf.reduce_sum(tf.cast(found, tf.int32), axis=1),
        }

    def _candidates(self, raw: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return boxes, scores and labels of the best pairs, by descending score."""
        logits = tf.cast(raw["classes"], tf.float32)
        if self.class_loss == "softmax":
            scores = tf.nn.softmax(logits)[..., :-1]  # the background is no detection
        else:
            scores = tf.sigmoid(logits)  # (batch, anchors, classes)

        anchors, classes = scores.shape[1:]
        scores = tf.reshape(scores, [-1, anchors * classes])
        scores, pairs = tf.math.top_k(scores, min(CANDIDATES, anchors * classes))
        places, labels = pairs // classes, pairs % classes  # (batch, candidates)

        deltas = tf.cast(tf.gather(raw["boxes"], places, axis=1, batch_dims=1), tf.float32)
        boxes = self.coding.decode(deltas, tf.gather(tf.constant(self.anchors), places))
        height, width = self.image_size
        return tf.clip_by_value(boxes, 0.0, [width, height, width, height]), scores, labels


def kept_by_nms(boxes: Any, labels: Any, iou: float) -> tf.Tensor:
    """Return which boxes greedy non-maximum suppression keeps, class by class.

    A box goes where one before it that stays overlaps it by more than `iou`. The answer is worked
    out for all boxes at once and again until nothing changes: after n rounds the first n boxes are
    right, and in practice a few rounds do for all.

    Args:
        boxes: Sorted by descending score, float32 (batch, boxes, 4).
        labels: Their classes, int32 (batch, boxes).
        iou: From above this on two boxes of a class are one object.

    Returns:
        Bool (batch, boxes).
    """
    overlaps = box_iou(boxes[:, :, tf.newaxis], boxes[:, tf.newaxis]) > iou
    alike = labels[:, :, tf.newaxis] == labels[:, tf.newaxis]
    places = tf.range(tf.shape(boxes)[1])
    earlier = places[:, tf.newaxis] < places  # the first one suppresses, the second one goes
    suppresses = overlaps & alike & earlier  # (batch, boxes, boxes)

    def once(kept: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        gone = tf.reduce_any(tf.logical_and(suppresses, kept[..., tf.newaxis]), axis=1)
        again = tf.logical_not(gone)  # (batch, boxes)
        return again, tf.reduce_any(again != kept)

    kept = tf.ones_like(labels, tf.bool)
    kept, _ = tf.while_loop(lambda _, changes: changes, once, (kept, tf.constant(True)))
    return kept


def in_original(boxes: Any, frame: Any, size: Any) -> tf.Tensor:
    """Return boxes of the input image in pixels of the original, clipped to it.

    Args:
        boxes: Float32 (batch, K, 4); padding of zeros stays.
        frame: x0, y0, scale x, scale y of input = original * scale + offset, (batch, 4).
        size: Height and width of the original, int32 (batch, 2).
    """
    offset, scale = frame[:, tf.newaxis, :2], frame[:, tf.newaxis, 2:]  # (batch, 1, 2)
    corners = (boxes - tf.tile(offset, [1, 1, 2])) / tf.tile(scale, [1, 1, 2])  # (batch, K, 4)

    sides = tf.cast(size, tf.float32)[:, tf.newaxis, ::-1]  # (batch, 1, 2): width, height
    corners = tf.maximum(tf.minimum(corners, tf.tile(sides, [1, 1, 2])), 0.0)
    is_padding = tf.reduce_all(boxes == 0.0, axis=-1, keepdims=True)
    return tf.where(is_padding, 0.0, corners)
