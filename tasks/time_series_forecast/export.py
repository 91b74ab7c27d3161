"""A forecasting task as a SavedModel that takes and gives the data's own units."""

import os
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.common.saved_model import Endpoint, write_saved_model


def export_forecaster(task: Any, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    ``serve`` takes ``past``, float32 of shape (batch, history, channels), ``future``, float32 of
    shape (batch, horizon, known features), and ``series``, int32 of shape (batch,), the series'
    number; it gives what the task's `predict_step` gives. ``forecast`` takes ``past`` alone, where
    there are no known features, and is of the first series.

    Args:
        task: A TimeSeriesForecast whose model is made.
        path: The folder.

    Example:
        >>> export_forecaster(task, "exported")
        >>> exported = tf.saved_model.load("exported")
        >>> exported.forecast(past)
    """
    known = len(task.spec.known)
    past = tf.TensorSpec([None, task.history, len(task.spec.channels)], tf.float32, name="past")
    future = tf.TensorSpec([None, task.horizon, known], tf.float32, name="future")
    series = tf.TensorSpec([None], tf.int32, name="series")

    def serve(past: tf.Tensor, future: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        return task.predict_step({"past": past, "future": future, "series": series})

    def forecast(past: tf.Tensor) -> tf.Tensor:
        count = tf.shape(past)[0]
        return serve(past, tf.zeros([count, task.horizon, 0]), tf.zeros([count], tf.int32))

    endpoints: dict[str, Endpoint] = {"serve": (serve, [past, future, series])}
    if not known:
        endpoints["forecast"] = (forecast, [past])
    write_saved_model(path, [task.model, task.transform], endpoints)
