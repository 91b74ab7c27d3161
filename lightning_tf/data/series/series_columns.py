"""SeriesColumns: which columns of a table are what to a forecast."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_tf.checks import is_number
from lightning_tf.exceptions import ConfigurationError, nearest

MISSING = ("error", "ffill", "interpolate")


@dataclass(frozen=True)
class SeriesColumns:
    """Which columns of a table are what, and what may be done to them.

    A name may be an integer, as pandas numbers the columns of an array. Names of a DataFrame's
    index are names of columns too.

    Attributes:
        target: Columns to forecast; empty takes the only column of numbers that has no other role.
        time: The column of times; None takes an index of times, else the only column that reads as
            dates, else numbers the rows.
        series: The column that tells several series apart.
        known: Features that are known in the future too: holidays, prices to come.
        unknown: Features that are known up to now only: the weather.
        time_format: As of `pandas.to_datetime`, or ``s``, ``ms``, ``us``, ``ns`` for numbers since
            1970; None finds out, see `TimeReading`.
        frequency: What the times must follow, such as ``"W-SAT"`` or 1; None takes any ascending.
        sort: Whether rows may be put in order of time: True and False say so; None does it for the
            times of an index, whose rows have no order of their own.
        missing: ``error``, ``ffill`` (the value before), ``interpolate`` (a line in time between
            the neighbours, of which one lies in the future), or a number.

    Raises:
        ConfigurationError: `missing` is unknown, or a column has two roles.
    """

    target: Any = ()
    time: Any = None
    series: Any = None
    known: Any = ()
    unknown: Any = ()
    time_format: str | None = None
    frequency: Any = None
    sort: bool | None = None
    missing: str | float = "error"
    roles: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without a table."""
        if not _is_finite(self.missing) and self.missing not in MISSING:
            hint = nearest(self.missing, MISSING)
            raise ConfigurationError(f"missing={self.missing!r}: give a name or a number.{hint}")

        for role in ("target", "known", "unknown", "time", "series"):
            self.roles[role] = _names(getattr(self, role))
        for role in ("time", "series"):
            if len(self.roles[role]) > 1:
                raise ConfigurationError(f"{role}={getattr(self, role)!r}: name one column.")

        for role, names in self.roles.items():
            for other, others in self.roles.items():
                both = sorted(set(names) & set(others)) if role != other else _repeated(names)
                if both:
                    two = "has two roles" if role != other else f"stands in {role}= twice"
                    raise ConfigurationError(f"column {both[0]!r} {two}; give it one.")


def _names(role: Any) -> list[str]:
    """Return the names that an option holds: none, one, or several."""
    if role is None:
        return []
    several = isinstance(role, Sequence) and not isinstance(role, (str, bytes))
    return [str(name) for name in (role if several else [role])]


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)
