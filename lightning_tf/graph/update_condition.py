"""Where a step may minimize, and the condition under which that updates."""

from typing import Any

import tensorflow as tf

from lightning_tf.checks import describe
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.exceptions import ConfigurationError


def votes_against(name: str, when: Any, replica_batch: ReplicaBatch | None) -> tf.Tensor:
    """Return 1 on a replica that has examples and wants no update, else 0; to be added up.

    Args:
        name: The optimizer's.
        when: What the step gave to `minimize`.
        replica_batch: The replica's own; None on one device.

    Raises:
        ConfigurationError: `when` is no boolean scalar.
    """
    problem = f"minimize({name!r}, when=...) got"
    wanted = "one boolean tensor, True where the update is wanted"
    is_boolean = getattr(when, "dtype", None) == tf.bool or isinstance(when, bool)
    if not is_boolean or tf.convert_to_tensor(when).shape.rank != 0:
        raise ConfigurationError(f"{problem} {describe(when)}; give {wanted}.")

    against = tf.cast(tf.logical_not(when), tf.float32)  # ()
    if replica_batch is not None and replica_batch.may_be_idle:
        against = tf.where(replica_batch.is_real, against, 0.0)
    return against


def refuse_branch(name: str, graph: Any) -> None:
    """Refuse to minimize where only a part of the step's graph is traced.

    Args:
        name: The optimizer's.
        graph: In which the step's trace began.

    Raises:
        ConfigurationError: It is another one than that of now.
    """
    if tf.compat.v1.get_default_graph() is not graph:
        raise ConfigurationError(
            f"training_step minimizes {name!r} inside tf.cond, tf.while_loop or a tf.function of "
            "its own, where replicas cannot exchange gradients: minimize in the step itself, "
            f"self.minimize({name!r}, loss_fn, when=condition), which updates only where the "
            "condition holds."
        )
