"""HostMetric: what a user subclasses; a metric that Python computes from examples of a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_tf.checks import checked_number
from lightning_tf.exceptions import ConfigurationError


class HostMetric:
    """A metric of validation and test that Python computes, such as mAP, BLEU or scikit-learn's.

    A step hands tensors of its examples over with `Task.collect`; `update` gets them batch by
    batch, from all replicas and workers, in the order of the data. What `compute` gives at the
    end stands in the result, the row and the monitors like a Keras metric's.

    Attributes:
        names: Of the numbers that `compute` gives, where it gives a dict of them; empty for one
            number, which gets the name under which `configure_host_metrics` returns the metric.

    Example:
        >>> class MedianError(HostMetric):
        ...     def reset(self):
        ...         self.errors = []
        ...
        ...     def update(self, outputs):
        ...         self.errors.extend(outputs["error"])
        ...
        ...     def compute(self):
        ...         return float(np.median(self.errors))
        >>>
        >>> class MedianTask(MyTask):
        ...     def configure_host_metrics(self):
        ...         return {"median_error": MedianError()}
        ...
        ...     def validation_step(self, batch):
        ...         x, y = batch
        ...         self.collect("error", tf.abs(self.model(x)[:, 0] - y))
    """

    names: Sequence[str] = ()

    def reset(self) -> None:
        """Begin anew, before every evaluation."""
        raise NotImplementedError

    def update(self, outputs: Mapping[str, Any]) -> None:
        """Take one batch.

        Args:
            outputs: What the step collected, by name: NumPy arrays, or nests of them, whose first
                dimension is the batch's examples.
        """
        raise NotImplementedError

    def compute(self) -> float | Mapping[str, float]:
        """Return one number, or those of `names`; of a dict some may be left out."""
        raise NotImplementedError


def computed_values(name: str, metric: HostMetric) -> dict[str, float]:
    """Return what a metric computes, by name.

    Args:
        name: Under which the task has it.
        metric: Which has seen all batches.

    Raises:
        ConfigurationError: It gives no numbers, or one that `names` lacks.
    """
    values = metric.compute()
    if not isinstance(values, Mapping):
        values = {name: values}
    unknown = sorted(set(values) - set(result_names(name, metric)))
    if unknown:
        raise ConfigurationError(
            f"{type(metric).__name__}.compute gave {unknown}, which its `names` lack: "
            f"{list(metric.names)}; name them there, so that they can be monitored."
        )
    return {key: checked_number(key, value) for key, value in values.items()}


def result_names(name: str, metric: HostMetric) -> tuple[str, ...]:
    """Return the names of what a metric gives."""
    return tuple(metric.names) or (name,)
