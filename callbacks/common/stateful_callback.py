"""StatefulCallback: attributes that a checkpoint holds, and a new beginning with another task."""

import weakref
from typing import Any

from lightning_tf.callback import Callback
from lightning_tf.task import Task


class StatefulCallback(Callback):
    """Saves and restores attributes by their names.

    Attributes:
        state_names: The attributes, under whose names the checkpoint has them.

    Example:
        >>> class Count(StatefulCallback):
        ...     state_names = ("epochs",)
        ...
        ...     def _begin(self):
        ...         self.epochs = 0
        ...
        ...     def setup(self, trainer, task, stage):
        ...         self._begin_if_new(task)
    """

    logs_metrics = False
    state_names: tuple[str, ...] = ()
    _task: weakref.ref[Task] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the attributes."""
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the attributes."""
        for name in self.state_names:
            setattr(self, name, state[name])

    def _begin(self) -> None:
        """Forget what belongs to one task."""

    def _begin_if_new(self, task: Task) -> None:
        """Begin anew with another task than before."""
        if self._task is not None and self._task() is not task:
            self._begin()
        self._task = weakref.ref(task)
