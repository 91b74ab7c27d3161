"""Optimizers by name, with decoupled weight decay that spares biases and normalisation."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from lightning_tf.checks import is_number
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.common.schedules import LearningRate


class OptimizerChoice(NamedTuple):
    """One name: the Keras class, the rate it is used with, and its options.

    Attributes:
        make: A Keras optimizer class.
        learning_rate: The default.
        options: Keyword arguments.
    """

    make: Any
    learning_rate: float
    options: Mapping[str, Any] = MappingProxyType({})


OPTIMIZERS: dict[str, OptimizerChoice] = {
    "adam": OptimizerChoice(keras.optimizers.Adam, 1e-3),
    "adamw": OptimizerChoice(keras.optimizers.AdamW, 1e-3),
    "nadam": OptimizerChoice(keras.optimizers.Nadam, 1e-3),
    "adamax": OptimizerChoice(keras.optimizers.Adamax, 1e-3),
    "sgd": OptimizerChoice(keras.optimizers.SGD, 1e-2),
    "momentum": OptimizerChoice(keras.optimizers.SGD, 1e-2, {"momentum": 0.9}),
    "nesterov": OptimizerChoice(keras.optimizers.SGD, 1e-2, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": OptimizerChoice(keras.optimizers.RMSprop, 1e-3),
    "adagrad": OptimizerChoice(keras.optimizers.Adagrad, 1e-2),
    "adadelta": OptimizerChoice(keras.optimizers.Adadelta, 1.0),
    "adafactor": OptimizerChoice(keras.optimizers.Adafactor, 1e-2),
    "ftrl": OptimizerChoice(keras.optimizers.Ftrl, 1e-2),
    "lamb": OptimizerChoice(keras.optimizers.Lamb, 1e-3),
    "lion": OptimizerChoice(keras.optimizers.Lion, 1e-4),
}


def check_optimizer(
    optimizer: Any, learning_rate: float | None = None, weight_decay: float | None = None
) -> None:
    """Refuse what `build_optimizer` could not build, before any data are read.

    Args:
        optimizer: A name, a pair ``("momentum", {"momentum": 0.95})`` with Keras' options, a Keras
            optimizer, or a Keras configuration of one.
        learning_rate: Positive, or None for the name's default; only with a name.
        weight_decay: Not negative, or None for Keras' default; only with a name.

    Raises:
        ConfigurationError: A name or an option is unknown, a number is out of range, or an
            optimizer that brings its own numbers is given others.
    """
    for name, value, least in (
        ("learning_rate", learning_rate, "positive"),
        ("weight_decay", weight_decay, "not negative"),
    ):
        if value is None:
            continue
        if not is_number(value) or not value >= 0 or (least == "positive" and not value):
            raise ConfigurationError(f"{name}={value!r} must be a number and {least}.")

    if is_named(optimizer):
        # In a scratch graph: TensorFlow must not start before a Trainer has chosen the devices.
        with tf.Graph().as_default():
            rate = default_learning_rate(optimizer, learning_rate)
            build_optimizer(optimizer, rate, weight_decay)
        return

    if learning_rate is not None or weight_decay is not None:
        raise ConfigurationError(
            f"learning_rate={learning_rate} and weight_decay={weight_decay} go with an optimizer's "
            f"name; the given {type(optimizer).__name__} brings its own: set them there."
        )
    build_optimizer(optimizer)


def is_named(optimizer: Any) -> bool:
    """Return whether an optimizer is given by name, so that rate and weight decay go with it.

    Raises:
        ConfigurationError: The name is unknown, or the value is nothing that can be an optimizer.
    """
    if isinstance(optimizer, (keras.optimizers.Optimizer, Mapping)):
        return False
    name, _ = _pair(optimizer)
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise ConfigurationError(f"optimizer {optimizer!r} is unknown.{nearest(name, OPTIMIZERS)}")
    return True


def default_learning_rate(optimizer: Any, learning_rate: float | None) -> float:
    """Return the rate that was asked for, or the name's default."""
    return OPTIMIZERS[_pair(optimizer)[0]].learning_rate if learning_rate is None else learning_rate


def build_optimizer(
    optimizer: Any,
    learning_rate: LearningRate | None = None,
    weight_decay: float | None = None,
    undecayed: Sequence[Any] = (),
) -> keras.optimizers.Optimizer:
    """Make a Keras optimizer.

    Weight decay is decoupled (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019,
    https://arxiv.org/abs/1711.05101): every update takes ``learning_rate * weight_decay`` of a
    weight away, whatever the optimizer.

    Args:
        optimizer: As in `check_optimizer`.
        learning_rate: A rate or a schedule; only with a name.
        weight_decay: None is Keras' default: 0.004 for adamw, none for the others.
        undecayed: Variables that do not decay; only with a name.

    Returns:
        An unbuilt optimizer, or the given object.

    Raises:
        ConfigurationError: A name, an option or a configuration is unknown.

    Example:
        >>> build_optimizer("nesterov", 0.1, weight_decay=5e-4).nesterov
        True
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return optimizer

    try:
        if isinstance(optimizer, Mapping):
            built = keras.optimizers.deserialize(dict(optimizer))
            if not isinstance(built, keras.optimizers.Optimizer):
                raise ValueError("the class is unknown.")  # Keras returns its name
            return built
        name, options = _pair(optimizer)
        make, _, defaults = OPTIMIZERS[name]
        if weight_decay:
            options = {**options, "weight_decay": weight_decay}
        # The user's options come last: they may name a rate of their own.
        built = make(**{"learning_rate": learning_rate, **defaults, **options})
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"optimizer {optimizer!r}: Keras says {error}") from error

    if weight_decay == 0:
        built.weight_decay = None  # AdamW refuses None and would multiply every weight by 1 for 0
    if built.weight_decay and undecayed:
        built.exclude_from_weight_decay(var_list=list(undecayed))
    return built


def undecayed_variables(model: keras.Model) -> list[Any]:
    """Return biases and scales of normalisation: trainable variables of less than two axes."""
    return [variable for variable in model.trainable_variables if len(variable.shape) < 2]


def _pair(optimizer: Any) -> tuple[Any, dict[str, Any]]:
    """Return the name and the options that come with it."""
    if isinstance(optimizer, (list, tuple)) and len(optimizer) == 2:
        name, options = optimizer
        if isinstance(options, Mapping):
            return name, dict(options)
    return optimizer, {}
