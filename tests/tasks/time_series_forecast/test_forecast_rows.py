"""forecast: tables are joined by series, time and column; what does not fit is refused by name."""

import numpy as np
import pandas as pd
import pytest
from helpers.boring import fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.exceptions import DataError
from lightning_tf.tasks import TimeSeriesForecast

LEVELS = {"a": 0.0, "b": 100.0, "c": 1000.0}
DAYS = pd.date_range("2020-01-01", periods=100)
AHEAD = pd.date_range(DAYS[-1], periods=31)[1:]
COLUMNS = {"time": "day", "series": "shop", "target": "sold", "known": ["holiday"]}
SMALL = {"history": 10, "horizon": 3, "units": 8, "data_options": COLUMNS}


def shops():
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "shop": name,
                    "day": DAYS,
                    "holiday": (np.arange(100) % 7 == 0).astype(float),
                    "sold": level + np.sin(np.arange(100) / 4),
                }
            )
            for name, level in LEVELS.items()
        ],
        ignore_index=True,
    )


def calendar(days=None):
    days = DAYS.append(AHEAD) if days is None else days
    return pd.DataFrame({"day": days, "holiday": (np.arange(len(days)) % 7 == 0).astype(float)})


HOLIDAYS = calendar().holiday.to_numpy()[100:]


@pytest.fixture(scope="module")
def task():
    task = TimeSeriesForecast(shops(), "mlp", scaler="none", **SMALL)
    fitted(task, max_epochs=2, seed=0)
    return task


@pytest.fixture(scope="module")
def plain():
    task = TimeSeriesForecast(np.sin(np.arange(100) / 4), "mlp", history=10, horizon=3, units=8)
    fitted(task, max_epochs=1, seed=0)
    return task


def expected(task, name, steps=3):
    rows = shops().query("shop == @name")[["sold", "holiday"]].to_numpy()
    return task.forecast(rows, steps, known=HOLIDAYS[:steps], series=name)


# ---- what is joined


@pytest.mark.parametrize("name", slow_but(LEVELS, "b"))
def test_rows_of_other_series_in_any_order_change_nothing(task, name):
    want, table = expected(task, name), shops()
    assert abs(want.mean() - LEVELS[name]) < 10
    by_time = {"known": calendar(), "series": name}
    for history in (
        table,
        table.iloc[::-1],
        table.sample(frac=1, random_state=1),
        table[["sold", "holiday", "day", "shop"]].assign(note="x"),
        table.set_index("day"),
        table.set_index(["shop", "day"]),
        table.assign(day=table.day.dt.strftime("%Y-%m-%d")),
        {column: table[column].to_numpy() for column in table},
        table.to_dict("records"),
    ):
        np.testing.assert_array_equal(task.forecast(history, 3, **by_time), want)
    own = table[table.shop == name]
    np.testing.assert_array_equal(task.forecast(own, 3, known=calendar()), want)


@pytest.mark.parametrize(
    "known",
    [
        calendar(),
        calendar().iloc[::-1],
        calendar()[["holiday", "day"]],
        calendar().set_index("day"),
        calendar().set_index("day").holiday,
        pd.concat(
            [calendar().assign(shop=s, holiday=calendar().holiday * (s == "b")) for s in "abc"]
        ),
        calendar().drop(np.arange(40)).assign(holiday=lambda t: t.holiday.astype("Float64")),
        pd.DataFrame({"day": AHEAD, "holiday": HOLIDAYS}),
        HOLIDAYS[:9],
        HOLIDAYS[:9, np.newaxis].tolist(),
    ],
    ids=[
        *("calendar", "reversed", "columns", "index", "series", "of all shops", "nullable"),
        *("later", "array", "lists"),
    ],
)
def test_what_is_known_is_taken_of_the_rows_after_the_history(task, known):
    want = expected(task, "b", 9)
    np.testing.assert_array_equal(task.forecast(shops(), 9, known=known, series="b"), want)


def test_whole_numbers_are_names_of_series_in_any_type():
    table = shops().assign(shop=lambda t: t.shop.map({"a": 1, "b": 2, "c": 10}))
    task = TimeSeriesForecast(
        table, "mlp", history=10, horizon=3, units=8, data_options={**COLUMNS, "known": []}
    )
    fitted(task, max_epochs=1, seed=0)
    one = task.forecast(table, 3, series="2")
    assert abs(one.mean() - 100) < 20
    for series in (2, 2.0, np.int64(2)):
        np.testing.assert_array_equal(task.forecast(table, 3, series=series), one)
    floats = table.astype({"shop": float})
    np.testing.assert_array_equal(task.forecast(floats, 3, series=2), one)


def test_rows_with_times_are_put_in_order_though_the_fit_had_none(plain):
    cells = np.sin(np.arange(100) / 4)
    want = plain.forecast(cells, 3)
    for history in (
        pd.DataFrame({"value": cells}, index=DAYS).iloc[::-1],
        pd.Series(cells, index=DAYS).iloc[::-1],
        pd.Series(cells, name="value"),
        pd.DataFrame({"value": cells, "day": DAYS}).iloc[::-1],
    ):
        np.testing.assert_array_equal(plain.forecast(history, 3), want)


def test_a_history_is_filled_as_the_data_were():
    table = pd.DataFrame({"y": np.arange(60.0)}, index=DAYS[:60]).drop(DAYS[[20, 55]])
    table.iloc[50] = np.nan
    options = {"frequency": "D", "missing": "interpolate"}
    task = TimeSeriesForecast(table, "mlp", history=10, horizon=3, units=8, data_options=options)
    fitted(task, max_epochs=1, seed=0)
    np.testing.assert_array_equal(task.forecast(table, 3), task.forecast(np.arange(60.0), 3))


def test_a_checkpoint_reads_tables_as_its_fit_did(tmp_path):
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    table = pd.DataFrame({"t": months.strftime("%d/%m/%Y"), "y": np.sin(np.arange(60.0))})
    task = TimeSeriesForecast(table, "mlp", history=4, horizon=2, units=8)
    trainer = fitted(task, max_epochs=1, seed=0)
    trainer.save_checkpoint(tmp_path / "c")
    again = TimeSeriesForecast.from_checkpoint(tmp_path / "c", data=None)
    # Four months alone could be days as well.
    few = table.iloc[40:44].iloc[::-1]
    np.testing.assert_array_equal(
        again.forecast(few, 2), task.forecast(table.y[40:44].to_numpy(), 2)
    )


# ---- what is refused


def without(column):
    return shops().drop(columns=column)


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        (shops(), {"series": None}, r"history has rows of several series \(a, b, c\)"),
        (shops(), {"series": "d"}, "series='d' is none of the data's"),
        (
            shops().query("shop == 'a'"),
            {"series": "b"},
            "history has no rows of series 'b'; it has a",
        ),
        (shops().assign(shop="z"), {"series": None}, "series='z' is none"),
        (without("shop"), {}, "history has no column 'shop'"),
        (without("day"), {}, "history has no column 'day'"),
        (without("sold"), {}, "history has no column 'sold'"),
        (without("holiday"), {}, "history has no column 'holiday'"),
        (
            pd.concat([shops(), shops()]),
            {},
            "history: day 2020-01-01 of series|history: day .* stands",
        ),
        (
            shops().assign(day=lambda t: t.day.dt.tz_localize("UTC")),
            {},
            "history: day has times with",
        ),
        (shops().assign(day=np.tile(np.arange(100), 3)), {}, "history: day holds 0, and the data"),
        (shops().drop(index=[95, 195, 295]), {}, "2020-04-05 comes next; fill the gap"),
        (shops().assign(sold=np.nan), {}, "history: sold of row 100 .* is missing"),
        (shops().assign(sold="many"), {}, "history: sold of row 100 is 'many'"),
        (shops().query("day > '2020-04-05'"), {}, "history has 4 rows; the network sees 10"),
        (shops()[["sold", "holiday"]].to_numpy(), {"series": None}, "the data have 3 series"),
        (np.array([["x", "y"]] * 20), {}, "history is no array of numbers"),
    ],
    ids=[
        *("several", "unknown", "absent", "other", "no series", "no time", "no target", "no known"),
        *("twice", "zone", "numbers", "gap", "missing", "text", "short", "array", "words"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(task, history, options, message):
    with pytest.raises(DataError, match=message):
        task.forecast(history, 3, **{"known": calendar(), "series": "b", **options})


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (None, "holiday must be known for the 3 rows"),
        (calendar(DAYS), "known has no row for day 2020-04-10, row 1 of 3"),
        (calendar().drop(index=101), "known has no row for day 2020-04-11, row 2 of 3"),
        (pd.concat([calendar(), calendar()]), "known has two rows of day 2020-01-01"),
        (calendar().drop(columns="day"), "known has no column 'day'"),
        (calendar().rename(columns={"holiday": "holidays"}), "Did you mean 'holidays'"),
        (calendar().assign(holiday=np.nan), "holiday of row 100 of known is missing"),
        (calendar().assign(day=lambda t: t.day.dt.tz_localize("UTC")), "known: day has times with"),
        (HOLIDAYS, "known has 30 rows for steps=3"),
        (HOLIDAYS[:2], "known has 2 rows for steps=3"),
        (calendar().assign(shop="a"), "known has no rows of series 'b'"),
    ],
    ids=[
        *("none", "past", "gap", "twice", "no time", "name", "missing", "zone", "long", "short"),
        "other shop",
    ],
)
def test_known_features_that_do_not_fit_are_refused(task, known, message):
    with pytest.raises(DataError, match=message):
        task.forecast(shops(), 3, known=known, series="b")


def test_known_features_without_a_use_are_refused(plain):
    with pytest.raises(DataError, match="the data have no known features"):
        plain.forecast(np.ones(20), 3, known=np.ones(3))


def test_irregular_times_take_the_rows_that_follow():
    times = np.cumsum(np.random.default_rng(0).integers(1, 5, 80))
    table = pd.DataFrame({"t": times, "y": np.sin(times / 9), "k": np.cos(times / 9)})
    options = {"time": "t", "target": "y", "known": "k"}
    task = TimeSeriesForecast(
        table[:70], "mlp", history=5, horizon=3, units=8, data_options=options
    )
    fitted(task, max_epochs=1, seed=0)
    want = task.forecast(table[["y", "k"]][:70].to_numpy(), 5, known=table.k[70:75].to_numpy())
    got = task.forecast(table[:70].iloc[::-1], 5, known=table[["k", "t"]].iloc[::-1])
    np.testing.assert_array_equal(got, want)
    with pytest.raises(DataError, match="known has 10 rows after the history's t"):
        task.forecast(table[:70], 11, known=table)


@pytest.mark.slow
def test_a_test_on_some_of_the_series_is_that_of_these_series(tmp_path):
    trainer, path = Trainer(**quiet()), tmp_path / "c"
    fitting = fitted(again := TimeSeriesForecast(shops(), "mlp", **SMALL), max_steps=2, seed=0)
    fitting.save_checkpoint(path)
    some = shops().query("shop != 'a'")
    other = TimeSeriesForecast.from_checkpoint(path, data=some)
    metrics = trainer.test(other)
    assert other.data.store.numbers.tolist() == [1, 2]
    rows = {row["forecast"]: row for row in other.compare()}
    assert rows["mlp"]["mase"] == pytest.approx(metrics["test_mase"], rel=1e-5)
    np.testing.assert_array_equal(
        other.forecast(some, 3, known=calendar(), series="c"),
        again.forecast(shops(), 3, known=calendar(), series="c"),
    )
    renamed = shops().replace({"shop": {"a": "d"}})
    with pytest.raises(DataError, match="the task knows no series 'd'"):
        trainer.test(TimeSeriesForecast.from_checkpoint(path, data=renamed))
