"""Tasks on tables as SavedModels that take rows in the table's own units."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.tables.feature_columns import FeatureColumns


def export_feature_task(task: Any, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    ``serve`` takes ``numbers``, float32 of shape (batch, numeric columns), and ``categories``,
    strings of shape (batch, categorical columns), in the order of the task's `columns`; it gives
    what the task's `predict_step` gives.

    Args:
        task: A Regression or TabularClassification whose model is made.
        path: The folder.

    Example:
        >>> export_feature_task(task, "exported")
        >>> exported = tf.saved_model.load("exported")
        >>> exported.serve(tf.zeros((1, 5)), tf.zeros((1, 0), tf.string))
    """
    columns: FeatureColumns = task.columns
    archive = keras.export.ExportArchive()
    for layer in (task.model, task.scaler, getattr(task, "target_scaler", None)):
        if layer is not None:
            archive.track(layer)
    numbers = tf.TensorSpec([None, len(columns.numbers)], tf.float32, name="numbers")
    categories = tf.TensorSpec([None, len(columns.categories)], tf.string, name="categories")

    def serve(numbers: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        codes = [
            _code(categories[:, place], known)
            for place, known in enumerate(columns.categories.values())
        ]
        count = tf.shape(numbers)[0]
        stacked = tf.stack(codes, axis=1) if codes else tf.zeros([count, 0], tf.int32)
        return task.predict_step({"numbers": numbers, "categories": stacked})

    archive.add_endpoint("serve", serve, input_signature=[numbers, categories])
    archive.write_out(os.fspath(path), verbose=False)


def _code(cells: tf.Tensor, known: list[str]) -> tf.Tensor:
    """The numbers of categories: the first is 1, an unknown one 0."""
    found = tf.equal(cells[:, tf.newaxis], tf.constant(["", *known]))
    # Place 0 stands for all others, also for an empty string.
    place = tf.argmax(found[:, 1:], axis=1, output_type=tf.int32) + 1
    return tf.where(tf.reduce_any(found[:, 1:], axis=1), place, 0)
