"""Losses and metrics as `keras.Model.compile` takes them, made into objects."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError

ACCURACY = ("accuracy", "acc")
CROSS_ENTROPY = ("crossentropy", "ce")


class FunctionLoss(keras.losses.Loss):  # type: ignore[misc]
    """A function of (y_true, y_pred) as a Keras loss: weighted, masked, averaged over a batch.

    Args:
        function: Gives one value for each example, or for each element.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(name=_name_of(function, "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Apply the function; targets of one axis less get it, as Keras does."""
        if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1:
            y_true = keras.ops.expand_dims(y_true, -1)
        return self.function(y_true, y_pred)


def single(name: str, value: Any) -> Any:
    """Return the one item of a dict or list, which Keras takes for models of several outputs.

    Raises:
        ConfigurationError: There are several items.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise ConfigurationError(
                f"{name} has {len(value)} items; KerasTask drives models of one output. Write a "
                "Task for several."
            )
        return value[0]
    return value


def single_loss(loss: Any) -> Any:
    """Return the one loss in a nest of dicts and lists.

    Raises:
        ConfigurationError: There are several.
    """
    while isinstance(loss, (Mapping, list, tuple)):
        loss = single("loss", loss)
    return loss


def loss_object(loss: Any, y_spec: Any, y_pred: Any) -> keras.losses.Loss:
    """Make a Keras loss of a name, a function or an object.

    Args:
        loss: As `compile` takes it; ``crossentropy`` is binary, sparse or categorical by shapes.
        y_spec: Has the shape of the targets.
        y_pred: Has the shape of the model's output.

    Raises:
        ConfigurationError: Keras does not know the name.
    """
    if isinstance(loss, str) and loss.lower() in CROSS_ENTROPY:
        make_loss, _ = _loss_and_accuracy(y_spec, y_pred)
        return make_loss()

    try:
        known = keras.losses.get(loss)
    except ValueError as error:
        raise ConfigurationError(f"loss={loss!r}: Keras says {error}") from error
    return known if isinstance(known, keras.losses.Loss) else FunctionLoss(known)


def metric_objects(
    metrics: Any, y_spec: Any, y_pred: Any, plain: Mapping[str, Any] | None = None
) -> dict[str, keras.metrics.Metric]:
    """Make Keras metrics of what `compile` takes, by the names that Keras gives them.

    Of several that are called alike the second gets ``_1``; a weighted one that is called as a
    plain one gets ``weighted_`` before its name.

    Args:
        metrics: None, a name, a function, an object, or a list or dict of these; ``accuracy`` is
            binary, sparse or categorical by shapes.
        y_spec: Has the shape of the targets.
        y_pred: Has the shape of the model's output.
        plain: Where `metrics` are the weighted ones, what this made of the others.

    Raises:
        ConfigurationError: Keras does not know a name, or gives one to two metrics.
    """
    if isinstance(metrics, Mapping):
        metrics = single("metrics", metrics)
    if metrics is None:
        return {}

    several = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    if len(several) == 1 and isinstance(several[0], (list, tuple)):  # a list for each output
        several = several[0]
    counts = Counter(metric.name for metric in (plain or {}).values())
    prefix = "" if plain is None else "weighted_"
    objects: dict[str, keras.metrics.Metric] = {}
    for metric in (_metric(metric, y_spec, y_pred) for metric in several):
        name = f"{prefix}{metric.name}" if counts[metric.name] else metric.name
        shown = f"{name}_{counts[name]}" if counts[name] else name
        if shown in {**objects, **(plain or {})}:
            raise ConfigurationError(
                f"metrics: two are called {shown!r}, one of them by Keras' numbering; give the "
                "other another name=."
            )
        objects[shown] = metric
        counts[name] += 1
    return objects


def _metric(metric: Any, y_spec: Any, y_pred: Any) -> keras.metrics.Metric:
    if isinstance(metric, str) and metric.lower() in ACCURACY:
        _, make_accuracy = _loss_and_accuracy(y_spec, y_pred)
        return make_accuracy(name=metric)

    try:
        known = keras.metrics.get(metric)
    except ValueError as error:
        raise ConfigurationError(f"metric {metric!r}: Keras says {error}") from error

    if not isinstance(known, keras.metrics.Metric):
        name = metric if isinstance(metric, str) else _name_of(known, "metric")
        return keras.metrics.MeanMetricWrapper(known, name=name)
    if isinstance(metric, str):
        known.name = metric  # the user's spelling, such as "acc", as Keras logs it
    return known


def _name_of(function: Any, default: str) -> str:
    """Return a function's name as Keras spells it, without the brackets of ``<lambda>``."""
    return str(getattr(function, "__name__", default)).strip("<>")


def _loss_and_accuracy(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return the classes for a kind of targets, by Keras' own rule: of the shapes alone."""
    if y_pred.shape[-1] == 1:
        return keras.losses.BinaryCrossentropy, keras.metrics.BinaryAccuracy
    if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
        return keras.losses.SparseCategoricalCrossentropy, keras.metrics.SparseCategoricalAccuracy
    return keras.losses.CategoricalCrossentropy, keras.metrics.CategoricalAccuracy
