"""SeriesColumns: which columns of a table are what to a forecast."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_tf.checks import is_number
from lightning_tf.exceptions import ConfigurationError, nearest

MISSING = ("error", "ffill", "interpolate")


@dataclass(frozen=True)
class SeriesColumns:
    """Which columns of a table are what, and what may be done to them.

    Attributes:
        target: Columns to forecast; empty takes the only column of numbers that has no other role.
        time: The column of times; None numbers the rows.
        series: The column that tells several series apart.
        known: Features that are known in the future too: holidays, prices to come.
        unknown: Features that are known up to now only: the weather.
        time_format: As of `pandas.to_datetime`.
        frequency: What the times must follow, such as ``"W-SAT"`` or 1; None takes any ascending.
        sort: Whether rows may be put in order.
        missing: ``error``, ``ffill`` (the value before), ``interpolate`` (a line between the
            neighbours, of which one lies in the future), or a number.

    Raises:
        ConfigurationError: `missing` is unknown, or a column has two roles.
    """

    target: Sequence[str] = ()
    time: str | None = None
    series: str | None = None
    known: Sequence[str] = ()
    unknown: Sequence[str] = ()
    time_format: str | None = None
    frequency: Any = None
    sort: bool = False
    missing: str | float = "error"
    roles: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without a table."""
        if not is_number(self.missing) and self.missing not in MISSING:
            hint = nearest(self.missing, MISSING)
            raise ConfigurationError(f"missing={self.missing!r}: give a name or a number.{hint}")
        if self.frequency is not None and self.time is None:
            raise ConfigurationError(
                f"frequency={self.frequency!r} is of a time column; name it with time=."
            )

        for role in ("target", "known", "unknown", "time", "series"):
            names = getattr(self, role)
            self.roles[role] = [names] if isinstance(names, str) else list(names or ())

        every = [column for columns in self.roles.values() for column in columns]
        twice = sorted({column for column in every if every.count(column) > 1})
        if twice:
            raise ConfigurationError(f"column {twice[0]!r} has two roles; give it one.")
