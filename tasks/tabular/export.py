"""Tasks on tables as SavedModels that take rows in the table's own units."""

import os
from typing import Any

import tensorflow as tf

from lightning_tf.data.tables.category_text import graph_form
from lightning_tf.data.tables.feature_columns import FeatureColumns
from lightning_tf.tasks.common.saved_model import write_saved_model


def export_feature_task(task: Any, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    ``serve`` takes ``numbers``, float32 of shape (batch, numbers) (float64 where the table needs
    it), in the order of ``task.columns.numbers``, which ends with the parts of dates; and
    ``categories``, strings of shape (batch, categorical columns), in the order of
    ``task.columns.categories``. It gives what the task's `predict_step` gives. A number that is NaN
    becomes what ``missing=`` said.

    Args:
        task: A Regression or TabularClassification whose model is made.
        path: The folder.

    Example:
        >>> export_feature_task(task, "exported")
        >>> exported = tf.saved_model.load("exported")
        >>> exported.serve(tf.zeros((1, 5)), tf.zeros((1, 0), tf.string))
    """
    columns: FeatureColumns = task.columns
    dtype = tf.float64 if columns.precise else tf.float32
    numbers = tf.TensorSpec([None, len(columns.numbers)], dtype, name="numbers")
    categories = tf.TensorSpec([None, len(columns.categories)], tf.string, name="categories")

    def serve(numbers: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        codes = [
            _encode(categories[:, place], known)
            for place, known in enumerate(columns.categories.values())
        ]
        if columns.fill is not None:
            fill = tf.constant(columns.fill, dtype)
            numbers = tf.where(tf.math.is_nan(numbers), fill, numbers)
        count = tf.shape(numbers)[0]
        stacked = tf.stack(codes, axis=1) if codes else tf.zeros([count, 0], tf.int32)
        return task.predict_step({"numbers": numbers, "categories": stacked})

    layers = (task.model, task.scaler, getattr(task, "target_scaler", None))
    write_saved_model(path, layers, {"serve": (serve, [numbers, categories])})


def _encode(cells: tf.Tensor, known: list[str]) -> tf.Tensor:
    """Return the numbers of categories: the first is 1, an unknown one 0."""
    exact = _places(cells, known)
    form = graph_form(known)
    if form is None:
        return exact
    # As `FeatureColumns` does: 2.0 is the category 2 where there is none that is written so.
    return tf.where(exact > 0, exact, _places(form(cells), known))


def _places(cells: tf.Tensor, known: list[str]) -> tf.Tensor:
    # With a place 0 that nothing is compared with: `known` may be empty, and needs the dtype.
    is_category = tf.equal(cells[:, tf.newaxis], tf.constant(["", *known]))[:, 1:]
    number = tf.argmax(is_category, axis=1, output_type=tf.int32) + 1  # (batch,)
    return tf.where(tf.reduce_any(is_category, axis=1), number, 0)
