"""build_optimizers: what a task's `configure_optimizers` returned, as named optimizers."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.optimizers.optimizer_configuration import (
    OptimizerConfiguration,
    is_configuration,
)
from lightning_tf.optimizers.variable_rates import VariableRates
from lightning_tf.variables import components, optimizable_variables


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
        configured: A Keras optimizer, a dict of it and how it is run (`OptimizerConfiguration`), or
            a dict of either by name.
        clipping: The Trainer's clipping, or None for what the optimizers bring.
        accumulating: Whether windows of several batches make one update, in any epoch.
        scaling: Whether losses are scaled (mixed_float16).
        placement: Whether there are replicas.

    Raises:
        ConfigurationError: A key names no attribute, or a value is no Keras optimizer.
    """
    is_one = is_configuration(configured, lambda name: _trains(task, name))
    if is_one or not isinstance(configured, Mapping):
        configured = {"": configured}
    if not configured:
        raise ConfigurationError("configure_optimizers gave an empty dict; name an optimizer.")

    optimizers = {}
    for name, given in configured.items():
        where = f"configure_optimizers: {name!r}" if name else "configure_optimizers"
        configuration = OptimizerConfiguration.of(given, where)
        owner = _owner(task, name, configuration.attributes)
        rates = VariableRates.matched(
            configuration.learning_rates, task, optimizable_variables(owner), where
        )
        optimizers[name] = NamedOptimizer(
            name,
            configuration.optimizer,
            owner,
            clipping=clipping,
            accumulating=accumulating,
            scaling=scaling,
            placement=placement,
            may_rest=task.allows_frozen,
            every=configuration.every,
            rates=rates,
        )
    return optimizers


def _trains(task: Any, name: str) -> bool:
    """Return whether an attribute has weights: one that is called ``optimizer`` seldom has."""
    part = getattr(task, name, None)
    if not hasattr(part, "__dict__") and not isinstance(part, (list, tuple, dict)):
        return False
    return not isinstance(part, keras.optimizers.Optimizer) and bool(optimizable_variables(part))


def _owner(task: Any, name: str, attributes: Sequence[str] | None) -> Any:
    """Return what an optimizer trains: the task, its attribute, or several of them."""
    if attributes is None and not name:
        return task
    for attribute in [name] if attributes is None else attributes:
        if not hasattr(task, attribute):
            known = {path.split(".")[0] for path, _ in components(task)}
            raise ConfigurationError(
                f"configure_optimizers names {attribute!r}, which is no attribute of "
                f"{type(task).__name__}.{nearest(attribute, known)} A key names what its optimizer "
                "trains, or 'attributes' beside 'optimizer' does; a schedule is an optimizer's "
                "learning_rate, or 'lr_scheduler'."
            )
    if attributes is None:
        return getattr(task, name)
    return [getattr(task, attribute) for attribute in attributes]
