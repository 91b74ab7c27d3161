"""StageMetrics: one stage's copies of the metrics that a task configured."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.sync_on_read import metric_state
from lightning_tf.distribute.variable_placement import move_variables
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.step_context import current_replica_batch


class StageMetrics:
    """One stage's copies of the metrics that a task configured.

    Args:
        task: The task; its `configure_metrics` is called once for each stage.
        claimed: The ids of metric objects that stages already have, to which this stage adds its
            own; a metric object that is among them is copied.
        placement: Where the metrics run; replicas add up values of their own, and a result is that
            of all together.

    Attributes:
        metrics: By name.

    Raises:
        ConfigurationError: `configure_metrics` gave something else than a dict of metrics.
    """

    def __init__(self, task: Any, claimed: set[int], placement: Placement) -> None:
        configured = task.configure_metrics()
        if not isinstance(configured, dict):
            raise ConfigurationError(
                f"configure_metrics gave {type(configured).__name__}; return a dict of metrics."
            )

        self._workers = placement.workers
        self.metrics: dict[str, keras.metrics.Metric] = {}
        for name, metric in configured.items():
            if not isinstance(metric, keras.metrics.Metric):
                raise ConfigurationError(
                    f"configure_metrics: {name!r} is {metric!r}; give a keras.metrics.Metric."
                )
            if id(metric) in claimed:
                metric = type(metric).from_config(metric.get_config())
            claimed.add(id(metric))

            # What another run counted elsewhere does not count here.
            if move_variables({f"{name}.{v.name}": v for v in metric.variables}):
                metric.reset_state()
            if placement.copies_variables:
                _skip_idle_replicas(metric)
            self.metrics[name] = metric

    def reset(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics.values():
            metric.reset_state()

    def are_built(self) -> bool:
        """Return whether all metrics have variables; some make them at their first update."""
        return all(metric.variables for metric in self.metrics.values())

    def results(self) -> dict[str, tf.Tensor]:
        """Return, in the graph, the float32 scalars that the metrics give now, by name."""
        scalars: dict[str, tf.Tensor] = {}
        for name, metric in self.metrics.items():
            result = metric.result()
            named = result if isinstance(result, dict) else {name: result}
            for key, value in named.items():
                scalars.update(_scalars(key, tf.cast(value, tf.float32)))
        return scalars

    def state(self) -> dict[str, Any]:
        """Return every variable of the metrics by a stable name; sync-on-read ones part by part."""
        return metric_state(self.metrics, self._workers)


def _skip_idle_replicas(metric: keras.metrics.Metric) -> None:
    """Make a metric pass over the example that stands in on a replica without any.

    A sample weight of 0 would not do: some metrics take none, some count all the same.
    """
    update = metric.update_state

    def update_state(*args: Any, **kwargs: Any) -> None:
        replica_batch = current_replica_batch()
        if replica_batch is None or not replica_batch.may_be_idle or not metric.variables:
            update(*args, **kwargs)  # one without variables makes them now, in no branch
            return

        def act() -> int:
            update(*args, **kwargs)
            return 0  # both branches must return the same thing

        tf.cond(replica_batch.is_real, act, lambda: 0)

    metric.update_state = update_state


def _scalars(name: str, value: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return a metric's result as scalars; one for each element where it has several."""
    if value.shape.rank == 0:
        return {name: value}
    flat = tf.reshape(value, [-1])  # (elements,): a score for each class, for one
    if flat.shape[0] is None:
        raise ConfigurationError(f"metric {name!r} gives a result of unknown length {value.shape}.")
    return {f"{name}_{index}": flat[index] for index in range(flat.shape[0])}
