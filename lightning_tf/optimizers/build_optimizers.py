"""build_optimizers: what a task's `configure_optimizers` returned, as named optimizers."""

from collections.abc import Mapping
from typing import Any

from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.named_optimizer import NamedOptimizer


def build_optimizers(
    task: Any,
    configured: Any,
    *,
    clipping: Clipping | None,
    accumulating: bool,
    scaling: bool,
    placement: Placement,
) -> dict[str, NamedOptimizer]:
    """Build what `configure_optimizers` returned, in the scope that is current.

    Args:
        task: The task; a key of the dict must be one of its attributes.
        configured: A Keras optimizer, or a dict of them by attribute name.
        clipping: The Trainer's clipping, or None for what the optimizers bring.
        accumulating: Whether windows of several batches make one update, in any epoch.
        scaling: Whether losses are scaled (mixed_float16).
        placement: Whether there are replicas.

    Raises:
        ConfigurationError: A key names no attribute, or a value is no Keras optimizer.
    """
    if not isinstance(configured, Mapping):
        configured = {"": configured}
    if not configured:
        raise ConfigurationError("configure_optimizers gave an empty dict; name an optimizer.")

    optimizers = {}
    for name, optimizer in configured.items():
        if name and not hasattr(task, name):
            attributes = [other for other in vars(task) if not other.startswith("_")]
            raise ConfigurationError(
                f"configure_optimizers names {name!r}, which is no attribute of "
                f"{type(task).__name__}.{nearest(name, attributes)} A key names what its optimizer "
                "trains; a schedule is an optimizer's learning_rate."
            )

        optimizers[name] = NamedOptimizer(
            name,
            optimizer,
            getattr(task, name) if name else task,
            clipping=clipping,
            accumulating=accumulating,
            scaling=scaling,
            placement=placement,
            may_rest=task.allows_frozen,
        )
    return optimizers
