"""StageMetrics: one stage's copies of the metrics that a task configured."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.sync_on_read import metric_state
from lightning_tf.distribute.variable_placement import move_variables
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.metric_copies import Memo, copy_metric
from lightning_tf.graph.metric_results import metric_scalars
from lightning_tf.graph.names import Givers
from lightning_tf.host_metric import HostMetric, computed_values, result_names
from lightning_tf.keras_internals import wrapped_variable
from lightning_tf.step_context import current_replica_batch
from lightning_tf.variables import owned_metrics

log = logging.getLogger("lightning_tf")

Metrics = dict[str, keras.metrics.Metric]


class StageMetrics:
    """One stage's copies of the metrics that a task configured.

    Args:
        task: The task; its `configure_metrics` is called once for each stage. What it returns is
            never used itself: another stage, or another Trainer, may get the same objects.
        placement: Where the metrics run; replicas add up values of their own, and a result is that
            of all together.

    Attributes:
        metrics: By name.
        updated: The names of those that a step, or somebody on the host, updates.
        givers: By the name of a result, the name of its metric.
        host: Metrics that Python computes, by name; evaluation alone uses them.

    Raises:
        ConfigurationError: `configure_metrics` gave something else than a dict of metrics, or a
            metric that cannot be copied.
    """

    def __init__(self, task: Any, placement: Placement) -> None:
        self._workers = placement.workers
        self._copies_variables = placement.copies_variables
        self.metrics, self._originals = _own_metrics(task)
        owned = owned_metrics(task)
        self._in_layers = {n: m for n, m in self._originals.items() if id(m) in owned}
        self._met: dict[str, set[int]] = {}  # handles that each metric's update is first to use
        self._moved: dict[int, tuple[str, str]] = {}  # of those that a step assigns: metric, name
        self.updated: set[str] = set()
        self.givers: dict[str, str] = {}
        self._told: set[str] = set()
        self.host = _own_host_metrics(task)

        for name, metric in self.metrics.items():
            # What another run counted elsewhere does not count here.
            move_variables({f"{name}.{v.name}": v for v in metric.variables})
            if metric.variables:
                metric.reset_state()
            self._watch(name, metric)

    def lent(self) -> list[keras.metrics.Metric]:
        """Return the metrics of layers that `in_layers` lends this stage's variables."""
        return list(self._in_layers.values())

    @contextmanager
    def in_layers(self) -> Iterator[None]:
        """Let metrics that layers update be this stage's copies, for a trace in the block.

        A layer has its metric by whatever name: the object stays, and has the copy's variables.
        """
        pairs = [(vars(metric), vars(self.metrics[n])) for n, metric in self._in_layers.items()]
        befores = [dict(original) for original, _ in pairs]
        for original, copy in pairs:
            original.clear()
            original.update(copy)
        try:
            yield
        finally:
            for (original, copy), before in zip(pairs, befores, strict=True):
                copy.update(original)  # variables that the first update has made
                original.clear()
                original.update(before)

    def reset(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics.values():
            metric.reset_state()
        for host_metric in self.host.values():
            host_metric.reset()

    def host_givers(self) -> Givers:
        """Return the names of what the host metrics compute, each with what gives it."""
        return tuple(
            (key, f"host metric {name!r}")
            for name, metric in self.host.items()
            for key in result_names(name, metric)
        )

    def host_values(self) -> dict[str, float]:
        """Return what the host metrics compute from the batches since the reset."""
        return {
            key: value
            for name, metric in self.host.items()
            for key, value in computed_values(name, metric).items()
        }

    def are_built(self) -> bool:
        """Return whether all metrics have variables; some make them at their first update."""
        return all(metric.variables for metric in self.metrics.values())

    def results(self) -> dict[str, tf.Tensor]:
        """Return, in the graph, the scalars that the metrics give now, by name.

        Raises:
            ConfigurationError: Two results have one name, or one is not of numbers.
        """
        scalars: dict[str, tf.Tensor] = {}
        self.givers = {}
        for name, metric in self.metrics.items():
            for key, value in self._result(name, metric).items():
                if key in scalars:
                    raise ConfigurationError(
                        f"metrics {self.givers[key]!r} and {name!r} both give a result "
                        f"{key!r}; give one of them another name."
                    )
                scalars[key], self.givers[key] = value, name
        return scalars

    def note_captured(self, step: Any) -> None:
        """Note which metrics a traced step reaches, in whatever way.

        Args:
            step: The concrete function.
        """
        captured = {id(tensor) for tensor in step.captured_inputs}
        for name, metric in self.metrics.items():
            if not captured.isdisjoint(map(id, _handles(metric))):
                self.updated.add(name)

    def note_moved(self, variables: Iterable[tuple[tf.Variable, bool]]) -> None:
        """Note what the metrics' updates assign in a traced step.

        Args:
            variables: Of the step, and whether it assigns each.

        Raises:
            ConfigurationError: A copy's update counts in the metric that was copied.
        """
        assigned = {id(v.handle): v for v, moves in variables if moves and not _is_generator(v)}
        for name, met in self._met.items():
            self._moved |= {h: (name, assigned[h].name) for h in met & assigned.keys()}

        for original in self._originals.values():
            for handle in map(id, _handles(original)):
                if handle in self._moved:
                    raise ConfigurationError(_not_own(*self._moved[handle], original))

    def refuse_shared(self, other: "StageMetrics") -> None:
        """Refuse what a metric counts in and the other stage's metrics count in too.

        Raises:
            ConfigurationError: Names the metric and the variable.
        """
        for handle in self._moved.keys() & other._moved.keys():
            name, variable = self._moved[handle]
            raise ConfigurationError(_not_own(name, variable, self.metrics[name]))

    def values(self, step: str, names: Sequence[str], results: Sequence[float]) -> dict[str, float]:
        """Return results by name, NaN for those of a metric that nobody updates, which is told.

        Args:
            step: The Task's method, for the message.
            names: Of the results; those that are no metric's stay as they are.
            results: In the order of the names.
        """
        values = dict(zip(names, results, strict=False))
        for key in self.not_updated(names):
            values[key] = math.nan
            if self.givers[key] not in self._told:
                self._told.add(self.givers[key])
                log.warning(
                    "%s never updates metric %r, which is NaN: call update_metrics, or "
                    "self.metrics[%r].update_state.",
                    step,
                    self.givers[key],
                    self.givers[key],
                )
        return values

    def not_updated(self, names: Sequence[str]) -> list[str]:
        """Return those of some results' names whose metric nobody updates."""
        return [key for key in names if self.givers.get(key, "") not in {"", *self.updated}]

    def _result(self, name: str, metric: keras.metrics.Metric) -> dict[str, tf.Tensor]:
        """Return one metric's results; NaN where it was never built, for want of an update."""
        if name not in self.updated and not metric.variables:
            return {name: tf.constant(math.nan)}
        return metric_scalars(name, metric.result())

    def _watch(self, name: str, metric: keras.metrics.Metric) -> None:
        """Note updates, and skip those of the example that stands in on an idle replica."""
        update = _skipping_idle(metric) if self._copies_variables else metric.update_state

        def update_state(*args: Any, **kwargs: Any) -> Any:
            self.updated.add(name)
            before = _captured()
            returned = update(*args, **kwargs)
            self._met.setdefault(name, set()).update(_captured() - before)
            return returned

        metric.update_state = update_state

    def state(self) -> dict[str, Any]:
        """Return every variable of the metrics by a stable name; sync-on-read ones part by part."""
        return metric_state(self.metrics, self._workers)


def _own_metrics(task: Any) -> tuple[Metrics, Metrics]:
    """Return copies of what `configure_metrics` gives, and what they were copied from.

    What one copy shares, no other stage has.
    """
    configured = task.configure_metrics()
    if not isinstance(configured, dict):
        raise ConfigurationError(
            f"configure_metrics gave {type(configured).__name__}; return a dict of metrics."
        )

    memo: Memo = {}
    copied: set[int] = set()
    copies: Metrics = {}
    originals: Metrics = {}
    for name, metric in configured.items():
        if not isinstance(name, str) or not isinstance(metric, keras.metrics.Metric):
            raise ConfigurationError(
                f"configure_metrics: {name!r} is {metric!r}; give a keras.metrics.Metric by name."
            )
        # Under a second name it counts by itself: both are updated.
        copies[name] = copy_metric(metric, {} if id(metric) in copied else memo)
        copied.add(id(metric))
        originals[name] = metric
        if not _ids(copies[name]).isdisjoint(_ids(metric)):
            copies[name] = _made_anew(task, name, metric)
            del originals[name]
    return copies, originals


def _own_host_metrics(task: Any) -> dict[str, HostMetric]:
    configured = task.configure_host_metrics()
    for name, metric in configured.items():
        if not isinstance(metric, HostMetric):
            raise ConfigurationError(
                f"configure_host_metrics: {name!r} is {metric!r}; give a lightning_tf.HostMetric."
            )
    return deepcopy(configured)


def _made_anew(task: Any, name: str, metric: keras.metrics.Metric) -> keras.metrics.Metric:
    """Return what `configure_metrics` makes in another call, for a metric that cannot be copied."""
    another = task.configure_metrics()[name]
    if not _ids(another).isdisjoint(_ids(metric)):
        raise ConfigurationError(
            f"configure_metrics: {name!r} is a {type(metric).__name__} that keeps its variables "
            "where a copy would share them, and every stage needs its own; make a new one at each "
            "call of configure_metrics."
        )
    return another


def _not_own(name: str, variable: str, metric: keras.metrics.Metric) -> str:
    return (
        f"metric {name!r}, a {type(metric).__name__}, counts in {variable.split(':')[0]!r}, which "
        "another stage's metric has too: each would hold the other's batches. Return a new object "
        "at each call of configure_metrics, or make its state with self.add_variable in the metric "
        "and reach it by methods."
    )


def _captured() -> set[int]:
    """Return the ids of what the graph that is traced now has taken from outside."""
    if tf.executing_eagerly():
        return set()
    graph: Any = tf.compat.v1.get_default_graph()
    return {id(outside) for outside, _ in graph.captures}


def _is_generator(variable: tf.Variable) -> bool:
    """Return whether a variable is the state of a generator of Keras or TensorFlow."""
    return variable.name.split(":")[0].split("/")[-1] in {"seed_generator_state", "StateVar"}


def _ids(metric: keras.metrics.Metric) -> set[int]:
    return {id(variable) for variable in metric.variables}


def _handles(metric: keras.metrics.Metric) -> list[tf.Tensor]:
    """Return the resources of a metric's variables, of each replica where it has several."""
    wrapped = [wrapped_variable(variable) for variable in metric.variables]
    return [part.handle for value in wrapped for part in getattr(value, "values", (value,))]


def _skipping_idle(metric: keras.metrics.Metric) -> Callable[..., None]:
    """Return a metric's update that passes over the example of a replica without any.

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

    return update_state
