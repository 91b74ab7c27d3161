"""BatchParts: the inputs, targets and weights of a batch, as fit reads them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_compile_internals import build_symbolically

Parts = tuple[Any, Any, Any]


class Weighted(NamedTuple):
    """Targets that carry their sample weights through data of pairs ``(x, y)``."""

    y: Any
    sample_weight: Any


class BatchParts:
    """Takes batches apart for a model.

    Args:
        model: Whose inputs they are.

    Example:
        >>> x, y, sample_weight = BatchParts(model)((images, labels))
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def __call__(self, batch: Any) -> Parts:
        """Return x, y and sample weight; what a batch lacks is None."""
        batch = tf.nest.map_structure(_without_optional, batch)
        if not isinstance(batch, (tuple, list)) or self._is_inputs(batch):
            return self._declared(batch), None, None
        x, y, weight = (*batch, None, None)[:3]
        if isinstance(y, Weighted):
            y, weight = y
        return self._declared(x), y, weight

    def symbolic(self, element_spec: Any) -> Parts:
        """Return symbolic tensors for the parts of batches of a spec."""
        parts = self(tf.nest.map_structure(_none_or_spec, element_spec))
        return tf.nest.map_structure(_symbolic, parts)  # type: ignore[no-any-return]

    def _is_inputs(self, batch: Any) -> bool:
        """Return whether a batch is the inputs alone, of a model of several: with y, x is one."""
        inputs = getattr(self._model, "inputs", None) or ()
        return len(batch) == len(inputs) > 1 and not tf.nest.is_nested(batch[0])

    def _declared(self, x: Any) -> Any:
        """Return of a dict the arrays that the model declares: Keras would go by their order.

        Raises:
            ConfigurationError: One is missing.
        """
        # A subclass declares nothing; it has an input too, once it was called.
        if not isinstance(x, Mapping) or not getattr(self._model, "inputs", None):
            return x
        # A Sequential has one input, and no attribute of it before it was called.
        is_sequential = isinstance(self._model, keras.Sequential)
        declared = self._model.inputs[0] if is_sequential else self._model.input
        if not isinstance(declared, Mapping):  # found by their names
            names = [tensor.name for tensor in tf.nest.flatten(declared)]
        else:
            names = list(declared)
        if missing := [name for name in names if name not in x]:
            raise ConfigurationError(
                f"model {self._model.name!r} has the inputs {', '.join(map(repr, names))}, and the "
                f"data bring {', '.join(map(repr, x))}: {missing[0]!r} is missing. A dict's keys "
                "are the inputs' names."
            )
        if not tf.nest.is_nested(declared):
            return x[names[0]]
        return {name: x[name] for name in names}


def targets_for(y_pred: Any, y: Any) -> Any:
    """Return targets or weights as losses and metrics take them: for one output, in no nest."""
    is_one = tf.nest.is_nested(y) and len(y) == 1 and not tf.nest.is_nested(y_pred)
    return tf.nest.flatten(y)[0] if is_one else y


def symbolic_output(model: keras.Model, x: Any) -> Any:
    """Return a model's symbolic output; the call builds a model that nothing has built yet."""
    if not model.built:
        return model(x)
    # As fit: what a layer says of its output's shape may be wrong, TextVectorization's for one.
    return build_symbolically(model, x)


def only(output: Any) -> Any:
    """Return the one item of a list or tuple, as ``keras.Model(inputs, [outputs])`` gives it."""
    is_one = isinstance(output, (list, tuple)) and len(output) == 1
    return output[0] if is_one else output


def _without_optional(value: Any) -> Any:
    """Return None for what Keras' adapters put into batches in its place."""
    return None if isinstance(value, tf.experimental.Optional) else value


def _none_or_spec(spec: Any) -> Any:
    return spec if hasattr(spec, "shape") and hasattr(spec, "dtype") else None


def _symbolic(spec: Any) -> Any:
    return None if spec is None else keras.KerasTensor(spec.shape, spec.dtype.name)
