"""ArrayInstances: numbers for a task that takes arrays, such as a KerasTask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import LightningTFError
from lightning_tf.predictor import Predictor
from lightning_tf.serving.instances import OF_VALUES, Instances, checked_text, json_type, log
from lightning_tf.serving.limits import Limits
from lightning_tf.serving.request_error import WRONG_DATA, RequestError

if TYPE_CHECKING:
    from lightning_tf.data.sources.new_examples import NewExamples

MOST_TRACES = 32  # of shapes that nobody knows before: each is kept in memory
SINGLE = ""  # the name of an input that is no dict


class ArrayInstances(Instances):
    """Arrays: a number, nested lists, or a dict of these by the names of a model's inputs."""

    wanted = "numbers as nested lists, or a dict of these by the names of the inputs"

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        super().__init__(predictor, limits)
        self._inputs = _inputs_of(predictor.task)

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        if not self._inputs:
            return {"description": self.wanted}
        parts = {name: _schema(shape) for name, (shape, _) in self._inputs.items()}
        single = parts.pop(SINGLE, None)
        by_name = {"type": "object", "properties": parts, "required": list(parts)}
        return by_name if single is None else single

    def example(self) -> Any:
        """Return zeros; None where the shape is not known."""
        made: dict[str, Any] = {}
        for name, (shape, dtype) in self._inputs.items():
            if None in shape or (dtype == "string" and shape):
                return None
            made[name] = "" if dtype == "string" else np.zeros([s or 0 for s in shape]).tolist()
        return made.get(SINGLE, made or None)

    def checked(self, value: Any) -> Any:
        """Return an array, or a dict of arrays, of the shapes that the model takes."""
        if set(self._inputs) == {SINGLE}:
            return self._one(SINGLE, value)
        if not self._inputs and not isinstance(value, dict):
            return _array(value, None, self.limits.max_text)
        if not isinstance(value, dict) or not value:
            raise RequestError(WRONG_DATA, f"it is a {json_type(value)}; give {self.wanted}.")
        wanted = set(self._inputs) or set(value)
        if set(value) != wanted:
            raise RequestError(WRONG_DATA, f"the inputs are {', '.join(sorted(wanted))}.")
        return {name: self._one(name, part) for name, part in value.items()}

    def examples(self, values: list[Any]) -> NewExamples:
        """Return arrays whose first dimension is the instances."""
        first = values[0]
        if isinstance(first, dict):
            if any(not isinstance(v, dict) or set(v) != set(first) for v in values):
                raise RequestError(WRONG_DATA, "instances have several sets of inputs.")
            return self.predictor.read({name: _stack([v[name] for v in values]) for name in first})
        return self.predictor.read(_stack(values))

    def outputs(self, examples: NewExamples) -> Any:
        """Return what the task predicts; where no shape is known, one may not fit it."""
        if self.predictor.traces >= MOST_TRACES:
            raise RequestError(
                WRONG_DATA,
                f"there were {MOST_TRACES} shapes of instances; bring them to fewer by padding.",
            )
        try:
            return super().outputs(examples)
        except LightningTFError as error:
            raise self.unreadable(error, "") from error
        except OF_VALUES as error:  # Keras and TensorFlow, while they trace
            log.exception("a prediction failed")
            raise RequestError(
                WRONG_DATA,
                "the model cannot take instances of this shape; the server's log has its reason.",
            ) from error

    def _one(self, name: str, value: Any) -> NDArray[Any]:
        shape, dtype = self._inputs.get(name, (None, None))
        array = _array(value, dtype, self.limits.max_text)
        fits = shape is None or (
            array.ndim == len(shape)
            and all(w in (None, s) for s, w in zip(array.shape, shape, strict=True))
        )
        if not fits:
            of = f" of {name!r}" if name else ""
            raise RequestError(WRONG_DATA, f"the shape{of} is {array.shape}; give {shape}.")
        return array


def number_array(value: Any) -> NDArray[np.float32]:
    """Return nested lists of numbers as an array.

    Raises:
        RequestError: They are no finite numbers, or rows of several lengths.

    Example:
        >>> number_array([[1, 2], [3, 4]]).shape
        (2, 2)
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise RequestError(WRONG_DATA, "its lists have several lengths or are too deep.") from None
    if array.dtype.kind not in "uifb":
        raise RequestError(WRONG_DATA, "it holds something else than numbers.")
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise RequestError(WRONG_DATA, "it holds a number that is not finite in float32.")
    return numbers


def _array(value: Any, dtype: str | None, max_text: int) -> NDArray[Any]:
    if dtype == "string" or (dtype is None and isinstance(value, str)):
        return np.array(checked_text(value, max_text).encode(), object)
    numbers = number_array(value)
    return numbers if dtype is None else numbers.astype(dtype)


def _stack(values: list[Any]) -> NDArray[Any]:
    if len({value.shape for value in values}) > 1:
        raise RequestError(WRONG_DATA, "instances have several shapes; send each in a request.")
    return np.stack(values)


def _schema(shape: tuple[int | None, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["number", "string"] if not shape else "number"}
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size is not None:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _inputs_of(task: Any) -> dict[str, tuple[tuple[int | None, ...], str]]:
    """Return shape and dtype of the inputs of a KerasTask's model; none where nobody knows them."""
    from lightning_tf.tasks import KerasTask

    inputs = getattr(task.model, "inputs", None) if isinstance(task, KerasTask) else None
    if not inputs:
        return {}
    specs = {each.name: (tuple(each.shape[1:]), str(each.dtype)) for each in inputs}
    return {SINGLE: next(iter(specs.values()))} if len(specs) == 1 else specs
