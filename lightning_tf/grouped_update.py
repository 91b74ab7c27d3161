"""Grouped updates: what Keras' Adam and SGD do to each variable, done to many small ones at once.

Keras' update of one variable is a dozen small operations, most of which cost more to start than to
compute: over the 82 variables of a 40-layer MLP they take longer than forward and backward pass.
Here small variables, and their slots, are laid end to end, updated as one array and cut apart
again; what all variables share (bias corrections, the rate of a schedule) is computed once. Every
number is that of Keras, bit by bit, and slots stay where Keras has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute import Placement

# Above it, copying to and fro costs more than the operations saved (measured on two CPU cores).
LARGEST_IN_A_GROUP = 2048


@contextmanager
def grouped(optimizer: keras.optimizers.Optimizer, placement: Placement) -> Iterator[None]:
    """The context in which `optimizer.apply` updates small variables together.

    Adam, AdamW and SGD are known, by their exact classes; every other optimizer is left as it is,
    and so are Adam with ``amsgrad`` and variables whose gradient is sparse.

    Args:
        optimizer: A built Keras optimizer.
        placement: Whether there are replicas, each with a copy of every variable.
    """
    if type(optimizer) not in RULES or getattr(optimizer, "amsgrad", False):
        yield
        return
    # On the instance, past Keras' tracking of attributes, and gone when the update is traced.
    own = {
        "_apply_weight_decay": lambda variables: None,
        "_backend_update_step": GroupedUpdate(optimizer, placement),
    }
    vars(optimizer).update(own)
    try:
        yield
    finally:
        for name in own:
            del vars(optimizer)[name]


class GroupedUpdate:
    """Takes the place of an optimizer's weight decay and of its update of all variables.

    Args:
        optimizer: An Adam, AdamW or SGD of Keras, built.
        placement: Whether there are replicas.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, placement: Placement) -> None:
        self.optimizer, self.placement = optimizer, placement

    def __call__(self, gradients: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        """Update the variables; called by `optimizer.apply`, outside of the replicas.

        Args:
            gradients: One for each variable, a copy on every replica.
            variables: Of Keras or of TensorFlow.
            rate: The learning rate, as Keras reads it outside of the replicas.
        """
        groups: dict[Any, list[int]] = {}
        sparse: list[int] = []
        held = [v.value if isinstance(v, keras.Variable) else v for v in variables]
        for i, (gradient, variable) in enumerate(zip(gradients, held, strict=True)):
            if isinstance(self.placement.first(gradient), tf.IndexedSlices):
                sparse.append(i)
                continue
            small = variable.shape.num_elements() <= LARGEST_IN_A_GROUP
            key = (variable.dtype, self._decays(variable), None if small else i)
            groups.setdefault(key, []).append(i)
        if sparse:
            kind, theirs = type(self.optimizer), [held[i] for i in sparse]
            kind._apply_weight_decay(self.optimizer, theirs)
            kind._backend_update_step(self.optimizer, [gradients[i] for i in sparse], theirs, rate)
        if groups:
            dense = [i for members in groups.values() for i in members]
            parts = [
                (_Part(self.optimizer, [held[i] for i in members]), decays)
                for (_, decays, _), members in groups.items()
            ]
            self.placement.each(
                lambda given: self._update(parts, given), [gradients[i] for i in dense]
            )

    def _decays(self, variable: tf.Variable) -> bool:
        decay = getattr(self.optimizer, "weight_decay", None)
        return decay is not None and self.optimizer._use_weight_decay(variable)

    def _update(self, parts: Sequence[tuple[_Part, bool]], gradients: Sequence[tf.Tensor]) -> None:
        rules: dict[tf.DType, tuple[tf.Tensor, Rule]] = {}
        waiting = iter(gradients)
        for part, decays in parts:
            if part.dtype not in rules:
                rate = tf.cast(tf.convert_to_tensor(self.optimizer.learning_rate), part.dtype)
                rules[part.dtype] = rate, RULES[type(self.optimizer)](self.optimizer, rate)
            rate, rule = rules[part.dtype]
            if decays:
                decay = tf.cast(self.optimizer.weight_decay, part.dtype)
                part.subtract(part.values() * decay * rate)
            own = [tf.cast(next(waiting), part.dtype) for _ in part.variables]
            rule(part, part.joined(own))


class _Part:
    """Variables that are updated as one array: one of any size, or several small ones.

    On replicas every method reads and writes the replica's own copies.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        self.variables, self.dtype = variables, variables[0].dtype
        self._optimizer = optimizer
        self._places = [optimizer._get_variable_index(variable) for variable in variables]
        self._sizes = [variable.shape.num_elements() for variable in variables]

    def joined(self, tensors: Sequence[Any]) -> tf.Tensor:
        """One array of several; a single one keeps its shape."""
        if len(tensors) == 1:
            return tf.convert_to_tensor(tensors[0])
        return tf.concat([_shaped(tensor, [-1]) for tensor in tensors], 0)

    def values(self) -> tf.Tensor:
        """Of the variables."""
        return self.joined(self.variables)

    def subtract(self, value: tf.Tensor) -> None:
        """Take something off the variables."""
        self._each(tf.raw_ops.AssignSubVariableOp, self.variables, value)

    def slot(self, name: str) -> tf.Tensor:
        """What the optimizer keeps for the variables under a name."""
        return self.joined(self._slots(name))

    def put(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Give a slot its value, and return it."""
        self._each(tf.raw_ops.AssignVariableOp, self._slots(name), value)
        return value

    def add(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Add to a slot, and return the sum."""
        if len(self.variables) > 1:
            return self.put(name, self.slot(name) + value)
        # In place: a large slot is not copied.
        self._each(tf.raw_ops.AssignAddVariableOp, self._slots(name), value)
        return self.slot(name)

    def _slots(self, name: str) -> list[tf.Variable]:
        kept = getattr(self._optimizer, name)
        return [kept[place].value for place in self._places]

    def _each(
        self, act: Callable[..., Any], variables: list[tf.Variable], value: tf.Tensor
    ) -> None:
        pieces = [value] if len(variables) == 1 else tf.split(value, self._sizes)
        for variable, piece in zip(variables, pieces, strict=True):
            act(resource=variable.handle, value=_shaped(piece, variable.shape))


def _shaped(tensor: Any, shape: Any) -> Any:
    # Reshaping what is flat already would be an operation for each variable.
    return tensor if tensor.shape.rank == len(shape) == 1 else tf.reshape(tensor, shape)


Rule = Callable[[_Part, tf.Tensor], None]


def _adam(optimizer: Any, rate: tf.Tensor) -> Rule:
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, rate.dtype)
    corrections = [
        1 - tf.pow(tf.cast(beta, rate.dtype), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    alpha = rate * tf.sqrt(corrections[1]) / corrections[0]

    def update(part: _Part, gradient: tf.Tensor) -> None:
        change = gradient - part.slot("_momentums")
        first = part.add("_momentums", change * (1 - optimizer.beta_1))
        change = tf.square(gradient) - part.slot("_velocities")
        second = part.add("_velocities", change * (1 - optimizer.beta_2))
        part.subtract(first * alpha / (tf.sqrt(second) + optimizer.epsilon))

    return update


def _sgd(optimizer: Any, rate: tf.Tensor) -> Rule:
    def update(part: _Part, gradient: tf.Tensor) -> None:
        if optimizer.momentum == 0:
            part.subtract(gradient * rate)
            return
        momentum = tf.cast(optimizer.momentum, rate.dtype)
        kept = part.put("momentums", part.slot("momentums") * momentum - gradient * rate)
        ahead = kept * momentum - gradient * rate if optimizer.nesterov else kept
        part.subtract(-ahead)

    return update


RULES: dict[type, Callable[[Any, tf.Tensor], Rule]] = {
    keras.optimizers.Adam: _adam,
    keras.optimizers.AdamW: _adam,
    keras.optimizers.SGD: _sgd,
}
