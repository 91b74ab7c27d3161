"""StageMetrics: one stage's copies of the metrics that a task configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.sync_on_read import SyncOnRead, aggregated, is_sync_on_read
from lightning_tf.distribute.variable_placement import move_here
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.step_context import current_replica_batch

PARTS = ".replicas"  # ends the name of a tensor that holds one part for each replica


class StageMetrics:
    """One stage's copies of the metrics that a task configured.

    Args:
        task: The task; its `configure_metrics` is called once for each stage.
        taken: Metric objects that another stage already has; one of them again is copied.
        placement: Whether there are replicas; each adds up values of its own, and a result is that
            of all together.
    """

    def __init__(self, task: Any, taken: set[int], placement: Placement) -> None:
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
            if id(metric) in taken:
                metric = type(metric).from_config(metric.get_config())
            taken.add(id(metric))
            if move_here({f"{name}.{v.name}": v for v in metric.variables}):
                metric.reset_state()
            if placement.num_replicas > 1 and not placement.shares_variables:
                _count_real_examples_only(metric)
            self.metrics[name] = metric

    def reset(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics.values():
            metric.reset_state()

    def are_built(self) -> bool:
        """Whether all metrics have variables; some make them at their first update."""
        return all(metric.variables for metric in self.metrics.values())

    def results(self) -> dict[str, tf.Tensor]:
        """In the graph: the scalars that the metrics give now, by name."""
        found: dict[str, tf.Tensor] = {}
        for name, metric in self.metrics.items():
            result = metric.result()
            parts = result if isinstance(result, dict) else {name: result}
            for key, value in parts.items():
                found.update(_scalars(key, tf.cast(value, tf.float32)))
        return found

    def state(self) -> dict[str, Any]:
        """Every variable of the metrics by a stable name; what replicas add up, part by part."""
        found = {}
        for metric_name, metric in self.metrics.items():
            for index, variable in enumerate(metric.variables):
                name = f"{metric_name}.{index:04d}"
                if is_sync_on_read(variable):
                    found[f"{name}{PARTS}"] = SyncOnRead(variable, self._workers)
                else:
                    found[name] = variable
        return found

    def fitted(self, tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
        """Saved tensors as `state` names them here, whatever the number of replicas then and now.

        Args:
            tensors: By name, of a checkpoint.
            prefix: Of the names of `state` in it.
        """
        found = dict(tensors)
        for name, variable in self.state().items():
            whole = f"{prefix}{name}".removesuffix(PARTS)
            parts = tensors.get(f"{whole}{PARTS}")
            if isinstance(variable, SyncOnRead):
                if parts is None or parts.shape[0] != variable.shape[0]:
                    saved = tensors.get(whole) if parts is None else variable.aggregated(parts)
                    if saved is not None:
                        found[f"{whole}{PARTS}"] = variable.divided(saved)
            elif parts is not None:
                found[whole] = aggregated(parts, variable)
        return found


def _count_real_examples_only(metric: keras.metrics.Metric) -> None:
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
            return 0

        tf.cond(replica_batch.is_real, act, lambda: 0)

    metric.update_state = update_state


def _scalars(name: str, value: tf.Tensor) -> dict[str, tf.Tensor]:
    if value.shape.rank == 0:
        return {name: value}
    flat = tf.reshape(value, [-1])  # a score for each class, for one
    if flat.shape[0] is None:
        raise ConfigurationError(f"metric {name!r} gives a result of unknown length {value.shape}.")
    return {f"{name}_{index}": flat[index] for index in range(flat.shape[0])}
