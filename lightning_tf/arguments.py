"""Arguments of the Trainer, each checked before any work starts."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from lightning_tf.callback import Callback, CheckpointCallback
from lightning_tf.checks import checked_choice, checked_integer, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import plain
from lightning_tf.lightning_names import TRAINER_SETS
from lightning_tf.logger import Logger
from lightning_tf.loops.limits import check_limit
from lightning_tf.loops.validation_schedule import ValidationSchedule
from lightning_tf.seed import MAX_SEED

CLIP_ALGORITHMS = ("norm", "value")
# The least that each may be.
OPTIONAL_COUNTS = {
    "max_epochs": 0,
    "max_steps": 0,
    "min_epochs": 1,
    "min_steps": 1,
    "check_val_every_n_epoch": 1,
}
REQUIRED_COUNTS = {
    "log_every_n_steps": 1,
    "accumulate_grad_batches": 1,
    "num_sanity_val_steps": -1,
    "fast_dev_run": 0,
}
LIMITS = tuple(f"limit_{stage}_batches" for stage in ("train", "val", "test", "predict"))

# What a fit reads once, where it begins.
FIXED_IN_FIT = {
    "precision",
    "placement",
    "sync_batchnorm",
    "jit_compile",
    "deterministic",
    "seed",
    "detect_anomaly",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "limit_val_batches",
    "num_sanity_val_steps",
    "val_check_interval",
    "check_val_every_n_epoch",
}


def check(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that cannot work.

    Args:
        arguments: The Trainer's, by name.

    Raises:
        ConfigurationError: Names the argument, the value, and what to give.
    """
    for name in (*LIMITS, "overfit_batches"):
        check_limit(name, arguments[name])
    if arguments["limit_train_batches"] == 0:
        raise ConfigurationError("limit_train_batches=0 leaves nothing to train on.")

    for name, least in OPTIONAL_COUNTS.items():
        if arguments[name] is not None:
            checked_integer(name, arguments[name], least)
    for name, least in REQUIRED_COUNTS.items():
        if name != "fast_dev_run" or not isinstance(arguments[name], bool):
            checked_integer(name, arguments[name], least)
    if arguments["seed"] is not None:
        checked_integer("seed", arguments["seed"], least=0, most=MAX_SEED)

    # Made once more by fit, with the length of the data; here it only refuses.
    ValidationSchedule(arguments["val_check_interval"], arguments["check_val_every_n_epoch"])
    _check_clipping(arguments["gradient_clip_val"], arguments["gradient_clip_algorithm"])
    # A string such as "False" would be true.
    if not isinstance(arguments["sync_batchnorm"], bool):
        raise ConfigurationError(
            f"sync_batchnorm is {arguments['sync_batchnorm']!r}; give True or False."
        )


def _check_clipping(limit: Any, algorithm: str) -> None:
    checked_choice("gradient_clip_algorithm", algorithm, CLIP_ALGORITHMS)
    if limit is not None and not (is_number(limit) and limit > 0):
        raise ConfigurationError(f"gradient_clip_val is {limit!r}; give a number above 0, or None.")


def callback_list(callbacks: Any, adapt: Callable[[Any], Callback]) -> list[Callback]:
    """Return the callbacks of the Trainer's argument.

    Args:
        callbacks: One or several, or None.
        adapt: Makes a Callback of a keras.callbacks.Callback.

    Raises:
        ConfigurationError: Something in it is no callback.
    """
    if callbacks is None:
        return []

    adapted = [
        adapt(callback) if isinstance(callback, keras.callbacks.Callback) else callback
        for callback in _as_list(callbacks)
    ]
    for callback in adapted:
        if not isinstance(callback, Callback):
            raise ConfigurationError(
                f"callbacks has {callback!r}; give lightning_tf.Callback or "
                "keras.callbacks.Callback objects."
            )
    return adapted


def refuse_checkpoint_callbacks(callbacks: Sequence[Callback]) -> None:
    """Refuse a checkpoint callback beside ``enable_checkpointing=False``.

    Raises:
        ConfigurationError: There is one.
    """
    for callback in callbacks:
        if isinstance(callback, CheckpointCallback):
            raise ConfigurationError(
                f"enable_checkpointing=False with {type(callback).__name__} in callbacks; drop one."
            )


def logger_list(logger: Any, default: Callable[[], Logger]) -> list[Logger]:
    """Return the loggers of the Trainer's argument.

    Args:
        logger: True for the default one, False or None for none, or one Logger or several.
        default: Makes the default one.

    Raises:
        ConfigurationError: Something in it is no Logger.
    """
    if logger is True:
        return [default()]
    if logger is None or logger is False:
        return []

    loggers = _as_list(logger)
    for item in loggers:
        if not isinstance(item, Logger):
            raise ConfigurationError(
                f"logger has {item!r}; give True, False, or lightning_tf.Logger objects."
            )
    return loggers


def refuse_unread(trainer: Any, name: str, value: Any) -> None:
    """Refuse an attribute that somebody sets on a Trainer and nobody would read.

    Args:
        trainer: Any Trainer.
        name: Of the attribute.
        value: For the message.

    Raises:
        ConfigurationError: Lightning's Trainer has it, or it is nearly one that there is.
    """
    settable = vars(trainer)
    if name in TRAINER_SETS:
        raise ConfigurationError(
            f"trainer.{name} = {value!r}: nothing reads it; {TRAINER_SETS[name]}."
        )
    if name in settable or name.startswith("_") or hasattr(type(trainer), name):
        return
    made = "prog_bar_metrics" in settable  # the last of those that the Trainer sets itself
    close = difflib.get_close_matches(name, settable, n=1, cutoff=0.88) if made else []
    if close:
        raise ConfigurationError(
            f"trainer.{name} = {value!r}: nothing reads it. Did you mean {close[0]!r}? An "
            "attribute of your own needs a name that is less alike."
        )


def settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as plain data, for loggers and checkpoints."""
    return {name: plain(value) for name, value in arguments.items()}


def _as_list(argument: Any) -> list[Any]:
    several = isinstance(argument, Sequence) and not isinstance(argument, str)
    return list(argument) if several else [argument]
