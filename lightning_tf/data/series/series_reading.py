"""SeriesReading: how the table of a fit was read, so that later tables are read alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lightning_tf.data.series.time_reading import TimeReading


@dataclass(frozen=True)
class SeriesReading:
    """How a table of series was read; plain data, so that a checkpoint can hold it.

    Attributes:
        time: Of the column of times; None where rows are numbered.
        series: The column that tells series apart; None for one series.
        frequency: What the times had to follow, as text or number; None for any.
        step: What they do follow, found out where `frequency` is None; None for irregular times.
        missing: As of `SeriesColumns`.
    """

    time: TimeReading | None = None
    series: str | None = None
    frequency: Any = None
    step: Any = None
    missing: str | float = "error"

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> SeriesReading:
        """Return the reading that `asdict` made plain."""
        time = None if state["time"] is None else TimeReading(**state["time"])
        return cls(**{**state, "time": time})

    def state(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return asdict(self)
