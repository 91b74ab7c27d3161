"""task_card: what a notebook shows of a task."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.html_table import html_card
from lightning_tf.variables import named_weights, shown_components

if TYPE_CHECKING:
    from lightning_tf.task import Task

LONGEST = 120  # characters of a value


def task_card(task: Task) -> str:
    """Return a task as HTML: what it is, its hyperparameters, data and weights.

    Shapes alone are read, never a value of the device.

    Args:
        task: In any state, also before it has models.
    """
    first_line = (type(task).__doc__ or "").strip().split("\n")[0]
    is_named = task.hparams.get("data") is not None
    rows = [
        ["", first_line],
        *_hyperparameters(task),
        ["data", "" if is_named or task.data is None else type(task.data).__name__],
        *([path, _model(component)] for path, component in shown_components(task)),
        ["weights", _weights(task)],
    ]
    return html_card(type(task).__name__, rows)


def _hyperparameters(task: Task) -> list[list[str]]:
    """Return those that are not the constructor's defaults in rows, and the others in one."""
    parameters = inspect.signature(type(task)).parameters
    texts = {name: short_text(value) for name, value in task.hparams.items()}
    defaults = {
        name
        for name, value in task.hparams.items()
        if name != "data" and name in parameters and value == parameters[name].default
    }
    if task.hparams.get("data", "") is None:
        del texts["data"]  # the task made its own, which has a row elsewhere
    rows = [[name, text] for name, text in texts.items() if name not in defaults]
    return [*rows, ["by default", ", ".join(f"{n}={texts[n]}" for n in texts if n in defaults)]]


def short_text(value: Any) -> str:
    """Return a value of a setting as text that is not too long."""
    is_object = isinstance(value, dict) and list(value) == ["type"]
    text = value["type"].rpartition(".")[2] if is_object else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _model(component: Any) -> str:
    weights = {id(weight): weight for weight in getattr(component, "weights", ())}.values()
    count = sum(int(np.prod(weight.shape)) for weight in weights)
    return type(component).__name__ + (f", {count:,} weights" if count else "")


def _weights(task: Task) -> str:
    if not task.configured:
        return "none yet: the first fit, test or predict makes the models"
    weights = {id(variable): variable for variable in named_weights(task).values()}.values()
    total = sum(int(np.prod(variable.shape)) for variable in weights)
    state = "trained or loaded" if task.has_learned else "not trained"
    return f"{total:,}, {state}"
