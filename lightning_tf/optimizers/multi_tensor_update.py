"""MultiTensorUpdate: what Keras' Adam and SGD do to a variable, done to many small ones at once.

Keras' update of one variable is a dozen small operations, most of which cost more to start than to
compute: over the 82 variables of a 40-layer MLP they take longer than forward and backward pass.
Here small variables, and their slots, are packed into one array, updated and unpacked again; what
all variables share (bias corrections, the rate of a schedule) is computed once. Every number is
that of Keras, bit by bit. During a window of many batches slots stay packed; before and after it
they are where Keras has them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.keras_internals import MOMENTS, replaced_update, wrapped_variable
from lightning_tf.optimizers.extension_points import overrides_update
from lightning_tf.optimizers.packed_slots import PackedSlots, SlotGroup, group_variables
from lightning_tf.optimizers.variable_rates import VariableRates


def has_multi_tensor_rule(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether the rule of an optimizer is known here."""
    known = type(optimizer) in RULES and not getattr(optimizer, "amsgrad", False)
    return known and not overrides_update(optimizer)


@contextmanager
def use_multi_tensor_update(
    optimizer: keras.optimizers.Optimizer,
    placement: Placement,
    slots: PackedSlots | None,
    rates: VariableRates | None = None,
) -> Iterator[None]:
    """Let `optimizer.apply` update small variables together.

    Adam, AdamW and SGD are known, by their exact classes; every other optimizer is left as it is,
    and so is Adam with ``amsgrad``.

    Args:
        optimizer: A built Keras optimizer.
        placement: Whether there are replicas, each with a copy of every variable.
        slots: Where slots stay packed from one update to the next; None packs and unpacks them
            every time.
        rates: Factors of the learning rate; every optimizer takes them.
    """
    rates = VariableRates() if rates is None else rates
    if not has_multi_tensor_rule(optimizer):
        with rates.applied(optimizer) if rates else nullcontext():
            yield
        return

    with replaced_update(optimizer, MultiTensorUpdate(optimizer, placement, slots, rates)):
        yield


class MultiTensorUpdate:
    """The weight decay of an optimizer and its update of all variables, in place of Keras'.

    Args:
        optimizer: An Adam, AdamW or SGD of Keras, built.
        placement: Whether there are replicas.
        slots: See `use_multi_tensor_update`.
        rates: Factors of the learning rate.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        placement: Placement,
        slots: PackedSlots | None,
        rates: VariableRates,
    ) -> None:
        self.optimizer, self.placement, self.rates = optimizer, placement, rates
        # Without a plan every group is one whose slots are where Keras has them.
        self._slots = PackedSlots(placement) if slots is None else slots

    def __call__(self, gradients: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        """Update the variables; called by `optimizer.apply`, outside of the replicas.

        Args:
            gradients: One for each variable, a copy on every replica; no IndexedSlices.
            variables: Of Keras or of TensorFlow.
            rate: As Keras hands it over; each replica reads its own.
        """
        variables = [wrapped_variable(variable) for variable in variables]
        groups, order = [], []
        found = group_variables(self.optimizer, variables, self.rates, self.placement)
        for members, decays in found:
            grouped = [variables[i] for i in members]
            groups.append((self._slots.find_group(self.optimizer, grouped), decays))
            order += members

        with self._slots.unpack_around(variables, [group for group, _ in groups]):
            in_order = [gradients[i] for i in order]
            self.placement.each(lambda gradients: self._update(groups, gradients), in_order)

    def _update(
        self, groups: Sequence[tuple[SlotGroup, bool]], gradients: Sequence[tf.Tensor]
    ) -> None:
        rules: dict[tuple[tf.DType, float], tuple[tf.Tensor, Rule]] = {}
        remaining = iter(gradients)
        for group, decays in groups:
            # Corrections and the rate of a schedule are computed once for each dtype and factor.
            key = group.dtype, self.rates.factor(group.variables[0])
            if key not in rules:
                rate = self._rate(*key)
                rules[key] = rate, RULES[type(self.optimizer)](self.optimizer, rate)
            rate, rule = rules[key]

            # Keras decays before it updates.
            if decays:
                decay = tf.cast(self.optimizer.weight_decay, group.dtype)
                group.subtract(group.values() * decay * rate)

            rule(
                group, group.pack([tf.cast(next(remaining), group.dtype) for _ in group.variables])
            )

    def _rate(self, dtype: tf.DType, factor: float) -> tf.Tensor:
        rate = tf.convert_to_tensor(self.optimizer.learning_rate)  # ()
        return tf.cast(rate if factor == 1.0 else rate * tf.cast(factor, rate.dtype), dtype)


Rule = Callable[[SlotGroup, tf.Tensor], None]


def _make_adam(optimizer: Any, rate: tf.Tensor) -> Rule:
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, rate.dtype)  # from 1
    corrections = [
        1 - tf.pow(tf.cast(beta, rate.dtype), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    alpha = rate * tf.sqrt(corrections[1]) / corrections[0]

    first, second = MOMENTS

    # In Keras' order of operations, which decides the last bit.
    def update(group: SlotGroup, gradient: tf.Tensor) -> None:
        change = gradient - group.slot(first)
        momentum = group.add(first, change * (1 - optimizer.beta_1))
        change = tf.square(gradient) - group.slot(second)
        velocity = group.add(second, change * (1 - optimizer.beta_2))
        group.subtract(momentum * alpha / (tf.sqrt(velocity) + optimizer.epsilon))

    return update


def _make_sgd(optimizer: Any, rate: tf.Tensor) -> Rule:
    def update(group: SlotGroup, gradient: tf.Tensor) -> None:
        if optimizer.momentum == 0:
            group.subtract(gradient * rate)
            return

        momentum = tf.cast(optimizer.momentum, rate.dtype)
        step = group.put("momentums", group.slot("momentums") * momentum - gradient * rate)
        if optimizer.nesterov:
            step = step * momentum - gradient * rate
        group.subtract(-step)

    return update


RULES: dict[type, Callable[[Any, tf.Tensor], Rule]] = {
    keras.optimizers.Adam: _make_adam,
    keras.optimizers.AdamW: _make_adam,
    keras.optimizers.SGD: _make_sgd,
}
