"""Losses as a step gives them: what is accepted, and the names that they are logged under."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.step_context import scalar_tensor

LOSS = "loss"  # the key of the loss, where a step of evaluation returns more beside it


def scalar_loss(loss: Any, where: str) -> tf.Tensor:
    """Return a loss as a float32 scalar.

    Args:
        loss: What a step gave.
        where: What gave it, for the message.

    Raises:
        ConfigurationError: It is no scalar.
    """
    return scalar_tensor(loss, f"{where} gave a loss that is", "a scalar, the mean over the batch")


def refuse_loss_key(losses: Mapping[str, Any], where: str) -> None:
    """Refuse a dict that is no dict of losses by optimizer, but one as Lightning takes it.

    Raises:
        ConfigurationError: A key is called ``loss``, or ends so.
    """
    for name in losses:
        if str(name) == "loss" or str(name).endswith("_loss"):
            raise ConfigurationError(
                f"{where} returned a dict with the key {name!r}, which would be logged as "
                f"'{name}_loss'; return the loss itself, losses by the optimizers' names, or "
                "nothing, and give values to self.log(name, value)."
            )


def name_losses(losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return losses by the names that users see: ``loss``, or ``generator_loss`` and so on."""
    return {f"{name}_loss" if name else "loss": loss for name, loss in losses.items()}
