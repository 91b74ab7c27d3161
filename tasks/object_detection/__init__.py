"""Find objects of several classes in images, and the box around each."""

from lightning_tf.tasks.object_detection.object_detection import (
    ObjectDetection as ObjectDetection,
)
