"""find_order: whether day or month comes first in dates of three numbers."""

import logging
import re
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)

DATE = re.compile(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})(.*)")
CLOCKS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
TRIAL = 1000  # rows, about


def find_order(name: str, texts: Any, series: Any = None) -> str | None:
    """Return the format of texts such as ``01/02/2020``.

    Of the orders day-month, month-day and, for years of two digits, year-month-day, those remain
    that all rows allow. Where several remain and differ, the one is taken that makes the rows of a
    series regular (a fixed step, or the same day of every so many months), and this is said.

    Args:
        name: Of the column.
        texts: A pandas Series without missing values.
        series: The series of each row, where there are several.

    Returns:
        None where the texts do not look like that.

    Raises:
        DataError: Several orders remain and none or all of them are regular, or none remains.
    """
    match = DATE.fullmatch(texts.iloc[0])
    if match is None:
        return None
    formats = _formats(match)
    if not formats and len(match[1]) > 2:
        return None
    if not formats:
        raise DataError(
            f"{name} begins with {texts.iloc[0]!r}, whose day, month and clock are not told apart; "
            "give its format, such as time_format='%d/%m/%Y %H:%M:%S%z'."
        )

    # Rows from all of the table: most wrong orders meet a day beyond 12 among them, and the one
    # that remains is read once, by whoever reads the column.
    sample = texts.iloc[:: max(1, len(texts) // TRIAL)]
    likely = [format for format in formats if _read(sample, format) is not None]
    if len(likely) == 1 and len(sample) < len(texts):
        return likely[0]

    found = {format: _read(texts, format) for format in likely}
    readings = {format: dates for format, dates in found.items() if dates is not None}
    if not readings:
        _refuse(name, texts, formats)
    first, *others = readings
    if all(np.array_equal(readings[first], readings[other]) for other in others):
        return first

    one = slice(None) if series is None else np.asarray(series.loc[texts.index] == series.iloc[0])
    regular = [format for format, dates in readings.items() if is_regular(dates[one])]
    differs = int(np.argmax(np.any([readings[first] != readings[o] for o in others], axis=0)))
    ways = {format: str(dates[differs])[:10] for format, dates in readings.items()}
    if len(regular) != 1:
        text = " or ".join(f"{date} (time_format={format!r})" for format, date in ways.items())
        raise DataError(f"{name} of row {texts.index[differs]} is {texts.iloc[differs]!r}: {text}?")
    _log.warning(
        "%s: %r is read as %s, which makes the times regular; time_format=%r settles it.",
        name,
        texts.iloc[differs],
        ways[regular[0]],
        regular[0],
    )
    return regular[0]


def is_regular(dates: NDArray[np.datetime64]) -> bool:
    """Return whether dates have a fixed step, or one of whole months.

    Example:
        >>> is_regular(np.array(["2020-01-31", "2020-02-29", "2020-03-31"], "datetime64[s]"))
        True
    """
    dates = np.unique(dates)
    if len(dates) < 3:
        return False
    if len(np.unique(np.diff(dates))) == 1:
        return True
    months = dates.astype("datetime64[M]")
    if len(np.unique(np.diff(months))) > 1:
        return False
    ends = (dates + np.timedelta64(1, "D")).astype("datetime64[M]") > months
    return len(np.unique(dates - months.astype(dates.dtype))) == 1 or bool(ends.all())


def _formats(match: re.Match[str]) -> list[str]:
    """Return the formats that a first text allows by its look."""
    first, separator, _, last, rest = match.groups()
    gap = re.match(r"(T|,? +|)", rest)
    clocks = [c for c in CLOCKS if bool(c) == bool(rest) and _fits(c, rest[gap.end() :])]  # type: ignore[union-attr]
    if len(first) > 2:
        return []  # the year, then the month: ISO 8601 or like it
    orders = [("%d", "%m", "%Y"), ("%m", "%d", "%Y")]
    if len(last) <= 2:
        orders = [("%d", "%m", "%y"), ("%m", "%d", "%y"), ("%y", "%m", "%d")]
    elif len(last) != 4:
        return []
    between = gap.group() if gap else ""
    return [separator.join(order) + between + c for order, c in product(orders, clocks)]


def _fits(clock: str, text: str) -> bool:
    shapes = {"%H": r"\d{1,2}", "%I": r"\d{1,2}", "%M": r"\d{2}", "%S": r"\d{2}", "%f": r"\d+"}
    shapes["%p"] = "[AaPp][Mm]"
    pattern = re.escape(clock)
    for code, shape in shapes.items():
        pattern = pattern.replace(code, shape)
    return re.fullmatch(pattern, text) is not None


def _read(texts: Any, format: str) -> NDArray[np.datetime64] | None:
    """Return all texts as dates, None where one is none."""
    import pandas as pd

    dates = pd.to_datetime(texts, format=format, errors="coerce").to_numpy()
    return None if np.isnat(dates).any() else dates


def _refuse(name: str, texts: Any, formats: list[str]) -> None:
    import pandas as pd

    fails = {f: np.isnat(pd.to_datetime(texts, format=f, errors="coerce")) for f in formats}
    format, bad = min(fails.items(), key=lambda item: int(item[1].sum()))
    row = int(np.argmax(bad))
    raise DataError(
        f"{name} of row {texts.index[row]} is {texts.iloc[row]!r}, no time that can be read with "
        f"time_format={format!r} as most others; correct it or give its format."
    )
