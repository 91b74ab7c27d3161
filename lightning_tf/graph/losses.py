"""Losses as a step gives them: what is accepted, and the names that they are logged under."""

from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError


def scalar_loss(loss: Any, where: str) -> tf.Tensor:
    """Return a loss as a float32 scalar.

    Args:
        loss: What a step gave.
        where: What gave it, for the message.

    Raises:
        ConfigurationError: It is no scalar.
    """
    loss = tf.convert_to_tensor(loss)
    if loss.shape.rank != 0:
        raise ConfigurationError(
            f"{where} gave a loss of shape {loss.shape}; give a scalar, the mean over the batch."
        )
    return tf.cast(loss, tf.float32)  # (): sums over batches lose too much in half precision


def name_losses(losses: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return losses by the names that users see: ``loss``, or ``generator_loss`` and so on."""
    return {f"{name}_loss" if name else "loss": loss for name, loss in losses.items()}
