"""Deferred build: variables that models and metrics make at their first call, before any step."""

from contextlib import ExitStack, suppress
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.combined_batch import step_batch
from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import DataError
from lightning_tf.graph.losses import scalar_loss
from lightning_tf.stage import TRAIN
from lightning_tf.step_context import StepContext, enter_step_context, noting_symbolic_tensors


class _AlreadyBuilt(Exception):
    """The variables are made, and the step is not traced for them again."""


def build_deferred_variables(
    task: Any, method: str, placement: Placement, element_spec: Any
) -> None:
    """Make the variables of models and metrics that are built by their first call.

    Traces the step once in a graph that nobody runs.

    Args:
        task: Gives the step.
        method: The step's name.
        placement: Where the step will run.
        element_spec: Of the batches that the pipeline gives.
    """
    is_traced = False

    def run(batch: Any) -> Any:
        nonlocal is_traced
        if is_traced:
            raise _AlreadyBuilt
        result = _run(task, method, batch)
        is_traced = True
        return result

    traced = tf.function(run, autograph=False)
    with ExitStack() as stack:
        if not placement.can_build_while_tracing:
            # Under a strategy a graph cannot make variables: Keras makes them when this scope ends.
            stack.enter_context(keras.StatelessScope())
        # Where variables were made, TensorFlow fills them and traces again, for a graph without
        # their making; nobody needs that one.
        stack.enter_context(suppress(_AlreadyBuilt))
        traced.get_concrete_function(placement.batch_spec(element_spec))


def build_eagerly(task: Any, method: str, batch: Any) -> None:
    """Make the variables of models and metrics by running the step, which changes none of them.

    Args:
        task: Gives the step.
        method: The step's name.
        batch: Of the data.
    """
    with keras.StatelessScope():  # takes what the step assigns, and is dropped
        _run(task, method, batch)


def first_batch(method: str, batches: tf.data.Dataset) -> Any:
    """Return the first batch of a data set, for a step that runs op by op.

    Raises:
        DataError: There is none.
    """
    for batch in batches:
        return batch
    raise DataError(f"the data of {method} are empty: they hold no batch.")


def _run(task: Any, method: str, batch: Any) -> Any:
    context = StepContext({}, minimize=_minimize if method == TRAIN.step else None)
    with enter_step_context(context), noting_symbolic_tensors(method):
        return getattr(task, method)(step_batch(batch))


def _minimize(name: str, loss_fn: Any, when: Any) -> tf.Tensor:
    return scalar_loss(loss_fn(), f"minimize({name!r})")  # nothing is updated yet
