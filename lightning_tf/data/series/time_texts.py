"""Texts and numbers that are times: their formats, found out and read."""

import logging
import re
import warnings
from typing import Any

import numpy as np

from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)

UNITS = ("s", "ms", "us", "ns")  # of numbers since 1970
QUARTER = re.compile(r"(?:(\d{4})[-/ ]?Q([1-4])|Q([1-4])[-/ ]?(\d{4}))")
WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?")
# Formats that pandas does not find out by itself, by how a text looks.
SHAPES = {
    r"\d{4}-\d{3}": "%Y-%j",
    r"\d{1,2}[/.-]\d{4}": "%m{}%Y",
    r"[A-Za-z]{3}[ -]\d{4}": "%b{}%Y",
    r"[A-Za-z]{4,} \d{4}": "%B %Y",
    r"\d{1,2}-[A-Za-z]{3}-\d{2}": "%d-%b-%y",
    r"\d{1,2}-[A-Za-z]{3}-\d{4}": "%d-%b-%Y",
}
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
ZONED = r"(?:Z|[+-]\d{2}:?\d{2})$"
ISO = ("ISO8601", "mixed")


def looks_like_date(text: str) -> bool:
    """Return whether a text is a date or a quarter or week, and no plain number."""
    if QUARTER.fullmatch(text) or WEEK.fullmatch(text):
        return True
    if NUMBER.fullmatch(text):
        return False
    if re.fullmatch(r"(\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(\D.*)?", text):
        return True
    format = guessed_format(text)
    return bool(format and re.search("%[Yy]|ISO", format))


def parse(column: Any, format: str | None, zone: str | None) -> Any:
    """Return datetimes of texts or numbers, NaT where there is none."""
    import pandas as pd

    if format is None:
        raise DataError(
            f"{column.name} holds {show(column, 0)}, and the data it belongs to have datetimes; "
            "convert it by pandas.to_datetime."
        )
    if format in UNITS:
        return pd.to_datetime(pd.to_numeric(column, errors="coerce"), unit=format, errors="coerce")

    if pd.api.types.is_float_dtype(column):  # integers beside a missing one
        column = column.astype("Int64") if (column.dropna() % 1 == 0).all() else column
    texts = column.astype(str).str.strip().where(column.notna())
    if format == "quarter":
        parts = texts.str.extract(f"^{QUARTER.pattern}$")
        year, quarter = parts[0].fillna(parts[3]), parts[1].fillna(parts[2])
        month = (3 * pd.to_numeric(quarter) - 2).astype("Int64").astype(str)
        return pd.to_datetime(year + "-" + month, format="%Y-%m", errors="coerce")
    if format == "week":
        parts = texts.str.extract(f"^{WEEK.pattern}$")
        days = parts[0] + parts[1] + parts[2].fillna("1")
        return pd.to_datetime(days, format="%G%V%u", errors="coerce")
    if zone is not None and format in ISO:
        bare = np.flatnonzero(~texts.str.contains(ZONED).fillna(True).to_numpy(bool))
        if len(bare):
            raise DataError(
                f"{column.name} of row {column.index[bare[0]]} is {texts.iloc[bare[0]]!r}, without "
                "a time zone, and others have one; give all of them one, or none."
            )
    try:
        return pd.to_datetime(texts, format=format, errors="coerce", utc=zone is not None)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{column.name} cannot be read with time_format={format!r}: {error}"
        ) from error


def without_arrow(column: Any) -> Any:
    """Return datetimes of pyarrow as those of pandas, whose methods take zones."""
    import pandas as pd

    if isinstance(column.dtype, pd.ArrowDtype) and column.dtype.kind == "M":
        return pd.Series(pd.DatetimeIndex(column), index=column.index, name=column.name)
    return column


def show(column: Any, place: int) -> str:
    """Return a cell as a message shows it, without NumPy's type."""
    cell = column.iloc[place]
    return repr(cell.item() if isinstance(cell, np.generic) else cell)


def zone_name(zone: Any) -> str:
    """Return a name by which pandas finds a zone again; of one that has none UTC."""
    import pandas as pd

    try:
        pd.Timestamp("2020-01-01").tz_localize(str(zone))
    except (ValueError, KeyError, TypeError, OSError):
        return "UTC"
    return str(zone)


def zone_of(texts: Any, format: str) -> str | None:
    """Return the zone of texts: their offset where all have the same, else UTC."""
    if format not in ISO:
        return "UTC" if "%z" in format or "%Z" in format else None
    if not re.search(ZONED, texts.iloc[0]):
        return None
    offset, *others = texts.str.extract(f"({ZONED})")[0].unique()
    return f"UTC{offset}" if not others and re.fullmatch(r"[+-]\d\d:\d\d", offset) else "UTC"


def format_of_integers(column: Any) -> str | None:
    """Return ``%Y%m%d`` or ``%Y%m`` where all integers are such dates."""
    import pandas as pd

    values = column.to_numpy(np.float64, na_value=np.nan)
    if not len(values) or not np.isfinite(values).all() or (values % 1).any():
        return None
    least, most = values.min(), values.max()
    if least >= 19000101 and most <= 21001231:
        format = "%Y%m%d"
    elif least >= 190001 and most <= 210012 and least // 100 < most // 100:
        format = "%Y%m"  # of more than a year: a number that counts on would pass 13
    else:
        return None

    texts = pd.Series(values.astype(np.int64)).astype(str)
    if pd.to_datetime(texts, format=format, errors="coerce").isna().any():
        return None
    _log.info("%s: numbers such as %s are read as dates (%s).", column.name, texts[0], format)
    return format


def decimal(name: str, texts: Any) -> str | None:
    """Return ``,`` where texts are numbers with a decimal comma; refuse what could be either."""
    commas = texts[texts.str.contains(",", regex=False)]
    if not len(commas):
        return None
    if commas.str.fullmatch(r"[+-]?\d{1,3},\d{3}").all() and not texts.str.startswith("0,").any():
        raise DataError(
            f"{name} of row {commas.index[0]} is {commas.iloc[0]!r}, a comma of decimals or of "
            "thousands; give numbers."
        )
    _log.info("%s: %s is read as a number with a decimal comma.", name, commas.iloc[0])
    return ","


def guessed_format(text: str) -> str | None:
    """Return the format of one text, as far as it is known; ISO8601 for all of its forms."""
    from pandas.tseries.api import guess_datetime_format

    for shape, format in SHAPES.items():
        if re.fullmatch(shape, text):
            return format.format(next((c for c in text if not c.isalnum()), ""))
    if re.match(r"\d{4}-\d{2}-\d{2}.*,\d+$", text):
        return f"%Y-%m-%d{text[10]}%H:%M:%S,%f"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about day and month, which `find_order` settles
        format = guess_datetime_format(text)
    is_iso = format is not None and re.match("%Y-%m|%Y%m%d|%Y$", format)
    return "ISO8601" if is_iso else format
