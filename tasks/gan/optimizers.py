"""adversarial_optimizers: the optimizer settings of a generator and of its discriminator."""

from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.optimizers import is_named

DEFAULT_RATE = 2e-4


def adversarial_optimizers(
    optimizer: Any, learning_rate: Any, penalized: bool
) -> tuple[OptimizerSettings, OptimizerSettings]:
    """Return the settings of the generator's and of the discriminator's optimizer.

    Args:
        optimizer: A name, a pair of name and options or a configuration; None is adam with
            ``beta_1=0.5`` (Radford et al. 2016), or ``beta_1=0, beta_2=0.9`` (Gulrajani et al.
            2017).
        learning_rate: Of both, or a pair; two rates are those of Heusel et al. 2017.
        penalized: Whether there is a gradient penalty.

    Raises:
        ConfigurationError: It is one optimizer object, a name is unknown, or a number is out of
            range.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        raise ConfigurationError(
            f"optimizer is one {type(optimizer).__name__}, but a GAN needs two; give a name, a "
            "pair of name and options, or a configuration."
        )

    if optimizer is None:
        betas = {"beta_1": 0.0, "beta_2": 0.9} if penalized else {"beta_1": 0.5}
        optimizer = ("adam", betas)
        learning_rate = DEFAULT_RATE if learning_rate is None else learning_rate
    rates = learning_rate if isinstance(learning_rate, (tuple, list)) else [learning_rate] * 2
    if len(rates) != 2:
        raise ConfigurationError(
            f"learning_rate={learning_rate!r}; give one number or (generator, discriminator)."
        )

    # A rate that falls to 0 would have to know how long two networks go on against each other.
    schedule = "constant" if is_named(optimizer) else None
    generator, discriminator = (OptimizerSettings(optimizer, rate, schedule) for rate in rates)
    return generator, discriminator
