"""SeriesSpec: what a forecasting task must know of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SeriesSpec:
    """The series and columns of the data, by name.

    Attributes:
        series: One or several; a single one is named "".
        targets: Columns to forecast.
        unknown: Features whose future is not known.
        known: Features whose future is known.
    """

    series: list[str]
    targets: list[str]
    unknown: list[str]
    known: list[str]

    @classmethod
    def of(cls, data: Any) -> SeriesSpec:
        """Return the spec of a `TimeSeries` that is set up."""
        store = data.store
        return cls(*map(list, (store.names, store.targets, store.unknown, store.known)))

    @property
    def channels(self) -> list[str]:
        """All columns of a window, in their order."""
        return [*self.targets, *self.unknown, *self.known]
