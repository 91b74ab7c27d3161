"""OptimizerConfiguration: one optimizer and how it is run, in Lightning's words and three more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from lightning_tf.checks import checked_choice, checked_integer, describe, is_number
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import learning_rate_of
from lightning_tf.optimizers.interval_schedule import EpochSchedule, StepSchedule

SCHEDULER = ("scheduler", "interval", "frequency")
KEYS = (
    "optimizer",
    "lr_scheduler",
    "interval",
    "frequency",
    "attributes",
    "every",
    "learning_rates",
)
PLATEAU = (
    "a rate that follows a metric is a callback: Trainer(callbacks=[ReduceLROnPlateau('val_loss')])"
)
ELSEWHERE = {
    "monitor": PLATEAU,
    "reduce_on_plateau": PLATEAU,
    "strict": PLATEAU,
    "name": "LearningRateMonitor calls a rate by its optimizer's name",
    "scheduler": "lr_scheduler",
    "lr": "the optimizer's learning_rate",
}


@dataclass(frozen=True)
class OptimizerConfiguration:
    """One optimizer and how it is run.

    Attributes:
        optimizer: A Keras optimizer, with the scheduler as its learning rate.
        attributes: Of the task, whose variables it trains; None is the one of its name.
        every: It updates at every so-manieth update of the run.
        learning_rates: Factors of the rate, by path or regular expression.
    """

    optimizer: Any
    attributes: Sequence[str] | None = None
    every: int = 1
    learning_rates: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any, where: str) -> OptimizerConfiguration:
        """Read one optimizer, alone or in a dict.

        Args:
            given: An optimizer, or a dict with ``optimizer`` and other keys.
            where: Names it, for messages.

        Raises:
            ConfigurationError: A key is unknown, or its value is.
        """
        if not isinstance(given, Mapping):
            return cls(given)

        refuse_unknown_keys(where, given, KEYS)
        if "optimizer" not in given:
            raise ConfigurationError(f"{where} has no key 'optimizer'; give a Keras optimizer.")
        optimizer = given["optimizer"]
        scheduler = given.get("lr_scheduler")
        if scheduler is not None:
            _take_scheduler(optimizer, _scheduler(where, given))
        elif idle := [key for key in ("interval", "frequency") if key in given]:
            raise ConfigurationError(f"{where}: {idle[0]} is of lr_scheduler, and there is none.")

        return cls(
            optimizer,
            _attributes(where, given.get("attributes")),
            checked_integer(f"{where}: every", given.get("every", 1), least=1),
            _factors(where, given.get("learning_rates", {})),
        )


def is_configuration(given: Any, attributes: Callable[[str], bool]) -> bool:
    """Return whether a dict is of one optimizer, and not of several by name.

    Args:
        given: What `configure_optimizers` returned.
        attributes: Whether the task has an attribute of a name.
    """
    return isinstance(given, Mapping) and any(
        key in given and not attributes(key) for key in (*KEYS, *ELSEWHERE)
    )


def optimizers_of(configured: Any) -> dict[str, Any]:
    """Return the optimizers in what `configure_optimizers` returned, by name, unchecked.

    Args:
        configured: An optimizer, a dict of it and how it is run, or a dict of either by name; None
            has none.
    """
    if configured is None:
        return {}
    one = not isinstance(configured, Mapping) or "optimizer" in configured
    named = {"": configured} if one else configured
    return {
        n: given["optimizer"] if isinstance(given, Mapping) else given for n, given in named.items()
    }


def refuse_unknown_keys(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse a key that is not known, with what to write instead.

    Raises:
        ConfigurationError: There is one.
    """
    for key in given:
        if key not in known:
            hint = f" Instead: {ELSEWHERE[key]}." if key in ELSEWHERE else nearest(str(key), known)
            raise ConfigurationError(f"{where} has the key {key!r}, which is unknown.{hint}")


def _scheduler(where: str, given: Mapping[str, Any]) -> StepSchedule | EpochSchedule:
    words = {key: given[key] for key in ("interval", "frequency") if key in given}
    scheduler = given["lr_scheduler"]
    if isinstance(scheduler, Mapping):
        refuse_unknown_keys(f"{where}: lr_scheduler", scheduler, SCHEDULER)
        if twice := [key for key in words if key in scheduler]:
            raise ConfigurationError(f"{where} has {twice[0]} twice; give it once.")
        words |= {key: value for key, value in scheduler.items() if key != "scheduler"}
        scheduler = scheduler.get("scheduler")

    if not callable(scheduler):
        raise ConfigurationError(
            f"{where}: lr_scheduler is {describe(scheduler)}; give a keras LearningRateSchedule, "
            "or a function of the epoch (of the update with interval='step') that returns the rate."
        )
    interval = words.get("interval", "epoch")
    checked_choice(f"{where}: interval", interval, ("epoch", "step"))
    frequency = checked_integer(f"{where}: frequency", words.get("frequency", 1), least=1)
    return (EpochSchedule if interval == "epoch" else StepSchedule)(scheduler, frequency)


def _take_scheduler(optimizer: Any, schedule: StepSchedule | EpochSchedule) -> None:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return  # refused with all that is no optimizer
    was = learning_rate_of(optimizer)
    is_own = isinstance(was, (StepSchedule, EpochSchedule))  # of an earlier fit
    if not isinstance(was, keras.Variable) and not is_own:
        raise ConfigurationError(
            f"the optimizer {type(optimizer).__name__} has the learning rate {describe(was)} and a "
            "lr_scheduler beside it; leave one of them out."
        )
    optimizer.learning_rate = schedule


def _attributes(where: str, given: Any) -> Sequence[str] | None:
    if given is None:
        return None
    is_list = isinstance(given, (list, tuple)) and given
    if not is_list or not all(isinstance(name, str) for name in given):
        raise ConfigurationError(
            f"{where}: attributes is {describe(given)}; give a list of the task's attributes, such "
            "as ['encoder', 'decoder']."
        )
    return tuple(given)


def _factors(where: str, given: Any) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"{where}: learning_rates is {describe(given)}; give a dict of factors by path or "
            "regular expression, such as {'backbone': 0.1}."
        )
    for pattern, factor in given.items():
        if not is_number(factor) or not 0.0 < float(factor) < float("inf"):
            raise ConfigurationError(
                f"{where}: learning_rates[{pattern!r}] is {describe(factor)}; give a positive "
                "factor. What shall not train is frozen: trainable = False."
            )
    return {str(pattern): float(factor) for pattern, factor in given.items()}
