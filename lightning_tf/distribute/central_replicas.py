"""CentralReplicas: replicas that have one copy of every variable among them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.central_storage import CentralStorage, assign_central
from lightning_tf.distribute.replicas import Replicas


class CentralReplicas(Replicas):
    """Replicas under a strategy such as CentralStorageStrategy; arguments as of `Replicas`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.copies_variables = False

    def each(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call `act` once: there is one copy to act on."""
        return act(*self.first(args))

    def _run_pieces(self, on_replica: Callable[..., Any], pieces: Any) -> Any:
        assigned: list[Any] = []

        def store(piece: Any, examples: tf.Tensor, fraction: tf.Tensor) -> Any:
            with CentralStorage() as storage:
                result = on_replica(piece, examples, fraction)
            assigned[:] = storage.assigned  # the same on every replica
            movements = all_reduce(storage.movements(examples, fraction))
            return result, movements, storage.others()

        # No replica sees what another assigns: the variables move when all have run.
        result, movements, others = self.strategy.run(store, pieces)
        assign_central(assigned, *self.first((movements, others)))
        return result
