"""The prediction step: a task's `predict_step`, traced."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.graph.custom_gradients import release_custom_gradients
from lightning_tf.step_context import StepContext, enter_step_context


def trace_prediction_step(task: Any, element_spec: Any, placement: Placement) -> Any:
    """Trace `predict_step` as a concrete function of one batch, rows in the order of the batch.

    Args:
        task: Gives the step.
        element_spec: Of the data set's batches.
        placement: Where the step runs.
    """
    predict = partial(_predict, task)
    traced = tf.function(lambda batch: placement.gather(predict, batch), autograph=False)
    concrete = traced.get_concrete_function(element_spec)
    release_custom_gradients(concrete.graph, after=concrete)
    return concrete


def eager_prediction_step(task: Any) -> Callable[[Any], Any]:
    """Return `predict_step` as it stands, which runs op by op.

    Args:
        task: Gives the step.
    """
    return partial(_predict, task, replica_batch=None)


def _predict(task: Any, batch: Any, replica_batch: ReplicaBatch | None) -> Any:
    with enter_step_context(StepContext(replica_batch=replica_batch)):
        return task.predict_step(batch)
