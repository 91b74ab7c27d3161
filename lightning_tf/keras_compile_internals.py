"""What this package uses of how Keras compiles a model, which Keras does not promise to keep.

Losses and metrics of several outputs are Keras' own `CompileLoss` and `CompileMetrics`: what may be
given, and what it is called in the logs, is what fit does. As in keras_internals.py, all was
checked with Keras 3.15.1.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import keras
from keras.src import backend
from keras.src.trainers.compile_utils import CompileLoss, CompileMetrics

Record = Callable[[str, Any], None]


# ---- what a model was compiled with


def compiled_metrics(model: keras.Model) -> tuple[Any, Any]:
    """Return the metrics and weighted metrics that a model was compiled with, as given."""
    metrics = model._compile_metrics
    if metrics is None:
        return None, None
    return metrics._user_metrics, metrics._user_weighted_metrics


def compiled_losses(model: keras.Model) -> tuple[Any, Any]:
    """Return the loss and the loss_weights that a model was compiled with, as given.

    Its public `loss` is not: Keras has wrapped lists and dicts in it, to track what is in them.
    """
    loss = model._compile_loss
    return (None, None) if loss is None else (loss._user_loss, loss._user_loss_weights)


# ---- losses


class OutputLosses(CompileLoss):  # type: ignore[misc]
    """The losses of all outputs, added up; what each output's is goes to a function.

    Keras keeps a running mean of each, over batches where their size is unknown: the last one of an
    epoch would count as much as the others.

    Args:
        loss: As `compile` takes it.
        loss_weights: As `compile` takes them.
        output_names: Of the model's outputs in their order, None where nobody knows.
        record: Called with ``a_loss`` and its value, where there are several losses; the second one
            of an output is ``a_loss_1``.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: Any, record: Record) -> None:
        super().__init__(loss, loss_weights, output_names=output_names)
        self._record = record
        self._tracker = SimpleNamespace(add_to_store=self._add)

    def _add(self, store: str, metric: keras.metrics.Metric) -> None:
        # Where an output has several losses Keras shows the last one alone.
        taken = [recorder.name for recorder in self._metrics]
        names = (metric.name, *(f"{metric.name}_{count}" for count in range(1, len(taken) + 1)))
        name = next(name for name in names if name not in taken)
        self._metrics.append(_Recorder(name, self._record))


class _Recorder:
    """Stands in for the running mean of an output's loss."""

    def __init__(self, name: str, record: Record) -> None:
        self.name = name
        self._record = record

    def update_state(self, value: Any, sample_weight: Any = None) -> None:
        """Hand a loss on; the Trainer weighs it by the examples that it is the mean of."""
        self._record(self.name, value)


def build_symbolically(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function once with symbolic tensors, as fit does with losses before it begins.

    What losses there are is then fixed before any step is traced.
    """
    return backend.compute_output_spec(call, *arguments)


# ---- metrics


@dataclass(frozen=True)
class OutputMetric:
    """A metric of `compile`.

    Attributes:
        metric: The object, called as Keras calls it.
        prefix: The output's name, before the metric's in the logs; empty where there is one output.
        place: The output's number in `OutputMetrics.flatten`.
    """

    metric: keras.metrics.Metric
    prefix: str
    place: int


class OutputMetrics:
    """The metrics of all outputs, made of what `compile` takes.

    Args:
        metrics: As `compile` takes them.
        weighted_metrics: As `compile` takes them.
        output_names: Of the model's outputs in their order, None where nobody knows.
        y: Has the structure and the shapes of the targets.
        y_pred: Has the structure and the shapes of the outputs.

    Attributes:
        plain: Those that count every example alike.
        weighted: Those that count it by its weight.
    """

    def __init__(
        self, metrics: Any, weighted_metrics: Any, output_names: Any, y: Any, y_pred: Any
    ) -> None:
        compiled = CompileMetrics(metrics, weighted_metrics, output_names=output_names)
        compiled.build(y, y_pred)
        self.plain = _flat(compiled._flat_metrics)
        self.weighted = _flat(compiled._flat_weighted_metrics)
        self._names = compiled._resolved_output_names

    def flatten(self, values: Any) -> list[Any]:
        """Return targets, outputs or weights as a list, in the order of the outputs."""
        if isinstance(values, dict) and self._names is not None:
            return [values[name] for name in self._names]
        return list(keras.tree.flatten(values))


def _flat(lists: Any) -> list[OutputMetric]:
    return [
        OutputMetric(metric, f"{each.output_name}_" if each.output_name else "", place)
        for place, each in enumerate(lists)
        if each is not None
        for metric in each.metrics
    ]


# ---- a model's own methods


_lent: dict[int, tuple[int, dict[str, Any]]] = {}  # by model: how often, and what it had


@contextmanager
def compiled_with(model: keras.Model, loss: Any, metrics: Any) -> Iterator[None]:
    """Let a model's own `compute_loss` and `compute_metrics` find these in the block.

    They call `super`, which uses what the model is compiled with. Replicas are traced in threads
    that take turns: the last one to leave puts back what the first one has found.
    """
    held = {
        "_compile_loss": loss,
        "_compile_metrics": metrics,
        "_loss_tracker": None,
        "compiled": True,
    }
    times, before = _lent.get(id(model), (0, {name: vars(model).get(name) for name in held}))
    _lent[id(model)] = times + 1, before
    vars(model).update(held)  # past Keras, which would track a metric
    try:
        yield
    finally:
        times = _lent[id(model)][0] - 1
        _lent[id(model)] = times, before
        if not times:
            del _lent[id(model)]
            vars(model).update(before)


def call_compute_loss(
    model: keras.Model, x: Any, y: Any, y_pred: Any, weight: Any, training: bool
) -> Any:
    """Call a model's own `compute_loss`, with `training` where it takes that."""
    return model._compute_loss(x, y, y_pred, weight, training=training)
