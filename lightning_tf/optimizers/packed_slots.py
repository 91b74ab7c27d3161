"""Slots of small variables, laid end to end for as long as a window of batches runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement

# Above it, copying to and fro costs more than the operations saved (measured on two CPU cores).
LARGEST_IN_A_GROUP = 2048
# The slots that each keeps, by attribute.
SLOTS: dict[type, Callable[[Any], tuple[str, ...]]] = {
    keras.optimizers.Adam: lambda optimizer: ("_momentums", "_velocities"),
    keras.optimizers.AdamW: lambda optimizer: ("_momentums", "_velocities"),
    keras.optimizers.SGD: lambda optimizer: ("momentums",) if optimizer.momentum else (),
}


def groups(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[tf.Variable]
) -> list[tuple[list[int], bool]]:
    """Which variables are updated as one array: small ones of a dtype, decayed ones by themselves.

    Returns:
        For each group the positions of its variables, and whether their weights decay.
    """
    found: dict[Any, list[int]] = {}
    decay = getattr(optimizer, "weight_decay", None)
    for i, variable in enumerate(variables):
        small = variable.shape.num_elements() <= LARGEST_IN_A_GROUP
        decays = decay is not None and optimizer._use_weight_decay(variable)
        found.setdefault((variable.dtype, decays, None if small else i), []).append(i)
    return [(members, decays) for (_, decays, _), members in found.items()]


class Part:
    """Variables that are updated as one array: one of any size, or several small ones.

    On replicas every method reads and writes the replica's own copies.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        self.variables, self.dtype = variables, variables[0].dtype
        self._optimizer = optimizer
        self._places = [optimizer._get_variable_index(variable) for variable in variables]
        # Those of a shape lie together: stacked, they need one reshaping for all of them.
        self._stacks: dict[tuple[int, ...], list[int]] = {}
        for i, variable in enumerate(variables):
            self._stacks.setdefault(tuple(variable.shape), []).append(i)
        self._sizes = [math.prod(shape) * len(own) for shape, own in self._stacks.items()]

    def holds(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> bool:
        """Whether it is the part of just these, in this order."""
        same = len(variables) == len(self.variables)
        return (
            same
            and optimizer is self._optimizer
            and all(a is b for a, b in zip(variables, self.variables, strict=True))
        )

    def shares(self, variables: list[tf.Variable]) -> bool:
        """Whether any of these is among its own."""
        own = {id(variable) for variable in self.variables}
        return any(id(variable) in own for variable in variables)

    def packed(self, tensors: Sequence[Any]) -> tf.Tensor:
        """One array of several; a single one keeps its shape."""
        if len(tensors) == 1:
            return tf.convert_to_tensor(tensors[0])
        stacks = [
            tf.stack([tensors[i] for i in members]) if len(members) > 1 else tensors[members[0]]
            for members in self._stacks.values()
        ]
        return tf.concat([_shaped(stack, [-1]) for stack in stacks], 0)

    def values(self) -> tf.Tensor:
        """Of the variables."""
        return self.packed(self.variables)

    def subtract(self, value: tf.Tensor) -> None:
        """Take something off the variables."""
        self._each(tf.raw_ops.AssignSubVariableOp, self.variables, value)

    def slot(self, name: str) -> tf.Tensor:
        """What the optimizer keeps for the variables under a name."""
        return self.packed(self._slots(name))

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
        if len(variables) == 1:
            act(resource=variables[0].handle, value=value)
            return
        stacks = zip(self._stacks.items(), tf.split(value, self._sizes), strict=True)
        for (shape, members), piece in stacks:
            alone = len(members) == 1
            pieces = [piece] if alone else tf.unstack(_shaped(piece, (len(members), *shape)))
            for i, own in zip(members, pieces, strict=True):
                act(resource=variables[i].handle, value=_shaped(own, shape))


class PackedPart(Part):
    """Several variables whose slots stay laid end to end, in variables of their own."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        super().__init__(optimizer, variables)
        self._names = SLOTS[type(optimizer)](optimizer)
        zeros = tf.zeros([sum(self._sizes)], self.dtype)
        self._arrays = {name: tf.Variable(zeros, trainable=False) for name in self._names}

    def take(self) -> None:
        """Lay the optimizer's slots end to end."""
        for name in self._names:
            self.put(name, super().slot(name))

    def give_back(self) -> None:
        """Put them where Keras has them."""
        for name in self._names:
            super().put(name, self.slot(name))

    def slot(self, name: str) -> tf.Tensor:
        """The array."""
        return tf.convert_to_tensor(self._arrays[name])

    def put(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Give the array its value, and return it."""
        tf.raw_ops.AssignVariableOp(resource=self._arrays[name].handle, value=value)
        return value


class PackedSlots:
    """The slots of small variables as arrays, between `take` and `give_back` in one graph call.

    First they are planned, then the updates are traced; in the graph around them `take` goes before
    the first and `give_back` after the last.

    Args:
        placement: Whether there are replicas.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._parts: list[PackedPart] = []

    def plan(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        """Make the arrays for what an optimizer updates, before anything is traced.

        A function that makes variables while it is traced is traced again.
        """
        for members, _ in groups(optimizer, variables):
            if len(members) > 1:
                own = [variables[i] for i in members]
                self._parts.append(PackedPart(optimizer, own))

    def part(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> Part:
        """The slots of an optimizer for variables, where Keras has them if that was not planned."""
        found = (part for part in self._parts if part.holds(optimizer, variables))
        return next(found, None) or Part(optimizer, variables)

    @contextmanager
    def put_back(self, variables: list[tf.Variable], used: list[Part]) -> Iterator[None]:
        """Around an update that reaches slots where Keras has them, though they are laid out."""
        touched = [part for part in self._parts if part not in used and part.shares(variables)]
        self._all(touched, PackedPart.give_back)
        yield
        self._all(touched, PackedPart.take)

    def take(self) -> None:
        """Lay out, at the beginning of a graph call."""
        self._all(self._parts, PackedPart.take)

    def give_back(self) -> None:
        """Put back, at its end."""
        self._all(self._parts, PackedPart.give_back)

    def _all(self, parts: list[PackedPart], act: Callable[[PackedPart], None]) -> None:
        def on_replica() -> None:
            for part in parts:
                act(part)

        if parts:
            self._placement.each(on_replica)


def _shaped(tensor: Any, shape: Any) -> Any:
    # Reshaping what is flat already would be an operation for each variable.
    alike = tensor.shape.rank == len(shape) == 1 or tuple(tensor.shape) == tuple(shape)
    return tensor if alike else tf.reshape(tensor, shape)
