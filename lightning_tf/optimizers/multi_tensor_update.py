"""Grouped updates: what Keras' Adam and SGD do to each variable, done to many small ones at once.

Keras' update of one variable is a dozen small operations, most of which cost more to start than to
compute: over the 82 variables of a 40-layer MLP they take longer than forward and backward pass.
Here small variables, and their slots, are laid end to end, updated as one array and cut apart
again; what all variables share (bias corrections, the rate of a schedule) is computed once. Every
number is that of Keras, bit by bit. During a window of many batches slots stay laid end to end;
before and after it they are where Keras has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.optimizers.packed_slots import PackedSlots, Part, groups
from lightning_tf.variables import tensorflow_variable


def can_group(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer's rule is known here."""
    return type(optimizer) in RULES and not getattr(optimizer, "amsgrad", False)


@contextmanager
def grouped(
    optimizer: keras.optimizers.Optimizer, placement: Placement, laid_out: PackedSlots | None
) -> Iterator[None]:
    """The context in which `optimizer.apply` updates small variables together.

    Adam, AdamW and SGD are known, by their exact classes; every other optimizer is left as it is,
    and so is Adam with ``amsgrad``.

    Args:
        optimizer: A built Keras optimizer.
        placement: Whether there are replicas, each with a copy of every variable.
        laid_out: Where slots stay from one update to the next; None takes them from the optimizer
            and puts them back every time.
    """
    if not can_group(optimizer):
        yield
        return
    # On the instance, past Keras' tracking of attributes, and gone when the update is traced.
    own = {
        "_apply_weight_decay": lambda variables: None,
        "_backend_update_step": MultiTensorUpdate(optimizer, placement, laid_out),
    }
    vars(optimizer).update(own)
    try:
        yield
    finally:
        for name in own:
            del vars(optimizer)[name]


class MultiTensorUpdate:
    """Takes the place of an optimizer's weight decay and of its update of all variables.

    Args:
        optimizer: An Adam, AdamW or SGD of Keras, built.
        placement: Whether there are replicas.
        laid_out: See `grouped`.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        placement: Placement,
        laid_out: PackedSlots | None,
    ) -> None:
        self.optimizer, self.placement = optimizer, placement
        self._laid_out = PackedSlots(placement) if laid_out is None else laid_out

    def __call__(self, gradients: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        """Update the variables; called by `optimizer.apply`, outside of the replicas.

        Args:
            gradients: One for each variable, a copy on every replica; no IndexedSlices.
            variables: Of Keras or of TensorFlow.
            rate: As Keras hands it over; each replica reads its own.
        """
        held = [tensorflow_variable(variable) for variable in variables]
        parts, order = [], []
        for members, decays in groups(self.optimizer, held):
            variables = [held[i] for i in members]
            parts.append((self._laid_out.part(self.optimizer, variables), decays))
            order += members
        with self._laid_out.put_back(held, [part for part, _ in parts]):
            own = [gradients[i] for i in order]
            self.placement.each(lambda given: self._update(parts, given), own)

    def _update(self, parts: Sequence[tuple[Part, bool]], gradients: Sequence[tf.Tensor]) -> None:
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
            rule(part, part.packed(own))


Rule = Callable[[Part, tf.Tensor], None]


def _adam(optimizer: Any, rate: tf.Tensor) -> Rule:
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, rate.dtype)
    corrections = [
        1 - tf.pow(tf.cast(beta, rate.dtype), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    alpha = rate * tf.sqrt(corrections[1]) / corrections[0]

    def update(part: Part, gradient: tf.Tensor) -> None:
        change = gradient - part.slot("_momentums")
        first = part.add("_momentums", change * (1 - optimizer.beta_1))
        change = tf.square(gradient) - part.slot("_velocities")
        second = part.add("_velocities", change * (1 - optimizer.beta_2))
        part.subtract(first * alpha / (tf.sqrt(second) + optimizer.epsilon))

    return update


def _sgd(optimizer: Any, rate: tf.Tensor) -> Rule:
    def update(part: Part, gradient: tf.Tensor) -> None:
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
