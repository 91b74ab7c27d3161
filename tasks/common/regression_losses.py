"""regression_loss: the error of numbers, of single values or of quantiles."""

from collections.abc import Sequence

import tensorflow as tf

from lightning_tf.checks import check_known, is_number
from lightning_tf.exceptions import ConfigurationError

LOSSES = ("mse", "mae", "huber")


def check_regression_loss(loss: str | None, quantiles: Sequence[float]) -> None:
    """Refuse an unknown loss, or quantiles that cannot be learnt.

    Raises:
        ConfigurationError: The loss is unknown or given with quantiles, or the quantiles are not
            in order inside (0, 1) with the median among them.
    """
    if quantiles and loss is not None:
        raise ConfigurationError(f"loss={loss!r}: quantiles are learnt by the pinball loss alone.")
    if loss is not None:
        check_known(f"loss {loss!r} is unknown", loss, LOSSES)

    outside = any(not is_number(q) or not 0 < q < 1 for q in quantiles)
    if outside or list(quantiles) != sorted(set(quantiles)):
        raise ConfigurationError(
            f"quantiles={tuple(quantiles)!r}: give numbers between 0 and 1 in ascending order, "
            "such as (0.1, 0.5, 0.9)."
        )
    if quantiles and 0.5 not in quantiles:
        raise ConfigurationError(
            f"quantiles={tuple(quantiles)!r} lack 0.5, the median, which is the point forecast."
        )


def regression_loss(
    target: tf.Tensor, outputs: tf.Tensor, loss: str, quantiles: Sequence[float] = ()
) -> tf.Tensor:
    """Return the mean loss over examples, steps, targets and quantiles.

    Args:
        target: Of shape (batch, horizon, targets), or (batch, targets).
        outputs: The same shape, with a last axis of quantiles where there are any.
        loss: One of `LOSSES`.
        quantiles: Learnt by the pinball loss (Koenker and Bassett 1978,
            https://doi.org/10.2307/1913643).

    Example:
        >>> low = regression_loss(tf.zeros((1, 1, 1)), tf.ones((1, 1, 1, 1)), "mse", [0.9])
        >>> round(float(low), 3)
        0.1
    """
    if quantiles:
        error = target[..., tf.newaxis] - outputs  # (batch, horizon, targets, quantiles)
        share = tf.constant(quantiles, tf.float32)  # (quantiles,)
        return tf.reduce_mean(tf.maximum(share * error, (share - 1.0) * error))

    error = tf.abs(target - outputs)
    if loss == "mae":
        return tf.reduce_mean(error)
    squared = tf.square(error)
    if loss == "huber":
        return tf.reduce_mean(tf.where(error < 1.0, 0.5 * squared, error - 0.5))
    return tf.reduce_mean(squared)
