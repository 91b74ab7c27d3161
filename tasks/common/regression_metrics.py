"""The metrics of tasks that learn numbers."""

from collections.abc import Mapping
from typing import Any

import keras

from lightning_tf.tasks.common.feature_scaler import FeatureScaler
from lightning_tf.tasks.common.metrics import R2


def regression_metrics(targets: int) -> dict[str, keras.metrics.Metric]:
    """Return errors in the data's units, and the share of the variance that is explained.

    Args:
        targets: How many numbers an example has.
    """
    return {
        "mae": keras.metrics.MeanAbsoluteError(),
        "rmse": keras.metrics.RootMeanSquaredError(),
        "r2": R2(targets),
    }


def update_regression_metrics(
    metrics: Mapping[str, Any], scaler: FeatureScaler, scaled: Any, outputs: Any, y: Any = None
) -> None:
    """Update what `regression_metrics` returns, and further metrics of values in the data's units.

    Args:
        metrics: By name.
        scaler: Of the targets.
        scaled: True values, scaled, of shape (batch, targets).
        outputs: Predictions, scaled, of the same shape.
        y: True values in the data's units; None makes them of the scaled ones.
    """
    truth = scaler.inverse(scaled) if y is None else y
    predicted = scaler.inverse(outputs)
    if scaler.precise:
        # Metrics are float32. An error is the same wherever the centre lies.
        truth, predicted = scaler.differences(scaled), scaler.differences(outputs)

    for name, metric in metrics.items():
        # Of scaled values: in float32 sums of squares of 1,000.1, 1,000.2 lose the differences.
        pair = (scaled, outputs) if name == "r2" else (truth, predicted)
        metric.update_state(*pair)
