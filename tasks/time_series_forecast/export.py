"""A forecasting task as a SavedModel that takes and gives the data's own units."""

import os
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.common.saved_model import Endpoint, write_saved_model


def export_forecaster(task: Any, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    ``serve`` takes ``past`` of shape (batch, history, channels), ``future`` of shape (batch,
    horizon, known features), both float64 or both float32, and ``series``, int32 of shape (batch,),
    the series' number; it gives what the task's `predict_step` gives, float64. ``forecast`` takes
    ``past`` alone, where there are no known features, and is of the first series. Signatures take
    float64, which holds what float32 would round. ``columns`` gives the names of the channels, of
    the known features, of the targets and of the series, each in the order of its numbers.

    Args:
        task: A TimeSeriesForecast whose model is made.
        path: The folder.

    Example:
        >>> export_forecaster(task, "exported")
        >>> exported = tf.saved_model.load("exported")
        >>> exported.forecast(past)
        >>> exported.columns()["channels"]
    """
    known = len(task.spec.known)
    series = tf.TensorSpec([None], tf.int32, name="series")

    def past(dtype: tf.DType) -> tf.TensorSpec:
        return tf.TensorSpec([None, task.history, len(task.spec.channels)], dtype, name="past")

    def future(dtype: tf.DType) -> tf.TensorSpec:
        return tf.TensorSpec([None, task.horizon, known], dtype, name="future")

    def serve(past: tf.Tensor, future: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        return task.predict_step({"past": past, "future": future, "series": series})

    def forecast(past: tf.Tensor) -> tf.Tensor:
        count = tf.shape(past)[0]
        return serve(past, tf.zeros([count, task.horizon, 0]), tf.zeros([count], tf.int32))

    def columns() -> dict[str, tf.Tensor]:
        names = {"channels": task.spec.channels, "known": task.spec.known}
        names |= {"targets": task.spec.targets, "series": task.spec.series}
        return {key: tf.constant(value, tf.string) for key, value in names.items()}

    dtypes = (tf.float64, tf.float32)  # the first one is the signature's
    endpoints: dict[str, Endpoint] = {
        "serve": (serve, *([past(dtype), future(dtype), series] for dtype in dtypes))
    }
    if not known:
        endpoints["forecast"] = (forecast, *([past(dtype)] for dtype in dtypes))
    endpoints["columns"] = (columns, [])
    write_saved_model(path, [task.model, task.transform], endpoints)
