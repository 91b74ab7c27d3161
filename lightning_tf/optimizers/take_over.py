"""take_over: a Keras optimizer without what the Trainer does itself."""

import logging
from typing import Any

import keras

from lightning_tf.distribute.variable_placement import move_optimizer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.extension_points import refuse_bypassed, refuse_own_loss_scale
from lightning_tf.optimizers.optimizer_record import configuration_of

log = logging.getLogger("lightning_tf")


def take_over(optimizer: Any) -> tuple[Any, Clipping | None, int]:
    """Take clipping, loss scale and accumulation off a Keras optimizer.

    Returns:
        The optimizer, the clipping that it brought, and how many batches it would accumulate.

    Raises:
        ConfigurationError: It is no Keras optimizer, or overrides what a run would not call.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        refuse_own_loss_scale(optimizer)
        log.info("LossScaleOptimizer: its inner optimizer is used; the Trainer scales the loss.")
        optimizer = optimizer.inner_optimizer

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ConfigurationError(
            f"configure_optimizers gave {optimizer!r}; return keras optimizers, one or a dict of "
            "them by attribute name. A schedule is an optimizer's learning_rate, or stands beside "
            "it: {'optimizer': optimizer, 'lr_scheduler': schedule}."
        )
    refuse_bypassed(optimizer)
    move_optimizer(optimizer)  # what another strategy's scope holds cannot be read here
    configuration_of(optimizer)  # before anything is taken off it

    clipping = None
    for attribute, algorithm in (
        ("global_clipnorm", "norm"),
        ("clipnorm", "variable_norm"),
        ("clipvalue", "value"),
    ):
        limit = getattr(optimizer, attribute, None)
        if limit is not None:
            clipping = Clipping(algorithm, float(limit))
            setattr(optimizer, attribute, None)
            log.info("%s=%s is applied by the Trainer, after the reduction.", attribute, limit)

    accumulation = int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)
    if accumulation > 1:
        optimizer.gradient_accumulation_steps = None
        log.info("gradient_accumulation_steps=%s is done by the Trainer.", accumulation)

    # By it Keras would divide gradients of a loss that it never multiplied.
    optimizer.loss_scale_factor = None
    return optimizer, clipping, accumulation
