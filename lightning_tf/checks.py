"""Checks of arguments: one wording for all of them."""

from collections.abc import Collection
from numbers import Integral
from typing import Any, TypeVar

from lightning_tf.exceptions import ConfigurationError, nearest

Choice = TypeVar("Choice")


def is_integer(value: Any, least: int | None = None) -> bool:
    """Return whether a value is an integer, NumPy's too, no bool, and at least `least`."""
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    return integer and (least is None or bool(value >= least))


def is_number(value: Any) -> bool:
    """Return whether a value is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_known(what: str, value: Any, known: Collection[Any]) -> None:
    """Refuse a value that is none of the known ones.

    Args:
        what: The message's beginning, such as ``start='nose'``; the nearest and all known follow.
        value: What the user wrote.
        known: The values that would have worked.

    Raises:
        ConfigurationError: It is none of them.
    """
    if value not in known:
        raise ConfigurationError(f"{what}.{nearest(value, known)}")


def checked_integer(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int in the range.

    Raises:
        ConfigurationError: It is none; names the argument and the value.
    """
    if not is_integer(value, least) or (most is not None and value > most):
        wanted = f"of at least {least}" if most is None else f"in {least}..{most}"
        raise ConfigurationError(f"{name} is {value!r}; give an integer {wanted}.")
    return int(value)


def checked_fraction(name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1).

    Raises:
        ConfigurationError: It is none; names the argument and the value.
    """
    if not is_number(value) or not 0.0 <= value < 1.0:
        raise ConfigurationError(f"{name} is {value!r}; give a number in [0, 1).")
    return float(value)


def checked_choice(name: str, value: Choice, choices: Collection[Any]) -> Choice:
    """Return `value`, one of `choices`.

    Raises:
        ConfigurationError: It is none; names the argument, the value and the nearest choice.
    """
    check_known(f"{name} is {value!r}", value, choices)
    return value
