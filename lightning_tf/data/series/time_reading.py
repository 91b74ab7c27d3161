"""TimeReading: how a column of times is read, found out once and the same ever after."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_tf.data.series.date_order import find_order
from lightning_tf.data.series.time_texts import (
    NUMBER,
    QUARTER,
    WEEK,
    decimal,
    format_of_integers,
    guessed_format,
    parse,
    show,
    without_arrow,
    zone_name,
    zone_of,
)
from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeReading:
    """How the times of a table are read; plain data, so that a checkpoint can hold it.

    - Datetimes and periods are what they are; a period is its beginning.
    - Integers and floats stay numbers, but for integers that all are dates as YYYYMMDD.
    - Texts: ISO 8601, quarters (``2020Q1``), ISO weeks (``2020-W05``), numbers (also with a decimal
      comma), and the formats that pandas finds out. Where day and month could be exchanged,
      `find_order` decides.
    - Times with a zone are compared in UTC; without one they are as they stand.

    Attributes:
        name: Of the column.
        kind: ``date`` or ``number``.
        format: As of `pandas.to_datetime`, a unit of `UNITS`, ``quarter``, ``week``, or ``,`` for
            numbers with a decimal comma; None where the column's own type says it.
        zone: In which the times were given, None where they have none.

    Example:
        >>> import pandas as pd
        >>> days = pd.Series(["13.01.2020", "14.01.2020"], name="day")
        >>> reading = TimeReading.find(days)
        >>> reading.format, str(reading.read(days)[0])[:10]
        ('%d.%m.%Y', '2020-01-13')
    """

    name: str
    kind: str
    format: str | None = None
    zone: str | None = None

    @classmethod
    def find(cls, column: Any, time_format: str | None = None, series: Any = None) -> TimeReading:
        """Find out how a column is read.

        Args:
            column: A pandas Series.
            time_format: What the user says.
            series: The series of each row, where there are several.

        Raises:
            DataError: It can be read in two ways or in none; says what to write.
        """
        import pandas as pd

        column = without_arrow(column)
        name, dtype = str(column.name), column.dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            return cls(name, "date", None, zone_name(dtype.tz))
        if dtype.kind == "M" or isinstance(dtype, pd.PeriodDtype):
            return cls(name, "date")
        if dtype.kind == "m":
            return cls(name, "number", "timedelta")
        if pd.api.types.is_bool_dtype(dtype):
            raise DataError(f"{name} holds truth values, no times; name another with time=.")

        if pd.api.types.is_numeric_dtype(dtype):
            time_format = time_format or format_of_integers(column)
            return cls(name, "date" if time_format else "number", time_format)
        texts = column.dropna().astype(str).str.strip()
        if not len(texts):
            raise DataError(f"{name} holds no times; name another with time=.")
        if time_format is None:
            return cls._of_texts(name, texts, series)
        return cls(name, "date", time_format, zone_of(texts, time_format))

    @classmethod
    def _of_texts(cls, name: str, texts: Any, series: Any) -> TimeReading:
        import pandas as pd

        first = texts.iloc[0]
        if QUARTER.fullmatch(first):
            return cls(name, "date", "quarter")
        if WEEK.fullmatch(first):
            return cls(name, "date", "week")
        if NUMBER.fullmatch(first) and not re.fullmatch(r"\d{4}", first):
            comma = decimal(name, texts)
            date = None if comma else format_of_integers(pd.to_numeric(texts, errors="coerce"))
            return cls(name, "date" if date else "number", date or comma)

        format = find_order(name, texts, series) or guessed_format(first)
        if format is None or not re.search("%Y|%y|%G|ISO", format):
            raise DataError(
                f"{name} begins with {first!r}, which names no date with a year in a known way; "
                "give its format, such as time_format='%d.%m.%Y %H:%M'."
            )
        if "%y" in format:
            _log.info("%s: two-digit years are read as 1969 to 2068.", name)
        return cls(name, "date", format, zone_of(texts, format))

    def read(self, column: Any) -> Any:
        """Return the times of a column: a pandas Series of datetimes without zone, or of numbers.

        Args:
            column: A pandas Series whose index numbers the rows, for messages.

        Raises:
            DataError: Names the first row that is missing or cannot be read.
        """
        import pandas as pd

        column = without_arrow(column)
        times = self._numbers(column) if self.kind == "number" else self._dates(column)
        bad = np.flatnonzero(~np.isfinite(times) if self.kind == "number" else pd.isna(times))
        if len(bad):
            raise DataError(
                f"{column.name} of row {column.index[bad[0]]} is {show(column, bad[0])}, no time "
                f"that can be read with time_format={self.format!r}; correct it or give its "
                "format."
            )
        return pd.Series(times, index=column.index, name=column.name)

    def _numbers(self, column: Any) -> Any:
        import pandas as pd

        if column.dtype.kind == "m":
            return column.dt.total_seconds().to_numpy()
        if self.format == ",":
            column = column.astype(str).str.replace(",", ".")
        elif column.dtype.kind in "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
            raise DataError(f"{column.name} holds datetimes; the data it belongs to have numbers.")
        numbers = pd.to_numeric(column, errors="coerce")
        if pd.api.types.is_integer_dtype(numbers) and not numbers.hasnans:
            return numbers.to_numpy(np.int64)
        return numbers.to_numpy(np.float64, na_value=np.nan)

    def _dates(self, column: Any) -> Any:
        """Return datetimes in UTC, or as they stand where no zone is known; NaT for others."""
        import pandas as pd

        if isinstance(column.dtype, pd.PeriodDtype):
            times = column.dt.to_timestamp()
        elif column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
            times = column
        elif self.format is None and not pd.api.types.is_numeric_dtype(column):
            # The fit had datetimes, this table has texts, such as of a file: found out anew.
            found = TimeReading.find(column)
            times = parse(column, found.format, found.zone)
        else:
            times = parse(column, self.format, self.zone)

        has_zone = isinstance(times.dtype, pd.DatetimeTZDtype)
        if has_zone != (self.zone is not None):
            mine = f"in {self.zone}" if self.zone else "without a time zone"
            remedy = "tz_localize" if self.zone else "tz_convert, then tz_localize(None),"
            raise DataError(
                f"{column.name} has times {'with' if has_zone else 'without'} a time zone, and "
                f"those it belongs to are {mine}; {remedy} makes them alike."
            )
        if has_zone:
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        return times.to_numpy()

    def read_one(self, what: str, value: Any) -> Any:
        """Return one time that a user wrote, such as ``test_from``; NumPy's type of the column.

        Dates may be written as in the column or by ISO 8601. One without a zone is in the
        column's.

        Raises:
            ValueError: It is none.
        """
        import pandas as pd

        if self.kind == "number":
            delta = self.format == "timedelta" and not isinstance(value, (int, float))
            return pd.Timedelta(value).total_seconds() if delta else float(value)

        texts = pd.Series([value], name=what)
        time = None
        if isinstance(value, str) or not hasattr(value, "year"):
            # As the column is written, unless it plainly is by ISO 8601.
            iso = isinstance(value, str) and re.match(r"\d{4}-\d{2}", value)
            if not iso and self.format is not None:
                parsed = parse(texts, self.format, None)
                time = None if parsed.isna().iloc[0] else parsed.iloc[0]
            if time is None and not isinstance(value, (str, np.datetime64)):
                raise ValueError(f"a {type(value).__name__} is no date here")
        time = pd.Timestamp(value) if time is None else time
        if pd.isna(time):
            raise ValueError("it is missing")
        if time.tzinfo is None and self.zone is not None:
            time = time.tz_localize(self.zone)
        elif time.tzinfo is not None and self.zone is None:
            raise ValueError("it has a time zone, and the data's times have none")
        if time.tzinfo is not None:
            time = time.tz_convert("UTC").tz_localize(None)
        return time.to_datetime64()
