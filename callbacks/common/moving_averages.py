"""MovingAverages: averages of variables, updated in the graph and exchanged with the weights."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from lightning_tf.variables import variable_value

HALF = ("float16", "bfloat16")


class MovingAverages:
    """Exponential moving averages of variables, and the variables' values while exchanged.

    Averages of half precision variables are float32: a share of 0.001 would be rounded away.

    Args:
        variables: What is averaged, by stable names.
        optimizers: Names of those that update them; updates are counted for each.
        decay: Share of the old average that remains.
        every: Updates from one averaging to the next.
        start: Updates during which the averages follow the variables.
        warmup: Whether the decay grows with the number t of earlier averagings, as
            ``min(decay, (1 + t) / (10 + t))``.

    Attributes:
        averages: By the variables' names.
        raw: The variables' own values while the averages stand in their place, else None.

    Example:
        >>> weight = tf.Variable(1.0)
        >>> averages = MovingAverages({"weight": weight}, [""], decay=0.5)
        >>> weight.assign(3.0)
        >>> averages.update("", [weight])
        >>> float(averages.averages["weight"])
        2.0
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        optimizers: Iterable[str],
        *,
        decay: float,
        every: int = 1,
        start: int = 0,
        warmup: bool = False,
    ) -> None:
        self.decay, self.every, self.start, self.warmup = decay, every, start, warmup
        self.variables = dict(variables)
        self.averages = {name: _average_of(value) for name, value in self.variables.items()}
        # Counted on the device: the host does not know which updates an overflow skipped.
        self.updates = {
            name: tf.Variable(0, trainable=False, dtype=tf.int64) for name in optimizers
        }
        self.raw: dict[str, tf.Variable] | None = None
        self._names = {id(variable): name for name, variable in self.variables.items()}

    # ---- in the graph

    def update(self, optimizer: str, moved: Sequence[Any]) -> None:
        """Move the averages after an update.

        Args:
            optimizer: The name of the one that updated.
            moved: The variables that it updated.
        """
        self.updates[optimizer].assign_add(1)
        count = tf.convert_to_tensor(self.updates[optimizer]) - self.start
        if self.every == 1:
            self._move(moved, count)
            return

        def move() -> int:
            self._move(moved, count)
            return 0

        is_due = tf.logical_or(count <= 0, tf.equal(count % self.every, 0))
        tf.cond(is_due, move, lambda: 0)

    def _move(self, moved: Sequence[Any], count: tf.Tensor) -> None:
        decay = self._decay(count)
        for variable in moved:
            average = self.averages[self._names[id(variable)]]
            value = tf.cast(variable_value(variable), average.dtype)
            share = tf.cast(decay, average.dtype)  # ()
            average.assign(share * average + (1.0 - share) * value)  # (the variable's shape)

    def _decay(self, count: tf.Tensor) -> tf.Tensor:
        """Return the decay of an update, counted from `start`; 0 copies the variable exactly."""
        decay = tf.constant(self.decay, tf.float32)  # ()
        if self.warmup:
            # Few averagings so far: the decay is small, and the average follows quickly.
            before = tf.cast((count - 1) // self.every, tf.float32)
            decay = tf.minimum(decay, (1.0 + before) / (10.0 + before))
        return tf.where(count <= 0, 0.0, decay) if self.start else decay

    # ---- on the host

    def count_in(self, names: Iterable[str], count: int) -> None:
        """Make the averages of some variables the mean of `count` values, with those of now."""
        for name in names:
            average = self.averages[name]
            value = tf.cast(variable_value(self.variables[name]), average.dtype)
            average.assign_add((value - average) / tf.cast(count, average.dtype))

    def restart(self) -> None:
        """Restart from the variables as they are."""
        for name, variable in self.variables.items():
            self.averages[name].assign(tf.cast(variable_value(variable), self.averages[name].dtype))
        for count in self.updates.values():
            count.assign(0)
        self.raw = None

    def swap_in(self) -> None:
        """Put the averages in the place of the variables, and keep the variables' own values."""
        if self.raw is not None:
            return
        # Copies on the device: nothing is read back to the host.
        self.raw = {
            name: tf.Variable(variable_value(variable), trainable=False)
            for name, variable in self.variables.items()
        }
        for name, variable in self.variables.items():
            variable.assign(self._rounded(name))

    def swap_out(self) -> None:
        """Restore the variables' own values."""
        if self.raw is None:
            return
        for name, variable in self.variables.items():
            variable.assign(tf.convert_to_tensor(self.raw[name]))
        self.raw = None

    def are_in_place(self) -> bool:
        """Return whether the variables hold what `swap_in` assigned: nobody changed them since."""
        return self.raw is not None and all(
            bool(tf.reduce_all(tf.equal(variable_value(variable), self._rounded(name))))
            for name, variable in self.variables.items()
        )

    def _rounded(self, name: str) -> tf.Tensor:
        """Return an average in the dtype of its variable."""
        average = tf.convert_to_tensor(self.averages[name])
        return tf.cast(average, variable_value(self.variables[name]).dtype)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs besides the averages, which are its task's weights."""
        state = {f"updates.{name}": count for name, count in self.updates.items()}
        state |= {f"raw.{name}": value for name, value in (self.raw or self.variables).items()}
        # In the place of a variable of half precision, an average has lost digits.
        wider = {n: a for n, a in self.averages.items() if a.dtype != self._rounded(n).dtype}
        return state | {f"average.{name}": average for name, average in wider.items()}


def _average_of(variable: Any) -> tf.Variable:
    value = variable_value(variable)
    dtype = tf.float32 if value.dtype.name in HALF else value.dtype
    return tf.Variable(tf.cast(value, dtype), trainable=False)
