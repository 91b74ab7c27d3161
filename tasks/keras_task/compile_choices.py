"""Losses and metrics as `keras.Model.compile` takes them, made into objects."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_compile_internals import (
    OutputLosses,
    OutputMetric,
    OutputMetrics,
    Record,
    build_symbolically,
)


def output_losses(
    loss: Any,
    loss_weights: Any,
    names: list[str] | None,
    shapes: Any,
    record: Record,
    call: Callable[..., Any] | None = None,
) -> OutputLosses:
    """Make the losses of a model's outputs of a name, a function, an object, or a nest of these.

    Args:
        loss: As `compile` takes it; ``crossentropy`` is binary, sparse or categorical by shapes.
        loss_weights: As `compile` takes them.
        names: Of the outputs, None where nobody knows.
        shapes: Symbolic targets, outputs and weights.
        record: Called with the name and the value of each output's loss, where there are several.
        call: Uses the losses, as a model's own `compute_loss` does; None calls them alone.

    Raises:
        ConfigurationError: Keras does not know a name, or the nest is not that of the outputs.
    """
    _, y_pred, _ = shapes
    several = len(keras.tree.flatten(y_pred)) > 1
    if not keras.tree.is_nested(y_pred):
        loss, loss_weights = _only(loss), _only(loss_weights)
    if names is None and several and not isinstance(y_pred, dict):
        # Keras would name them by how many tensors the process has made before.
        names = [f"output_{place}" for place in range(len(keras.tree.flatten(y_pred)))]
    losses: OutputLosses = _as_keras(
        f"loss={loss!r}", lambda: OutputLosses(loss, loss_weights, names, record)
    )
    use = losses if call is None else partial(call, losses)
    _as_keras(f"loss={loss!r}", lambda: build_symbolically(use, *shapes))
    return losses


def output_metrics(
    metrics: Any, weighted_metrics: Any, names: list[str] | None, shapes: Any
) -> OutputMetrics:
    """Make the metrics of a model's outputs, by what `compile` takes.

    Args:
        metrics: None, a name, a function, an object, or a list or dict of these; ``accuracy`` is
            binary, sparse or categorical by shapes.
        weighted_metrics: The same.
        names: Of the outputs, None where nobody knows.
        shapes: Symbolic targets, outputs and weights.

    Raises:
        ConfigurationError: Keras does not know a name, or the nest is not that of the outputs.
    """
    y, y_pred, _ = shapes
    metrics, weighted_metrics = _listed(metrics), _listed(weighted_metrics)
    if y is None and (metrics or weighted_metrics):
        raise ConfigurationError(
            f"metrics={metrics or weighted_metrics!r} and no targets: the data give inputs alone; "
            "give (x, y)."
        )
    outputs: OutputMetrics = _as_keras(
        f"metrics={metrics!r}, weighted_metrics={weighted_metrics!r}",
        lambda: OutputMetrics(metrics, weighted_metrics, names, y, y_pred),
    )
    return outputs


def named_metrics(
    outputs: OutputMetrics,
) -> tuple[dict[str, OutputMetric], dict[str, OutputMetric]]:
    """Return the plain and the weighted metrics by the names that Keras gives them in its logs.

    Of several that are called alike the second gets ``_1``; a weighted one that is called as a
    plain one gets ``weighted_`` before its name.

    Raises:
        ConfigurationError: Keras gives one name to two metrics.
    """
    counts: dict[str, int] = {}
    plain: dict[str, OutputMetric] = {}
    weighted: dict[str, OutputMetric] = {}
    for named, several, is_weighted in (
        (plain, outputs.plain, False),
        (weighted, outputs.weighted, True),
    ):
        for each in several:
            name = f"{each.prefix}{each.metric.name}"
            if is_weighted and name in counts:
                name = f"{each.prefix}weighted_{each.metric.name}"
            shown = f"{name}_{counts[name]}" if name in counts else name
            if shown in {**plain, **weighted}:
                raise ConfigurationError(
                    f"metrics: two are called {shown!r}, one of them by Keras' numbering; give the "
                    "other another name=."
                )
            counts[name] = counts.get(name, 0) + 1
            named[shown] = each
    return plain, weighted


def _only(choice: Any) -> Any:
    """Return the one item of a nest, for a model of one output; a configuration as its loss."""
    if isinstance(choice, Mapping) and "class_name" in choice:
        return _as_keras(f"loss={choice!r}", lambda: keras.losses.get(choice))
    if isinstance(choice, (Mapping, list, tuple)) and len(choice) == 1:
        return _only(next(iter(choice.values() if isinstance(choice, Mapping) else choice)))
    return choice


def _listed(metrics: Any) -> Any:
    is_nest = metrics is None or isinstance(metrics, (list, tuple, dict))
    return metrics if is_nest else [metrics]


def _as_keras(what: str, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except ConfigurationError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise ConfigurationError(f"{what}: Keras says {reason}") from error
