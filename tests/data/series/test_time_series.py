"""TimeSeries: windows in time, never of the future, of series that are checked."""

import numpy as np
import pandas as pd
import pytest

from lightning_tf.data import TimeSeries, time_series_data
from lightning_tf.exceptions import ConfigurationError, DataError, UnknownArgumentError


def loaded(data, **options):
    series = time_series_data(data, **{"history": 4, "horizon": 2, **options})
    series.setup("fit")
    return series


def windows(dataset):
    """The past and the target of every window, and the series' numbers."""
    batches = list(dataset.as_numpy_iterator())
    past = np.concatenate([inputs["past"] for inputs, _ in batches])
    series = np.concatenate([inputs["series"] for inputs, _ in batches])
    return past, np.concatenate([y for _, y in batches]), series


def days(count=40, **columns):
    table = {"day": pd.date_range("2020-01-01", periods=count), "sold": np.arange(float(count))}
    return pd.DataFrame({**table, **columns})


# ---- windows


def test_every_window_is_a_piece_of_the_series_and_no_forecast_reaches_into_the_next_split():
    data = loaded(np.arange(40.0), val_fraction=0.2, test_fraction=0.1)
    expected = {"train": range(4, 27), "val": range(28, 35), "test": range(36, 39)}
    for split, origins in expected.items():
        dataset = data.train_dataset(0) if split == "train" else getattr(data, f"{split}_dataset")()
        past, y, _ = windows(dataset)
        assert sorted(y[:, 0, 0]) == list(origins)
        np.testing.assert_array_equal(past[:, -1], y[:, 0] - 1)
        np.testing.assert_array_equal(past[:, 0], y[:, 0] - 4)
        np.testing.assert_array_equal(y[:, 1], y[:, 0] + 1)


def test_the_order_of_an_epoch_is_of_seed_and_epoch_and_can_be_entered_anywhere():
    data = loaded(np.arange(60.0), batch_size=8)
    whole = [y.tolist() for _, y in data.train_dataset(3).as_numpy_iterator()]
    late = [y.tolist() for _, y in data.train_dataset_from(3, 2).as_numpy_iterator()]
    assert late == whole[2:]
    assert whole != [y.tolist() for _, y in data.train_dataset(4).as_numpy_iterator()]


def test_windows_do_not_cross_from_one_series_to_another():
    table = pd.concat([days(20, shop="b"), days(30, shop="a").assign(sold=1000 + np.arange(30.0))])
    data = loaded(table, time="day", series="shop", target="sold")
    assert data.store.names == ("a", "b")
    past, y, series = windows(data.train_dataset(0))
    assert set(series) == {0, 1}
    for number, rows in ((0, past >= 1000), (1, past < 1000)):
        assert rows[series == number].all()
    assert ((y[:, 0] - past[:, 0]) == 4).all()


def test_features_stand_in_their_places():
    table = days(sun=np.arange(40) + 100.0, holiday=np.arange(40) + 200.0)
    data = loaded(table, time="day", target="sold", unknown="sun", known=["holiday"])
    inputs, y = next(iter(data.test_dataset()))
    first = y[0, 0, 0]
    assert inputs["past"][0, -1].numpy().tolist() == [first - 1, first + 99, first + 199]
    assert inputs["future"][0, :, 0].numpy().tolist() == [first + 200, first + 201]


@pytest.mark.parametrize(
    ("test_from", "first"), [("2020-02-01", 31), (pd.Timestamp("2020-02-03"), 33)], ids=str
)
def test_a_date_divides_training_from_test(test_from, first):
    data = loaded(days(), time="day", test_from=test_from)
    assert windows(data.test_dataset())[1].min() == first
    assert windows(data.train_dataset(0))[1].max() == first - 1
    assert data.val_dataset() is None


def test_one_array_holds_the_series_and_no_windows():
    count, history = 20_000, 500
    data = loaded(np.zeros(count), history=history)
    assert data.store.values.nbytes == 4 * count
    inputs, _ = next(iter(data.train_dataset(0)))
    assert inputs["past"].shape == (32, history, 1)


# ---- time


def test_a_table_in_disorder_names_the_row_and_can_be_sorted():
    table = days().iloc[[0, 1, 3, 2, *range(4, 40)]]
    with pytest.raises(DataError, match=r"day goes back from 2020-01-04 .* in row 3; sort"):
        loaded(table, time="day")
    assert loaded(table, time="day", sort=True).store.values.ravel().tolist() == list(range(40))


def test_a_time_that_comes_twice_is_told():
    with pytest.raises(DataError, match="day 2020-01-03 stands in rows 2 and 3"):
        loaded(days().iloc[[0, 1, 2, 2, *range(3, 40)]], time="day")


def test_times_that_are_none_are_told():
    table = days().astype({"day": str})
    table.loc[7, "day"] = "someday"
    with pytest.raises(DataError, match="day of row 7 is 'someday'"):
        loaded(table, time="day")


def test_a_format_reads_numbers_as_dates():
    table = pd.DataFrame({"day": [20200131, *range(20200201, 20200222)], "x": 1.0})
    data = loaded(table, time="day", time_format="%Y%m%d", frequency="D")
    assert str(data.store.times[1])[:10] == "2020-02-01"


def test_a_gap_is_allowed_told_or_filled_as_asked():
    table = days().drop(index=10)
    assert len(loaded(table, time="day").store.values) == 39
    with pytest.raises(DataError, match="day 2020-01-11 is missing before row 10, and 1 times"):
        loaded(table, time="day", frequency="D")
    filled = loaded(table, time="day", frequency="D", missing="interpolate").store.values.ravel()
    assert filled.tolist() == list(range(40))
    years = {"year": [1, 2, 4, 5, 6, 7, 8, 9, 10, 11], "x": np.arange(10.0)}
    with pytest.raises(DataError, match=r"year 3\.0 is missing before row 2"):
        loaded(years, time="year", frequency=1, val_fraction=0, test_fraction=0)


def test_a_time_beside_the_frequency_is_told():
    table = days()
    table.loc[4, "day"] += pd.Timedelta(hours=1)
    with pytest.raises(DataError, match=r"day 2020-01-05 01:00:00 in row 4 is not on"):
        loaded(table, time="day", frequency="D")
    with pytest.raises(ConfigurationError, match="frequency='dayly'"):
        loaded(table, time="day", frequency="dayly")


# ---- values


@pytest.mark.parametrize(
    ("missing", "value"), [("ffill", 4.0), ("interpolate", 5.0), (-1, -1.0)], ids=str
)
def test_missing_values_are_told_or_filled_as_asked(missing, value):
    table = days()
    table.loc[5, "sold"] = np.nan
    with pytest.raises(DataError, match=r"sold of row 5 \(day 2020-01-06.*missing or infinite"):
        loaded(table, time="day")
    assert loaded(table, time="day", missing=missing).store.values[5, 0] == value


def test_nothing_before_the_first_value_can_be_carried_on():
    table = days()
    table.loc[0, "sold"] = np.nan
    with pytest.raises(DataError, match="missing='ffill' has no value before it"):
        loaded(table, time="day", missing="ffill")


def test_a_word_among_numbers_is_told():
    table = days().astype({"sold": object})
    table.loc[3, "sold"] = "many"
    with pytest.raises(DataError, match="sold of row 3 is 'many', no number"):
        loaded(table, time="day", target="sold")


def test_infinity_counts_as_missing():
    with pytest.raises(DataError, match=r"value of row 3 .*missing or infinite"):
        loaded(np.where(np.arange(40) == 3, np.inf, 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "solt"}, r"no column 'solt'; name one with target=.* Did you mean 'sold'"),
        ({"time": "date"}, "no column 'date'; name one with time="),
        ({"known": ["x"]}, "no column 'x'; name one with known="),
        ({"history": 39}, "The series has 40 rows, shorter than a window"),
        ({"horizon": 5}, r"The (val|test) split has 4 rows"),
        ({"test_from": "2021-01-01", "val_from": None}, "The test split has 0 rows"),
    ],
    ids=["target", "time", "known", "short", "split", "late"],
)
def test_what_does_not_fit_the_table_is_told(options, message):
    with pytest.raises(DataError, match=message):
        loaded(days(), **{"time": "day", **options})


def test_a_table_of_several_numbers_needs_a_target():
    with pytest.raises(DataError, match=r"2 columns of numbers that could be forecast \(sold, x\)"):
        loaded(days(x=1.0), time="day")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon is 0"),
        ({"test_from": 3, "test_fraction": 0.1}, "say the same"),
        ({"val_fraction": 1.0}, "val_fraction=1.0"),
        ({"missing": "zero"}, "missing='zero'"),
        ({"frequency": "D"}, "name it with time="),
        ({"target": "x", "known": ["x"]}, "column 'x' has two roles"),
        ({"targets": "x"}, "Did you mean 'target'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises(ConfigurationError, match=message):
        time_series_data(np.arange(40.0), **options)


def test_columns_are_arguments_of_the_class_itself():
    assert TimeSeries(np.arange(40.0), target="x_0", missing=0.0).history == 60
    with pytest.raises(UnknownArgumentError, match=r"no argument 'tagret'\. Did you mean 'target'"):
        TimeSeries(np.arange(40.0), tagret="x_0")


def test_a_time_series_is_taken_as_it_is():
    data = TimeSeries(np.arange(40.0), history=4)
    assert time_series_data(data) is data
    with pytest.raises(ConfigurationError, match="used as it is; set history on it"):
        time_series_data(data, history=5)


def test_a_named_series_without_its_file_says_where_it_is_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"No google_stock\.csv in .*; pass data_dir="):
        time_series_data("google_stock", data_dir=tmp_path)
