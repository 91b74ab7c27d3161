"""Predictor: labels new data with a trained task, again and again."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lightning_tf.checks import checked_integer, describe
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError, DataError, LightningTFError
from lightning_tf.prediction_columns import TOP
from lightning_tf.prediction_table import PredictionTable
from lightning_tf.step_context import StepContext, enter_step_context
from lightning_tf.storage.remote_data import local_data
from lightning_tf.traced_reads import TracedReads
from lightning_tf.untrained_weights import warn_of_untrained
from lightning_tf.variables import all_variables, unbuilt_layers

if TYPE_CHECKING:
    from lightning_tf.task import Task

log = logging.getLogger("lightning_tf")


class Predictor:
    """Labels new data with a trained task, as often as it is called.

    `predict_step` is traced once for each kind of input, whatever the number of examples; a traced
    function is kept until a value changes that the step has read, such as a threshold.
    `Task.predict` calls the task's own Predictor. The three pieces of a call are `read`, `outputs`
    and `table`.

    Args:
        task: A task that was fitted, or that comes from a checkpoint.
        batch_size: The most examples that are computed at once.

    Raises:
        ConfigurationError: The task has no model yet.

    Example:
        >>> predictor = Predictor(ImageClassification.from_checkpoint("best.ckpt"))
        >>> predictor("photos").save("labels.csv")
    """

    def __init__(self, task: Task, batch_size: int = 32) -> None:
        if not task.can_predict:
            name = type(task).__name__
            raise ConfigurationError(
                f"{name}.predict: there is no model yet: fit the task, or take it from a "
                f"checkpoint with {name}.from_checkpoint(path)."
            )
        self.task = task
        self.batch_size = checked_integer("batch_size", batch_size, 1)
        self._steps: dict[str, _TracedStep] = {}
        self._lock = Lock()
        self._has_warned = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy of a task takes along: no traces, which hold the task's variables."""
        return {"task": self.task, "batch_size": self.batch_size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew, without traces."""
        self.__dict__.update(state, _steps={}, _lock=Lock(), _has_warned=False)

    @property
    def traces(self) -> int:
        """How many traces of `predict_step` are kept, one for each kind of input."""
        return len(self._steps)

    def __call__(self, data: Any, **options: Any) -> PredictionTable:
        """Return a table with a row for each example, in the order given.

        Args:
            data: What the task's `new_examples` takes.
            **options: Those of the task's `new_examples`.
        """
        examples = self.read(data, **options)
        if not self._has_warned:
            self._has_warned = True
            warn_of_untrained(self.task, "predict")
        return self.table(examples, self.outputs(examples))

    def read(self, data: Any, **options: Any) -> NewExamples:
        """Return examples that are read as the task has read its own.

        Raises:
            ConfigurationError: `data` are None or a lone number.
        """
        if data is None or isinstance(data, (bool, int, float, np.generic)):
            raise ConfigurationError(
                f"{type(self.task).__name__}.predict was given {data!r:.80}, which is no data; "
                f"give examples ({self.task.input_kind}), one or several."
            )
        # A text that is asked about may be an address of a page.
        if not (isinstance(data, str) and data.startswith(("http:", "https:"))):
            data = local_data(data)
        return self.task.new_examples(data, **options)

    def outputs(self, examples: NewExamples) -> Any:
        """Return what `predict_step` gives for all examples: a nest of NumPy arrays."""
        self._drop_stale()
        outputs = [self._run(batch) for batch in examples.batches(self.batch_size)]
        if not outputs:
            raise DataError("there are no examples to predict; give at least one.")
        if len(outputs) == 1:
            return outputs[0]
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *outputs)

    def table(self, examples: NewExamples, outputs: Any) -> PredictionTable:
        """Return a table of what was predicted of examples."""
        columns = self.task.prediction_columns(outputs, examples.names)
        if f"label_{TOP}" in columns:
            log.warning("there are many classes: the table has the best %d of each row.", TOP)
        heat_maps = getattr(self.task, "heat_maps_of_pixels", None)
        return PredictionTable(columns, examples.pixels, heat_maps)

    def _drop_stale(self) -> None:
        """Forget traces that hold a value, or a variable, which is another by now."""
        with self._lock:
            self._steps = {key: step for key, step in self._steps.items() if step.is_current()}

    def _run(self, batch: Any) -> Any:
        if unbuilt_layers(self.task):  # a first batch builds them, and then their weights come
            self.task.predict_step(tf.nest.map_structure(lambda part: part[:1], batch))
            self.task.take_weights()

        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        spec = tf.nest.map_structure(_open_spec, batch)
        key = str(spec)
        with self._lock:  # threads of a server trace once
            step = self._steps.get(key) or self._traced(spec)
            self._steps[key] = step
        return tf.nest.map_structure(_host_array, step(batch))

    def _traced(self, spec: Any) -> _TracedStep:
        try:
            return _TracedStep(self.task, spec)
        except (ValueError, TypeError) as error:
            problem = None if isinstance(error, LightningTFError) else _unlike(self.task, spec)
            if problem is None:
                raise
            raise DataError(f"{type(self.task).__name__}.predict: {problem}") from error


class _TracedStep:
    """`predict_step` for one kind of input, any number of examples."""

    def __init__(self, task: Task, spec: Any) -> None:
        self._task, self._reads = task, TracedReads("predict_step")

        def step(batch: Any) -> Any:
            with enter_step_context(StepContext(reads=self._reads)):
                return task.predict_step(batch)

        with self._reads.tracing():
            self._step = tf.function(step, autograph=False).get_concrete_function(spec)
        self._variables = _variables_of(task)

    def __call__(self, batch: Any) -> Any:
        return self._step(batch)

    def is_current(self) -> bool:
        """Return whether the step would be traced to the same again."""
        variables = _variables_of(self._task)  # quantizing a model replaces some
        are_same = len(variables) == len(self._variables) and all(
            one is other for one, other in zip(variables, self._variables, strict=True)
        )
        return are_same and self._reads.change() is None


def _variables_of(task: Task) -> list[Any]:
    return list(all_variables(task).values())


def _unlike(task: Task, spec: Any) -> str | None:
    """Return how examples differ from what a task's model takes; None where nothing tells."""
    inputs = getattr(getattr(task, "model", None), "inputs", None)
    if not inputs:
        return None
    wanted = [tuple(tensor.shape[1:]) for tensor in inputs]
    given = [tuple(part.shape[1:]) for part in tf.nest.flatten(spec)]
    first, own = given[0], wanted[0]
    is_alike = len(first) == len(own) and all(
        size is None or size == other for other, size in zip(first, own, strict=True)
    )
    if is_alike and (len(wanted) == 1 or len(given) >= len(wanted)):
        return None

    shown = ", ".join(map(str, given[: len(wanted)]))
    problem = f"the examples have shape {shown}, and the model takes {', '.join(map(str, wanted))}"
    if len(wanted) > 1:
        names = ", ".join(repr(tensor.name) for tensor in inputs)
        return f"{problem}; give a dict of arrays, by the names of its inputs, {names}."
    if len(first) == len(own) - 1:
        return f"{problem}; one example needs a dimension of examples before it: x[np.newaxis]."
    resized = " Arrays and files, which are no batches, are resized by the task."
    return f"{problem}; bring them to this shape.{resized if task.input_kind == 'image' else ''}"


def _open_spec(tensor: tf.Tensor) -> tf.TensorSpec:
    """Return the spec of a tensor with any number of examples."""
    if tensor.shape.rank == 0:
        raise DataError(f"{describe(tensor)} has no dimension of examples; give an array of them.")
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _host_array(output: Any) -> Any:
    return output.numpy() if isinstance(output, tf.Tensor) else output
