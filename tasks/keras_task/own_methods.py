"""OwnMethods: what a model overrides of Keras' steps and a Trainer calls."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_compile_internals import call_compute_loss, compiled_with
from lightning_tf.tasks.keras_task.model_checks import has_own

log = logging.getLogger("lightning_tf")

Metrics = dict[str, keras.metrics.Metric]
Update = Callable[[Any, Any, Any], None]


class OwnMethods:
    """The `compute_loss`, `compute_metrics` and `predict_step` of a model's own.

    Args:
        model: Any Keras model.

    Attributes:
        compute_loss: Whether it has one.
        compute_metrics: Whether it has one.
        predict_step: Whether it has one.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self.compute_loss = has_own(model, "compute_loss")
        self.compute_metrics = has_own(model, "compute_metrics")
        self.predict_step = has_own(model, "predict_step")

    def loss(
        self, x: Any, losses: Any, y: Any, y_pred: Any, weight: Any = None, training: bool = False
    ) -> Any:
        """Return what the model's `compute_loss` gives; `super` of it uses `losses`."""
        with compiled_with(self._model, losses, None):
            return call_compute_loss(self._model, x, y, y_pred, weight, training)

    def measure(
        self,
        metrics: Mapping[str, keras.metrics.Metric],
        update: Update,
        parts: tuple[Any, Any, Any],
        y_pred: Any,
    ) -> None:
        """Call the model's `compute_metrics`; `super` of it calls `update`.

        Args:
            metrics: All of the stage, by name.
            update: Of the compiled ones among them.
            parts: Inputs, targets and weights.
            y_pred: The outputs.

        Raises:
            ConfigurationError: It returns a value that no metric gives.
        """
        x, y, weight = parts
        with compiled_with(self._model, None, _CompiledMetrics(metrics, update)):
            returned = self._model.compute_metrics(x, y, y_pred, weight)

        known = {"loss", *metrics}
        for metric in self._model.metrics:
            result = metric.result() if metric.variables else None
            known |= {metric.name, *(result if isinstance(result, Mapping) else ())}
        for name in returned or {}:
            if name not in known:
                raise ConfigurationError(
                    f"compute_metrics of model {self._model.name!r} returns {name!r}, which no "
                    "metric gives: a value of one batch says nothing of an epoch. Make it a "
                    "keras.metrics.Metric that is an attribute of the model."
                )

    def renamed(self, metrics: Metrics) -> Metrics:
        """Return a model's own metrics; one called ``loss`` by the attribute that it is.

        The Trainer reports under ``loss`` what the step returns, weighted by examples.
        """
        tracker = metrics.get("loss")
        if tracker is None:
            return metrics
        names = [name for name, value in vars(self._model).items() if value is tracker]
        if not names or names[0] in metrics:
            return metrics  # refused by its name
        log.warning(
            "metric 'loss' of model %r is reported as %r: 'loss' is the mean over the examples.",
            self._model.name,
            names[0],
        )
        return {names[0] if name == "loss" else name: m for name, m in metrics.items()}


class _CompiledMetrics:
    """Stands in for the compiled metrics, whose copies of the stage are updated."""

    name = "compile_metrics"

    def __init__(self, metrics: Mapping[str, keras.metrics.Metric], update: Update) -> None:
        self._metrics, self._update = metrics, update
        self.variables: list[Any] = []

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._update(y, y_pred, sample_weight)

    def result(self) -> dict[str, tf.Tensor]:
        return {n: m.result() for n, m in self._metrics.items() if m.variables}
