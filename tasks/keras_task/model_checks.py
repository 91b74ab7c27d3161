"""What a model brings that fit would use: its compile, its own methods, limits of keras.config."""

import logging
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_compile_internals import compiled_losses, compiled_metrics

log = logging.getLogger("lightning_tf")

# What fit calls of a model and a Trainer does not.
OWN_STEPS = (
    *("train_step", "test_step", "get_metrics_result"),
    *("make_train_function", "make_test_function", "make_predict_function"),
)
# What limits fit, and the Trainer's argument for it.
CONFIG_LIMITS = {"max_epochs": "max_epochs", "max_steps_per_epoch": "limit_train_batches"}


def check_model(model: Any) -> None:
    """Refuse what is no keras.Model, or has a step of its own.

    Raises:
        ConfigurationError: Names the model and the method.
    """
    if not isinstance(model, keras.Model):
        raise ConfigurationError(f"model is a {type(model).__name__}; give a keras.Model.")
    check_own_steps(model)


def check_own_steps(model: keras.Model) -> None:
    """Refuse a model with methods of its own that fit calls and the Trainer would not.

    Raises:
        ConfigurationError: Names the model and the method.
    """
    for method in OWN_STEPS:
        if has_own(model, method):
            raise ConfigurationError(
                f"model {model.name!r} has a {method} of its own, which the Trainer would not "
                "call; write a Task with this training_step, and its metrics in configure_metrics."
            )
    if has_own(model, "reset_metrics"):
        log.warning(
            "model %r has a reset_metrics of its own, which is not called: all metrics of the "
            "model begin anew with each epoch and each evaluation.",
            model.name,
        )


def has_own(model: keras.Model, method: str) -> bool:
    """Return whether a model overrides a method, in its class or itself.

    Example:
        >>> has_own(keras.Sequential(), "compute_loss")
        False
    """
    # keras-hub's tasks and others derive from keras.Model; only what differs from it counts.
    is_own = getattr(type(model), method) is not getattr(keras.Model, method)
    return is_own or method in vars(model)


def compiled_arguments(model: Any) -> dict[str, Any]:
    """Return what a model was compiled with, by the names of `compile`."""
    if not model.compiled:
        return {}

    if model.run_eagerly:
        log.warning(
            "model %r is compiled with run_eagerly=True, which a Trainer does not read: pass "
            "Trainer(run_eagerly=True) to look into its steps.",
            model.name,
        )
    metrics, weighted_metrics = compiled_metrics(model)
    loss, loss_weights = compiled_losses(model)
    return {
        "loss": loss,
        "loss_weights": loss_weights,
        "optimizer": model.optimizer,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
    }


def refuse_config_limits() -> None:
    """Refuse limits of `keras.config`, which fit obeys and a Trainer does not read.

    Raises:
        ConfigurationError: Names the Trainer's argument.
    """
    for name, argument in CONFIG_LIMITS.items():
        limit = getattr(keras.config, name)()
        if limit is not None:
            raise ConfigurationError(
                f"keras.config.{name}() is {limit}, which limits fit and no Trainer: take it back "
                f"by keras.config.set_{name}(None), and give Trainer({argument}={limit})."
            )
