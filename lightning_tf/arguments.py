"""Arguments of the Trainer, each checked before any work starts."""

import difflib
import functools
import inspect
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ParamSpec

import keras

from lightning_tf.callback import Callback, CheckpointCallback
from lightning_tf.checks import checked_choice, checked_integer, is_integer, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import plain
from lightning_tf.lightning_names import TRAINER_SETS
from lightning_tf.logger import Logger
from lightning_tf.loops.limits import as_seconds, check_limit
from lightning_tf.loops.validation_schedule import ValidationSchedule
from lightning_tf.seed import MAX_SEED

log = logging.getLogger("lightning_tf")

P = ParamSpec("P")

CLIP_ALGORITHMS = ("norm", "value")
# The least that each may be.
OPTIONAL_COUNTS = {
    "max_epochs": 0,
    "max_steps": 0,
    "min_epochs": 0,
    "min_steps": 0,
    "check_val_every_n_epoch": 1,
}
REQUIRED_COUNTS = {
    "log_every_n_steps": 0,
    "accumulate_grad_batches": 1,
    "num_sanity_val_steps": -1,
    "fast_dev_run": 0,
}
# A string such as "False" or "auto" would be true.
SWITCHES = (
    "sync_batchnorm",
    "deterministic",
    "detect_anomaly",
    "run_eagerly",
    "barebones",
    "enable_checkpointing",
    "enable_progress_bar",
    "enable_model_summary",
)
# In seconds, the least that each may be; heartbeats are a few seconds apart.
DURATIONS = {"heartbeat_timeout": 10.0, "step_timeout": 0.0}
LIMITS = tuple(f"limit_{stage}_batches" for stage in ("train", "val", "test", "predict"))

# Arguments whose None is a choice of its own, not the default.
NONE_IS_A_CHOICE = ("logger", "check_val_every_n_epoch")
# What can be asked of a Trainer and not set, with the way that there is.
READ_ONLY = {
    "stop_reason": "call trainer.request_stop(reason)",
    "ckpt_path": "pass it to fit, validate, test or predict",
    "task": "pass it to fit, validate, test or predict",
}
CHECKED_TOGETHER = (
    "seed",
    "val_check_interval",
    "check_val_every_n_epoch",
    "gradient_clip_val",
    "gradient_clip_algorithm",
)
# What training reads where an epoch begins.
READ_BY_EPOCH = ("limit_train_batches", "overfit_batches")

# What a fit reads once, where it begins.
FIXED_IN_FIT = {
    "precision",
    "placement",
    "sync_batchnorm",
    "jit_compile",
    "run_eagerly",
    "deterministic",
    "seed",
    "detect_anomaly",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "limit_val_batches",
    "num_sanity_val_steps",
    "val_check_interval",
    "check_val_every_n_epoch",
    "fast_dev_run",
}


def as_here(name: str, value: Any, default: Any = None) -> Any:
    """Return an argument's value as it is written here, where Lightning has another spelling.

    There None means the default, -1 an unlimited number of updates, and 0 no clipping.

    Example:
        >>> as_here("max_steps", -1), as_here("limit_val_batches", None, 1.0)
        (None, 1.0)
    """
    if value is None and name not in NONE_IS_A_CHOICE:
        return default
    is_number = not isinstance(value, bool) and isinstance(value, (int, float))
    is_none = (name == "max_steps" and value == -1) or (name == "gradient_clip_val" and value == 0)
    return None if is_number and is_none else value


def spelled_as_here(init: Callable[P, None]) -> Callable[P, None]:
    """Have a constructor get its named arguments as they are written here; see `as_here`."""
    defaults = {p.name: p.default for p in inspect.signature(init).parameters.values()}

    @functools.wraps(init)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        named: Any = {name: as_here(name, v, defaults.get(name)) for name, v in kwargs.items()}
        init(*args, **named)

    return call


def refuse_beside_barebones(arguments: Mapping[str, Any]) -> None:
    """Refuse what barebones=True leaves out.

    Args:
        arguments: Of the Trainer, by name.

    Raises:
        ConfigurationError: One of them asks for it.
    """
    asked = [name for name in ("callbacks", "profiler") if arguments[name]]
    asked += [name for name in ("logger",) if arguments[name] not in (True, False, None)]
    asked += [name for name in ("fast_dev_run", "detect_anomaly") if arguments[name]]
    if asked:
        raise ConfigurationError(
            f"barebones=True with {asked[0]}={arguments[asked[0]]!r}: it leaves out all that is "
            "not training; leave one of them out."
        )


def check_jit_compile(jit_compile: Any, deterministic: bool, replicas: int) -> None:
    """Refuse what XLA cannot do.

    Args:
        jit_compile: True, False or ``auto``.
        deterministic: Whether operations must be.
        replicas: Of the placement.

    Raises:
        ConfigurationError: It is something else, or does not go with the others.
    """
    if not (isinstance(jit_compile, bool) or jit_compile in ("auto", 0, 1)):
        raise ConfigurationError(f"jit_compile is {jit_compile!r}; give True, False or 'auto'.")
    if jit_compile in ("auto", False):
        return
    if deterministic:
        raise ConfigurationError(
            "jit_compile=True with deterministic=True: XLA has no deterministic form of all "
            "operations; leave one of them out."
        )
    if replicas > 1:
        raise ConfigurationError(
            f"jit_compile=True with {replicas} replicas: XLA compiles for one device; leave it "
            "out, or pass devices=1."
        )


def refuse_beside_eager(jit_compile: bool | str, replicas: int) -> None:
    """Refuse what run_eagerly=True cannot do.

    Args:
        jit_compile: Whether XLA shall compile.
        replicas: Of the placement.

    Raises:
        ConfigurationError: One of them asks for a graph.
    """
    if jit_compile not in ("auto", False):
        raise ConfigurationError("run_eagerly=True with jit_compile=True: XLA compiles graphs.")
    if replicas > 1:
        raise ConfigurationError(
            f"run_eagerly=True with {replicas} replicas: it runs on one device; pass devices=1."
        )


def check_setting(trainer: Any, name: str, value: Any) -> Any:
    """Return a value for an attribute of a Trainer, checked as its argument is.

    Args:
        trainer: Which is made.
        name: Of the attribute.
        value: What somebody sets.

    Raises:
        ConfigurationError: It cannot be set, or not to this value, or not now.
    """
    descriptor = getattr(type(trainer), name, None)
    if isinstance(descriptor, property) and descriptor.fset is None:
        hint = f"; {READ_ONLY[name]}" if name in READ_ONLY else ""
        raise ConfigurationError(f"trainer.{name} can be read only, and is set to {value!r}{hint}.")

    switches = [switch for switch in SWITCHES if hasattr(trainer, switch)]
    checked = (*LIMITS, "overfit_batches", *OPTIONAL_COUNTS, *REQUIRED_COUNTS, *switches)
    if name in checked:
        value = as_here(name, value)
        current = {other: getattr(trainer, other) for other in (*checked, *CHECKED_TOGETHER)}
        check({**current, name: value})

    if trainer.state.is_fitting:
        _check_in_fit(trainer, name, value)
    return value


def _check_in_fit(trainer: Any, name: str, value: Any) -> None:
    if name not in FIXED_IN_FIT | set(READ_BY_EPOCH):
        return
    was = getattr(trainer, name)
    if (type(value), value) == (type(was), was):  # 1 is a batch, 1.0 is an epoch
        return
    if name in FIXED_IN_FIT:
        raise ConfigurationError(
            f"trainer.{name} is set to {value!r} while a fit runs, which has read {was!r} where it "
            "began; pass it to the Trainer, or set it before fit."
        )
    if trainer.status.in_epoch:
        log.warning(
            "trainer.%s is set to %r inside epoch %d and holds from the next one on.",
            name,
            value,
            trainer.current_epoch,
        )


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
        raise ConfigurationError(
            "limit_train_batches=0 leaves nothing to train on; call validate or test alone."
        )

    for name, least in OPTIONAL_COUNTS.items():
        endless = name == "max_epochs" and arguments[name] == -1
        is_list = name == "check_val_every_n_epoch" and isinstance(arguments[name], list)
        if arguments[name] is not None and not endless and not is_list:
            checked_integer(name, arguments[name], least)
    for name, least in REQUIRED_COUNTS.items():
        if name != "fast_dev_run" or not isinstance(arguments[name], bool):
            checked_integer(name, arguments[name], least)
    if arguments["seed"] is not None:
        checked_integer("seed", arguments["seed"], least=0, most=MAX_SEED)

    # Made once more by fit, with the length of the data; here it only refuses.
    ValidationSchedule(arguments["val_check_interval"], arguments["check_val_every_n_epoch"])
    _check_clipping(arguments["gradient_clip_val"], arguments["gradient_clip_algorithm"])
    _check_durations(arguments)
    for name in arguments.keys() & set(SWITCHES):
        value = arguments[name]
        if not (isinstance(value, bool) or (is_integer(value) and value in (0, 1))):
            raise ConfigurationError(f"{name} is {value!r}; give True or False.")


def _check_durations(arguments: Mapping[str, Any]) -> None:
    for name, least in DURATIONS.items():
        duration = arguments.get(name)
        is_one = isinstance(duration, timedelta) or is_number(duration)
        if duration is not None and not (is_one and least <= as_seconds(duration) < math.inf):
            raise ConfigurationError(
                f"{name} is {duration!r}; give seconds, {least:g} or more, or a timedelta."
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
