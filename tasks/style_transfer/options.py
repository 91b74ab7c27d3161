"""The methods of StyleTransfer: what each takes, and its usual layers, weights and sizes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.hyperparameters import plain
from lightning_tf.tasks.style_transfer.colors import COLORS

METHODS = ("optimize", "fast", "hub")
TRAINED = ("optimize", "fast")
OPTIONS_OF = {
    **dict.fromkeys(("start", "steps_per_epoch"), ("optimize",)),
    **dict.fromkeys(("batch_size", "val_fraction", "filters", "residual_blocks"), ("fast",)),
    **dict.fromkeys(("network", "weights", "pooling", "content_layers", "style_layers"), TRAINED),
    **dict.fromkeys(("content_weight", "style_weight", "tv_weight", "style_weights"), TRAINED),
    **dict.fromkeys(("optimizer", "learning_rate", "schedule", "progress_every"), TRAINED),
    "hub": ("hub",),
}
LAYERS = {
    "optimize": (["block4_conv2"], [f"block{block}_conv1" for block in range(1, 6)]),
    "fast": (["block2_conv2"], ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"]),
}
STYLE_WEIGHTS = {"optimize": 5.0, "fast": 2.0}
RATES = {"optimize": 0.02, "fast": 1e-3}
IMAGE_SIZES: dict[str, int | None] = {"optimize": 512, "fast": 256, "hub": None}
HUB_STYLE_SIZE = 256  # what the network of Ghiasi et al. was trained on


def check_method(method: Any, colors: Any, given: Mapping[str, Any], constructor: Any) -> None:
    """Refuse unknown names, and options that would do nothing with a method.

    Args:
        method: What was asked for.
        colors: What was asked for.
        given: Every argument by name, as plain data.
        constructor: Whose defaults count as not given.

    Raises:
        ConfigurationError: A name is unknown, or an option belongs to another method.
    """
    if method not in METHODS:
        raise ConfigurationError(f"method={method!r}.{nearest(method, METHODS)}")
    if colors not in COLORS:
        raise ConfigurationError(f"colors={colors!r}.{nearest(colors, COLORS)}")
    usual = inspect.signature(constructor).parameters
    for name, methods in OPTIONS_OF.items():
        if method not in methods and given[name] != plain(usual[name].default):
            raise ConfigurationError(
                f"{name}={given[name]!r} is for method={' or '.join(map(repr, methods))}; leave "
                f"it out with method={method!r}."
            )
