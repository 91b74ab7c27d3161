"""The methods of StyleTransfer by name, and which arguments belong to which."""

import inspect
from collections.abc import Mapping
from typing import Any

from lightning_tf.checks import check_known
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import plain
from lightning_tf.tasks.style_transfer.colors import COLORS
from lightning_tf.tasks.style_transfer.fast_style import FastStyle
from lightning_tf.tasks.style_transfer.hub_style import HubStyle
from lightning_tf.tasks.style_transfer.optimized_style import OptimizedStyle
from lightning_tf.tasks.style_transfer.style_method import StyleMethod

METHODS: dict[str, type[StyleMethod]] = {
    method.name: method for method in (OptimizedStyle, FastStyle, HubStyle)
}
TRAINED = tuple(name for name, method in METHODS.items() if method.trains)
# An argument that is not here goes with every method.
METHODS_OF_ARGUMENT = {
    **dict.fromkeys(("start", "steps_per_epoch"), ("optimize",)),
    **dict.fromkeys(("batch_size", "val_fraction", "filters", "residual_blocks"), ("fast",)),
    **dict.fromkeys(("network", "weights", "pooling", "content_layers", "style_layers"), TRAINED),
    **dict.fromkeys(("content_weight", "style_weight", "tv_weight", "style_weights"), TRAINED),
    **dict.fromkeys(("optimizer", "learning_rate", "schedule", "progress_every"), TRAINED),
    "hub": ("hub",),
}


def check_method(method: Any, colors: Any, arguments: Mapping[str, Any], constructor: Any) -> None:
    """Refuse unknown names, and arguments that would do nothing with a method.

    Args:
        method: What was asked for.
        colors: What was asked for.
        arguments: Every argument by name, as plain data.
        constructor: Its defaults; an argument that equals its default counts as left out.

    Raises:
        ConfigurationError: A name is unknown, or an argument belongs to another method.
    """
    check_known(f"method={method!r}", method, METHODS)
    check_known(f"colors={colors!r}", colors, COLORS)

    parameters = inspect.signature(constructor).parameters
    for name, methods in METHODS_OF_ARGUMENT.items():
        if method not in methods and arguments[name] != plain(parameters[name].default):
            raise ConfigurationError(
                f"{name}={arguments[name]!r} is for method={' or '.join(map(repr, methods))}; "
                f"leave it out with method={method!r}."
            )
