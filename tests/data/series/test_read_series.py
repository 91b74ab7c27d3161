"""read_series: rows are joined by their names and times, and what is read is told."""

import datetime
import fractions
import json
import logging
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lightning_tf.data import TimeSeries, time_series_data
from lightning_tf.data.series.times import infer_frequency, next_times
from lightning_tf.exceptions import ConfigurationError, DataError

DAYS = pd.date_range("2020-01-01", periods=40)
VALUES = np.arange(40.0)


def loaded(data, **options):
    series = time_series_data(data, **{"history": 4, "horizon": 2, **options})
    series.setup("fit")
    return series


def values(data, **options):
    return loaded(data, **options).store.values.ravel().tolist()


# ---- an index


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.rename("day"),
        DAYS.tz_localize("America/New_York"),
        pd.period_range("2020-01", periods=40, freq="M"),
        pd.Index(np.arange(1700, 1740), name="year"),
        pd.Index(np.arange(40) * 0.1, name="seconds"),
        pd.Index(DAYS.strftime("%Y-%m-%d")),
        pd.to_timedelta(np.arange(40), unit="h"),
    ],
    ids=["dates", "named", "zone", "periods", "years", "floats", "texts", "timedeltas"],
)
def test_an_index_of_times_is_the_time_column(index, caplog):
    table = pd.DataFrame({"sold": VALUES}, index=index)
    shuffled = table.sample(frac=1, random_state=0)
    with caplog.at_level(logging.INFO):
        assert values(shuffled) == VALUES.tolist()
    assert "rows put in order of time" in caplog.text
    assert values(table.iloc[::-1]) == VALUES.tolist()
    assert values(table["sold"].iloc[::-1]) == VALUES.tolist()
    assert values({"sold": shuffled["sold"]}) == VALUES.tolist()
    with pytest.raises(DataError, match="goes back"):
        loaded(shuffled, sort=False)


def test_an_index_can_be_named_split_and_filled():
    table = pd.DataFrame({"sold": VALUES}, index=DAYS.rename("day")).drop(DAYS[10])
    data = loaded(table, time="day", frequency="D", missing="interpolate", test_from="2020-02-01")
    assert data.store.values.ravel().tolist() == VALUES.tolist()
    with pytest.raises(DataError, match="2020-01-11 is missing before row 10"):
        loaded(table, frequency="D")
    twice = pd.concat([table, table.iloc[:1]])
    with pytest.raises(DataError, match="day 2020-01-01 stands in rows 0 and 39"):
        loaded(twice)


def test_levels_of_an_index_are_series_and_time():
    index = pd.MultiIndex.from_product([["b", "a"], DAYS], names=["shop", "day"])
    data = loaded(pd.DataFrame({"sold": np.arange(80.0)}, index=index), series="shop")
    assert data.store.names == ("a", "b")
    assert data.store.values[0, 0] == 40
    assert data.store.reading.time.name == "day"


def test_numbers_without_a_name_are_no_times():
    table = pd.DataFrame({"sold": VALUES}, index=np.arange(40)[::-1])
    assert values(table) == VALUES.tolist()
    assert loaded(table).store.reading.time is None


# ---- columns


def test_the_only_column_of_dates_is_the_time(caplog):
    for day in (DAYS, DAYS.strftime("%d/%m/%Y")):
        table = pd.DataFrame({"day": day, "sold": VALUES, "note": "x"})
        with caplog.at_level(logging.INFO):
            assert loaded(table).store.reading.time.name == "day"
        assert "day, the only column of dates, from 2020-01-01 to 2020-02-09" in caplog.text
        with pytest.raises(DataError, match="goes back"):
            loaded(table.iloc[::-1])


def test_several_columns_of_dates_are_told(caplog):
    table = pd.DataFrame({"day": DAYS, "shipped": DAYS, "sold": VALUES})
    assert loaded(table).store.reading.time is None
    assert "day, shipped read as dates and none is named with time=" in caplog.text


def test_numbers_are_names_of_columns():
    table = pd.DataFrame({0: np.arange(40), 1: VALUES, 2: VALUES})
    for time, target in ((0, 1), ("0", "1")):
        store = loaded(table, time=time, target=target, known=[2]).store
        assert (store.reading.time.name, store.targets, store.known) == ("0", ("1",), ("2",))


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pd.DataFrame(np.ones((40, 2)), columns=["a", "a"]), {}, "two columns 'a'"),
        (pd.DataFrame({1: VALUES, "1": VALUES}), {}, "two columns '1'"),
        (pd.DataFrame({("a", "b"): VALUES}), {}, "columns of 2 levels"),
        (pd.DataFrame({"a": ["1.5"] * 40}), {"target": "a"}, "a of row 0 is '1.5', no number"),
        (pd.DataFrame({"a": [1j] * 40}), {"target": "a"}, "of type complex128, no number"),
        (pd.DataFrame({"a": DAYS}), {"target": "a"}, "no number"),
        (pd.DataFrame({"a": [1e200, *VALUES]}), {"target": "a"}, "row 0 is 1e\\+200, beyond"),
        ([[1.0, 2.0], [3.0]], {}, "rows of unlike lengths"),
        (np.zeros((4, 4, 4)), {}, r"shape \(4, 4, 4\)"),
        (pd.DataFrame({"a": [1.0]}), {}, "The series has 1 rows, shorter than a window"),
        (np.ma.masked_equal(VALUES, 3), {}, "value of row 3 .* is missing"),
    ],
    ids=[
        *("twice", "int and str", "levels", "text", "complex", "dates", "large", "ragged", "cube"),
        *("one row", "masked"),
    ],
)
def test_tables_that_cannot_be_read_are_refused_by_name(table, options, message):
    with pytest.raises(DataError, match=message):
        loaded(table, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "a", "known": "a"}, "'a' has two roles"),
        ({"target": ["a", "a"]}, "'a' stands in target= twice"),
        ({"time": ["a", "b"]}, "name one column"),
        ({"missing": float("nan")}, "missing=nan"),
        ({"missing": float("inf")}, "missing=inf"),
        ({"missing": True}, "missing=True"),
    ],
    ids=["roles", "twice", "times", "nan", "inf", "bool"],
)
def test_roles_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        TimeSeries(pd.DataFrame({"a": VALUES, "b": VALUES}), **options)


@pytest.mark.parametrize(
    "cells",
    [
        [Decimal("1.5")] * 40,
        [fractions.Fraction(3, 2)] * 40,
        pd.array([1.5] * 40, dtype="Float64"),
        pd.Series([1.5] * 40, dtype=object),
        [np.float32(1.5)] * 40,
        [1.5, pd.NA, None, float("nan"), np.inf, *[1.5] * 35],
    ],
    ids=["Decimal", "Fraction", "Float64", "objects", "float32", "gaps"],
)
def test_numbers_of_every_kind_are_numbers(cells):
    assert values(pd.DataFrame({"a": cells}), target="a", missing="ffill") == [1.5] * 40


def test_names_of_series_are_texts_whatever_their_type():
    table = pd.DataFrame({"id": np.repeat([2, 10], 20), "y": VALUES})
    for dtype in (int, float, "Int64", "category"):
        assert loaded(table.astype({"id": dtype}), series="id").store.names == ("10", "2")


# ---- times


def test_interpolation_follows_the_times():
    random = np.random.default_rng(0)
    for dates in (False, True):
        steps = np.cumsum(random.integers(1, 50, 60))
        times = DAYS[0] + pd.to_timedelta(steps, unit="h") if dates else steps
        cells = 3.0 * steps
        cells[random.choice(np.arange(1, 59), 20, replace=False)] = np.nan
        got = values({"t": times, "y": cells}, time="t", target="y", missing="interpolate")
        np.testing.assert_allclose(got, 3.0 * steps)


@pytest.mark.parametrize("step", [0.1, 0.25, 1 / 3, 1e-3, 7, 2.5e6], ids=str)
@pytest.mark.parametrize("start", [0, -5, 1e6], ids=str)
def test_a_frequency_may_be_any_step(step, start):
    times = float(start) + np.arange(60) * step
    times = np.round(times, 6)
    assert values({"t": times, "y": np.arange(60.0)}, time="t", target="y", frequency=step)
    table = pd.DataFrame({"t": times, "y": np.arange(60.0)}).drop([7, 20])
    with pytest.raises(DataError, match="is missing before row 7, and 2 times"):
        loaded(table, time="t", target="y", frequency=step)
    filled = values(table, time="t", target="y", frequency=step, missing="interpolate")
    np.testing.assert_allclose(filled, np.arange(60.0), atol=1e-2)
    table.loc[30, "t"] += 0.4 * step
    with pytest.raises(DataError, match="in row 28 is not on"):
        loaded(table, time="t", target="y", frequency=step)


@pytest.mark.parametrize("step", [0, -1, "D"], ids=str)
def test_a_step_that_is_none_is_refused(step):
    with pytest.raises(ConfigurationError, match="frequency="):
        loaded({"t": np.arange(40), "y": VALUES}, time="t", target="y", frequency=step)


@pytest.mark.parametrize(
    "frequency",
    [
        "D",
        "24h",
        pd.offsets.Day(),
        pd.Timedelta(days=1),
        datetime.timedelta(1),
        np.timedelta64(1, "D"),
    ],
    ids=str,
)
def test_a_frequency_of_dates_may_be_given_in_every_way(frequency):
    store = loaded(pd.DataFrame({"y": VALUES}, index=DAYS), frequency=frequency).store
    json.dumps(store.reading.state())
    assert next_times(store.times[-1], store.reading.step, 1) == np.datetime64("2020-02-10")


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_types_of_pyarrow_are_read_as_those_of_pandas(zone):
    table = pd.DataFrame({"day": DAYS.tz_localize(zone), "y": VALUES})
    arrow = table.convert_dtypes(dtype_backend="pyarrow")
    stores = [loaded(rows, time="day", target="y").store for rows in (table, arrow)]
    np.testing.assert_array_equal(stores[0].times, stores[1].times)
    assert stores[0].values.tolist() == stores[1].values.tolist()
    assert stores[1].reading.time.zone == zone


@pytest.mark.parametrize("month", [3, 10], ids=["spring", "autumn"])
@pytest.mark.parametrize("freq", ["h", "D", "W-MON", "MS"])
def test_a_frequency_of_times_with_a_zone_follows_its_clock(month, freq):
    times = pd.date_range(f"2024-{month:02d}-01", periods=60, freq=freq, tz="Europe/Berlin")
    table = pd.DataFrame({"y": np.arange(60.0)}, index=times)
    assert values(table, frequency=freq) == list(range(60))
    filled = values(table.drop(times[5]), frequency=freq, missing="ffill")
    assert filled[5] == 4
    assert len(filled) == 60
    assert len(values(table)) == 60


def test_an_hour_that_comes_twice_when_summer_time_ends_is_explained():
    local = pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(DataError, match="An hour that comes twice when summer time ends"):
        loaded({"t": local, "y": np.arange(60.0)}, time="t", target="y")


def test_a_date_divides_times_with_a_zone():
    table = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=40, tz="UTC"), "y": VALUES})
    for test_from in ("2020-02-01", "2020-02-01T00:00Z", pd.Timestamp("2020-02-01", tz="UTC")):
        assert loaded(table, time="t", test_from=test_from).boundaries[1].tolist() == [31]
    bare = table.assign(t=DAYS)
    with pytest.raises(ConfigurationError, match="it has a time zone"):
        loaded(bare, time="t", test_from="2020-02-01T00:00Z")


@pytest.mark.parametrize("freq", ["h", "D", "B", "W-SAT", "MS", "ME", "QS", "YS", "15min"])
def test_the_next_times_follow_the_step_that_is_found(freq):
    times = pd.date_range("2020-01-01", periods=50, freq=freq)
    step = infer_frequency(times[:40].to_numpy())
    np.testing.assert_array_equal(next_times(times[39].to_datetime64(), step, 10), times[40:])


# ---- numbers


@pytest.mark.parametrize("level", [0.0, 1e6, 1e9, 1e12, -1e9])
def test_values_far_from_0_stay_what_they_are(level):
    cells = level + np.sin(VALUES)
    assert values(cells) == cells.tolist()


def test_values_that_float32_holds_take_half_the_memory():
    assert loaded(VALUES).store.values.dtype == np.float32
    assert loaded(VALUES + 1e-12).store.values.dtype == np.float64


def test_digits_that_float64_loses_are_told(caplog):
    loaded(10**18 + np.arange(40))
    assert "changes of integers beyond 2**53 are lost" in caplog.text


# ---- what is told


def test_one_line_tells_what_was_read(caplog):
    table = pd.concat(
        pd.DataFrame({"day": DAYS, "shop": name, "sold": VALUES, "sun": 1.0, "x": 2.0, "note": "-"})
        for name in ("b", "a")
    ).reset_index(drop=True)
    table.loc[[3, 50], "sold"] = np.nan
    with caplog.at_level(logging.INFO):
        loaded(table, time="day", series="shop", target="sold", known="sun", missing="ffill")
    assert [record.message for record in caplog.records] == [
        "The table: 2 series (a, b), 80 rows; day from 2020-01-01 to 2020-02-09; step D; 2 missing "
        "values filled (missing='ffill'); targets: sold; known: sun; left out, without a role: x, "
        "note."
    ]
