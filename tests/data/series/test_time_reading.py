"""TimeReading: columns of times as people write them, read in one way or refused."""

import datetime
import logging
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from lightning_tf.data.series.time_reading import TimeReading
from lightning_tf.exceptions import DataError

DAYS = pd.date_range("2019-11-25", periods=60, freq="D")
MONTHS = pd.date_range("2019-11-01", periods=40, freq="MS")
ZONED = pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")


def read(cells, time_format=None):
    column = pd.Series(cells, name="t")
    reading = TimeReading.find(column, time_format)
    # What a checkpoint holds reads the same again.
    again = TimeReading(**asdict(reading))
    times = again.read(column).to_numpy()
    np.testing.assert_array_equal(times, reading.read(column).to_numpy())
    return times


WRITTEN = {
    "day first": (DAYS, "%d/%m/%Y"),
    "month first": (DAYS, "%m/%d/%Y"),
    "German": (DAYS, "%d.%m.%Y"),
    "two digits": (DAYS, "%d.%m.%y"),
    "year first, two digits": (DAYS, "%y-%m-%d"),
    "with a clock": (DAYS, "%d/%m/%Y %H:%M"),
    "with seconds": (DAYS, "%m/%d/%Y %H:%M:%S"),
    "with AM and PM": (DAYS, "%m/%d/%Y %I:%M %p"),
    "ISO": (DAYS, "%Y-%m-%d"),
    "ISO with T": (DAYS, "%Y-%m-%dT%H:%M:%S"),
    "slashes, year first": (DAYS, "%Y/%m/%d"),
    "one number": (DAYS, "%Y%m%d"),
    "ordinal": (DAYS, "%Y-%j"),
    "week and day": (DAYS, "%G-W%V-%u"),
    "weeks": (pd.date_range("2019-12-02", periods=60, freq="W-MON"), "%G-W%V"),
    "months": (MONTHS, "%Y-%m"),
    "months, year last": (MONTHS, "%m/%Y"),
    "months by name": (MONTHS, "%b %Y"),
    "month's name": (DAYS, "%d-%b-%Y"),
    "years": (pd.date_range("1950-01-01", periods=30, freq="YS"), "%Y"),
    "monthly, day first": (MONTHS, "%d/%m/%Y"),
    "monthly, month first": (MONTHS, "%m/%d/%Y"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_times_are_read_as_they_were_written(name):
    times, format = WRITTEN[name]
    np.testing.assert_array_equal(read(times.strftime(format)), times.to_numpy())


def test_times_at_random_are_read_as_they_were_written_or_refused():
    random = np.random.default_rng(0)
    formats = [format for _, format in WRITTEN.values() if "%d" in format]
    for _ in range(60):
        first = pd.Timestamp("1990-01-01") + pd.Timedelta(days=int(random.integers(10_000)))
        freq = ["D", "7D", "MS", "QS", "ME", "YS", "B"][random.integers(7)]
        times = pd.date_range(first, periods=int(random.integers(4, 40)), freq=freq)
        texts = times.strftime(formats[random.integers(len(formats))])
        try:
            got = read(texts)
        except DataError:
            continue
        np.testing.assert_array_equal(got, times.to_numpy())


def test_a_column_that_can_be_read_both_ways_is_told_or_refused(caplog):
    with caplog.at_level(logging.WARNING):
        read(MONTHS.strftime("%d/%m/%Y"))
    assert "'01/11/2019' is read as 2019-11-01, which makes the times regular" in caplog.text
    # Five months by the day, or five days by the month: nothing tells.
    with pytest.raises(DataError, match=r"'01/02/2020': 2020-02-01 \(.*%d/%m.*\) or 2020-01-02"):
        read([f"01/0{n}/2020" for n in range(1, 6)])
    assert read([f"01/0{n}/2020" for n in range(1, 6)], "%d/%m/%Y")[1] == np.datetime64(
        "2020-02-01"
    )


def test_a_row_that_is_written_otherwise_is_named():
    texts = [*DAYS.strftime("%d/%m/%Y")]
    texts[40] = "12/31/2019"
    with pytest.raises(DataError, match="t of row 40 is '12/31/2019'"):
        read(texts)


@pytest.mark.parametrize(
    ("cells", "second"),
    [
        (["2020Q1", "2020Q2"], "2020-04-01"),
        (["2020-Q3", "2020-Q4"], "2020-10-01"),
        (["Q4 2019", "Q1 2020"], "2020-01-01"),
        ([20200131, 20200201], "2020-02-01"),
        ([20200131.0, 20200201.0], "2020-02-01"),
        (["20200131", "20200201"], "2020-02-01"),
        ([201912, 202001], "2020-01-01"),
        (["2020-01-01 00:00:00,500", "2020-01-01 00:00:01,500"], "2020-01-01T00:00:01.5"),
        (["2020-01-01", "2020-01-02 03:00"], "2020-01-02T03:00"),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], "2020-01-02"),
        (pd.period_range("2020-01", periods=2, freq="M"), "2020-02-01"),
        ([" 2020-01-01", "2020-01-02 "], "2020-01-02"),
    ],
    ids=str,
)
def test_quarters_periods_integers_and_objects_are_dates(cells, second):
    assert read(cells)[1] == np.datetime64(second)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ([1, 2, 4], [1, 2, 4]),
        (["1", "2", "10"], [1, 2, 10]),
        (["0,5", "1", "1,5"], [0.5, 1, 1.5]),
        ([1.6e9, 1.6e9 + 60], [1.6e9, 1.6e9 + 60]),
        ([1700, 1701], [1700, 1701]),
        ([20200131, 20200132], [20200131, 20200132]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.to_timedelta([1, 2], unit="h"), [3600, 7200]),
    ],
    ids=str,
)
def test_numbers_stay_numbers(cells, numbers):
    np.testing.assert_array_equal(read(cells), numbers)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_unit_reads_numbers_since_1970(unit):
    stamps = (
        DAYS.as_unit("ns").astype(np.int64) // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    )
    np.testing.assert_array_equal(read(stamps, unit), DAYS.to_numpy())


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["10:30", "10:31"], "names no date with a year"),
        (["Mon", "Tue"], "names no date with a year"),
        (["1,200", "1,300"], "a comma of decimals or of thousands"),
        ([True, False], "truth values"),
        ([1.0, np.inf], "t of row 1 is inf"),
        ([1.0, None], "t of row 1 is nan"),
        (["2020-01-01", None], "t of row 1"),
        (["2020-01-01T00:00Z", "2020-01-02T00:00"], "row 1 is .* without a time zone"),
        ([None, None], "holds no times"),
        (["01/02/2020 10:00:00+01:00"], "are not told apart"),
    ],
    ids=str,
)
def test_what_cannot_be_read_in_one_way_is_refused(cells, message):
    with pytest.raises(DataError, match=message):
        read(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ZONED,
        [time.isoformat() for time in ZONED],
        [time.isoformat() for time in ZONED.tz_convert("UTC")],
        list(ZONED),
    ],
    ids=["dtype", "two offsets", "UTC", "objects"],
)
def test_times_with_a_zone_are_compared_in_utc_over_a_change_of_the_clock(cells):
    times = read(cells)
    assert (np.diff(times) == np.timedelta64(1, "h")).all()
    assert times[0] == np.datetime64("2024-03-29T23:00")


def test_one_time_is_read_as_the_column_or_by_iso():
    reading = TimeReading("t", "date", "%d/%m/%Y")
    for value in (
        "01/02/2020",
        "2020-02-01",
        pd.Timestamp("2020-02-01"),
        datetime.date(2020, 2, 1),
    ):
        assert reading.read_one("test_from", value) == np.datetime64("2020-02-01")
    assert TimeReading("t", "date", "%Y%m%d").read_one("test_from", 20200201) == np.datetime64(
        "2020-02-01"
    )
    for value in (20200201, pd.Timestamp("2020-02-01", tz="UTC"), None, "someday"):
        with pytest.raises(ValueError):  # noqa: PT011 - whoever asks makes a sentence of it
            reading.read_one("test_from", value)


def test_a_date_without_a_zone_is_one_of_the_columns_zone():
    reading = TimeReading("t", "date", None, "Europe/Berlin")
    noon = np.datetime64("2020-02-01T11:00")
    for value in ("2020-02-01 12:00", "2020-02-01T11:00Z", pd.Timestamp("2020-02-01 11:00Z")):
        assert reading.read_one("test_from", value) == noon


def test_tables_that_belong_together_have_one_kind_of_zone():
    bare, zoned = pd.Series(DAYS, name="t"), pd.Series(DAYS.tz_localize("UTC"), name="t")
    for first, second in ((bare, zoned), (zoned, bare), (zoned.astype(str), bare.astype(str))):
        with pytest.raises(DataError, match="without a time zone"):
            TimeReading.find(first).read(second)
