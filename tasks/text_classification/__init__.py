"""Classify texts."""

from lightning_tf.tasks.text_classification.text_classification import (
    TextClassification as TextClassification,
)
