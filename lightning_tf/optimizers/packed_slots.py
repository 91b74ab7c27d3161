"""PackedSlots: slots of small variables, laid end to end while a window of batches runs."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.keras_internals import SLOT_ATTRIBUTES, decays_weight, slot_index
from lightning_tf.optimizers.variable_rates import VariableRates
from lightning_tf.variables import device_copies

# Above it, copying to and fro costs more than the operations saved (measured on two CPU cores).
LARGEST_IN_A_GROUP = 2048
# There each operation is a launch, and copies are cheap; counted, not timed: no GPU was at hand.
LARGEST_ON_A_GPU = 4_000_000


def group_variables(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[tf.Variable],
    rates: VariableRates,
    placement: Placement,
) -> list[tuple[list[int], bool]]:
    """Group the variables that are updated as one array: small ones of a dtype that decay alike.

    Those of one group have the same factor of the learning rate.

    Returns:
        For each group the positions of its variables, and whether their weights decay.
    """
    groups: dict[Any, list[int]] = {}  # by dtype, decay, of a large variable its position, and rate
    decay = getattr(optimizer, "weight_decay", None)
    largest = LARGEST_ON_A_GPU if placement.is_gpu else LARGEST_IN_A_GROUP
    for i, variable in enumerate(variables):
        small = variable.shape.num_elements() <= largest
        decays = decay is not None and decays_weight(optimizer, variable)
        key = variable.dtype, decays, None if small else i, rates.factor(variable)
        groups.setdefault(key, []).append(i)
    return [(members, decays) for (_, decays, _, _), members in groups.items()]


class SlotGroup:
    """Variables that are updated as one array: one of any size, or several small ones.

    On replicas every method reads and writes the replica's own copies.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        self.variables, self.dtype = variables, variables[0].dtype
        self._optimizer = optimizer
        # Positions among the optimizer's slots, which are found anew in every update.
        self._places = [slot_index(optimizer, variable) for variable in variables]

        # Those of a shape lie together: stacked, they need one reshaping for all of them.
        self._stacks: dict[tuple[int, ...], list[int]] = {}
        for i, variable in enumerate(variables):
            self._stacks.setdefault(tuple(variable.shape), []).append(i)
        self._sizes = [math.prod(shape) * len(members) for shape, members in self._stacks.items()]

    def holds(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> bool:
        """Return whether it is the group of just these, in this order."""
        return (
            len(variables) == len(self.variables)
            and optimizer is self._optimizer
            and all(a is b for a, b in zip(variables, self.variables, strict=True))
        )

    def overlaps(self, variables: list[tf.Variable]) -> bool:
        """Return whether any of these is in the group."""
        members = {id(variable) for variable in self.variables}
        return any(id(variable) in members for variable in variables)

    def pack(self, tensors: Sequence[Any]) -> tf.Tensor:
        """Pack one tensor for each variable into one array; a single one keeps its shape."""
        if len(tensors) == 1:
            return tf.convert_to_tensor(tensors[0])

        stacks = [
            tf.stack([tensors[i] for i in members]) if len(members) > 1 else tensors[members[0]]
            for members in self._stacks.values()
        ]
        return tf.concat([_reshape(stack, [-1]) for stack in stacks], 0)  # (elements,)

    def values(self) -> tf.Tensor:
        """Return the variables' values."""
        return self.pack(self.variables)

    def subtract(self, value: tf.Tensor) -> None:
        """Subtract from the variables."""
        self._assign(tf.raw_ops.AssignSubVariableOp, self.variables, value)

    def slot(self, name: str) -> tf.Tensor:
        """Return what the optimizer keeps for the variables under a name."""
        return self.pack(self._slots(name))

    def put(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Assign a slot, and return its value."""
        self._assign(tf.raw_ops.AssignVariableOp, self._slots(name), value)
        return value

    def add(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Add to a slot, and return the sum."""
        if len(self.variables) > 1:
            return self.put(name, self.slot(name) + value)

        # In place: a large slot is not copied.
        self._assign(tf.raw_ops.AssignAddVariableOp, self._slots(name), value)
        return self.slot(name)

    def _slots(self, name: str) -> list[tf.Variable]:
        slots = getattr(self._optimizer, name)
        return [slots[place].value for place in self._places]

    def _assign(
        self, op: Callable[..., Any], variables: list[tf.Variable], value: tf.Tensor
    ) -> None:
        if len(variables) == 1:
            op(resource=variables[0].handle, value=value)
            return

        stacks = zip(self._stacks.items(), tf.split(value, self._sizes), strict=True)
        for (shape, members), piece in stacks:
            is_single = len(members) == 1
            pieces = [piece] if is_single else tf.unstack(_reshape(piece, (len(members), *shape)))
            for i, tensor in zip(members, pieces, strict=True):
                op(resource=variables[i].handle, value=_reshape(tensor, shape))


class PackedSlotGroup(SlotGroup):
    """Several variables whose slots stay packed from one update to the next, in arrays."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]) -> None:
        super().__init__(optimizer, variables)
        self._names = SLOT_ATTRIBUTES[type(optimizer)](optimizer)
        zeros = tf.zeros([sum(self._sizes)], self.dtype)  # (elements,)
        self._arrays = {name: tf.Variable(zeros, trainable=False) for name in self._names}

    def pack_slots(self) -> None:
        """Copy the optimizer's slots into the arrays."""
        for name in self._names:
            self.put(name, super().slot(name))

    def arrays(self) -> list[tf.Variable]:
        """Return the arrays, of each replica its own."""
        return [copy for array in self._arrays.values() for copy in device_copies(array)]

    def unpack_slots(self) -> None:
        """Copy the arrays to where Keras has the slots."""
        for name in self._names:
            super().put(name, self.slot(name))

    def slot(self, name: str) -> tf.Tensor:
        """Return the array."""
        return tf.convert_to_tensor(self._arrays[name])

    def put(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Assign the array, and return its value."""
        tf.raw_ops.AssignVariableOp(resource=self._arrays[name].handle, value=value)
        return value


class PackedSlots:
    """The slots of small variables as arrays, between `pack` and `unpack` in one graph call.

    First they are planned, then the updates are traced; in the graph around them `pack` goes before
    the first and `unpack` after the last.

    Args:
        placement: Whether there are replicas.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._groups: list[PackedSlotGroup] = []

    def plan(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[tf.Variable],
        rates: VariableRates,
    ) -> None:
        """Make the arrays for what an optimizer updates, before anything is traced.

        A function that makes variables while it is traced is traced again.
        """
        for members, _ in group_variables(optimizer, variables, rates, self._placement):
            if len(members) > 1:
                grouped = [variables[i] for i in members]
                self._groups.append(PackedSlotGroup(optimizer, grouped))

    def variables(self) -> list[tf.Variable]:
        """Return the arrays, whose values mean nothing between graph calls."""
        return [array for group in self._groups for array in group.arrays()]

    def find_group(
        self, optimizer: keras.optimizers.Optimizer, variables: list[tf.Variable]
    ) -> SlotGroup:
        """Return the group of variables, with slots where Keras has them if it was not planned."""
        planned = (group for group in self._groups if group.holds(optimizer, variables))
        return next(planned, None) or SlotGroup(optimizer, variables)

    @contextmanager
    def unpack_around(self, variables: list[tf.Variable], used: list[SlotGroup]) -> Iterator[None]:
        """Unpack the slots that an update reaches by other groups than theirs, and pack them after.

        Args:
            variables: That the update moves.
            used: The groups by which it does.
        """
        bypassed = [g for g in self._groups if g not in used and g.overlaps(variables)]
        self._on_replicas(bypassed, PackedSlotGroup.unpack_slots)
        yield
        self._on_replicas(bypassed, PackedSlotGroup.pack_slots)

    def pack(self) -> None:
        """Pack all slots, at the beginning of a graph call."""
        self._on_replicas(self._groups, PackedSlotGroup.pack_slots)

    def unpack(self) -> None:
        """Unpack all slots, at the end of a graph call."""
        self._on_replicas(self._groups, PackedSlotGroup.unpack_slots)

    def _on_replicas(
        self, groups: list[PackedSlotGroup], act: Callable[[PackedSlotGroup], None]
    ) -> None:
        def on_replica() -> None:
            for group in groups:
                act(group)

        if groups:
            self._placement.each(on_replica)


def _reshape(tensor: Any, shape: Any) -> Any:
    # Reshaping what is flat already would be an operation for each variable.
    is_flat = tensor.shape.rank == len(shape) == 1
    return tensor if is_flat or tuple(tensor.shape) == tuple(shape) else tf.reshape(tensor, shape)
