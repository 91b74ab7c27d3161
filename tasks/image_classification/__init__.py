"""Classify images with a network trained from nothing."""

from lightning_tf.tasks.image_classification.image_classification import (
    ImageClassification as ImageClassification,
)
