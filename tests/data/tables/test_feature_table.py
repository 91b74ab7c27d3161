"""FeatureTable: what is read of tables as people have them, and what is told of it."""

import logging
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lightning_tf.data.tables.feature_table import FeatureTable
from lightning_tf.exceptions import ConfigurationError, DataError

N = 60
Y = np.arange(N, dtype=float)


def loaded(table, *, target="y", **options):
    data = FeatureTable(table, target=target, **options)
    data.setup("fit")
    return data


def column(cells, **options):
    """A column beside a target, loaded."""
    return loaded(pd.DataFrame({"c": cells, "y": Y}), **options)


def kinds(data):
    return data.columns.columns, data.columns.dates, list(data.columns.categories)


def values(data, name="numbers"):
    """All rows of the one column, in the table's order."""
    source = data.splits["train"].source
    (batch,) = source.batches(np.arange(N), N)
    return batch[0][name].numpy()[:, 0]


# ---- what a column is


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pd.Series(np.arange(N), dtype=object), np.arange(N)),
        ([Decimal(i) for i in range(N)], np.arange(N)),
        ([str(i / 2) for i in range(N)], np.arange(N) / 2),
        ([str(i).encode() for i in range(N)], np.arange(N)),
        (pd.array(range(N), dtype="Int64"), np.arange(N)),
        (pd.array(range(N), dtype="Float32"), np.arange(N)),
        (pd.to_timedelta(np.arange(N), unit="min"), np.arange(N) * 60),
    ],
    ids=["objects", "decimals", "text", "bytes", "nullable integers", "nullable floats", "times"],
)
def test_numbers_are_numbers_whatever_the_dtype(cells, expected):
    data = column(cells)
    assert kinds(data) == (["c"], [], [])
    np.testing.assert_allclose(values(data), expected)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["01067", "80331"], ["1067", "80331"]),
        (["Rom", "7"], ["7", "Rom"]),
        ([True, False], ["False", "True"]),
        (pd.Categorical([1, 2] * (N // 2)), ["1", "2"]),
        (["5 kg", "3 m"], ["3 m", "5 kg"]),
    ],
    ids=["postcodes", "mostly names", "truth values", "pandas categories", "with units"],
)
def test_names_are_names_though_some_look_like_numbers(cells, expected):
    cells = cells if len(cells) == N else [cells[0]] + [cells[1 % len(cells)]] * (N - 1)
    if "7" in cells:
        cells = ["Rom"] * (N - 10) + ["7"] * 10
    data = column(cells)
    assert data.columns.categories == {"c": expected}


@pytest.mark.parametrize("word", ["?", "-", "unknown", "1,200", "$5", "5 %", "1 200", "1.2.3"])
def test_a_column_that_is_nearly_numeric_is_refused_with_the_row(word):
    cells = [str(i) for i in range(N)]
    cells[17] = word
    with pytest.raises(DataError, match=r"c is 59 of 60 times a number, but row 17 is"):
        column(cells)


def test_money_and_groups_of_digits_are_refused_where_all_cells_have_them():
    for form in ("{:,}", "${}", "{} %"):
        with pytest.raises(DataError, match="thousands=','"):
            column([form.format(1000 + i) for i in range(N)])


def test_a_nearly_numeric_column_is_settled_by_an_option():
    cells = [f"{1000 + i:,}" for i in range(N)]
    np.testing.assert_allclose(values(column(cells, thousands=",")), 1000 + np.arange(N))
    cells = [f"{i},5" for i in range(N)]
    np.testing.assert_allclose(values(column(cells, decimal=",")), np.arange(N) + 0.5)

    cells = ["?", *map(str, range(1, N))]
    assert values(column(cells, na_values="?", missing=-1))[0] == -1
    assert values(column(cells, numeric=["c"], missing=-1))[0] == -1
    assert (
        len(
            column(cells, categorical=["c"], val_fraction=0, test_fraction=0).columns.categories[
                "c"
            ]
        )
        == N
    )
    with pytest.raises(DataError, match=r"c of row 0 is '\?', no number"):
        column(cells, numeric=["c"])


def test_a_word_in_the_test_table_alone_is_refused_with_its_row():
    train = pd.DataFrame({"c": Y, "y": Y})
    test = train.astype({"c": object})
    test.loc[3, "c"] = "?"
    with pytest.raises(DataError, match=r"c of row 3 is '\?', no number"):
        loaded(train, test=test)


@pytest.mark.parametrize(
    "cells",
    [
        pd.date_range("2020-01-30", periods=N),
        pd.date_range("2020-01-30", periods=N).strftime("%Y-%m-%d"),
        pd.date_range("2020-01-30", periods=N, tz="UTC"),
        pd.date_range("2020-01-30", periods=N).date,
    ],
    ids=["datetimes", "text", "with a zone", "objects"],
)
def test_dates_are_parts_of_the_calendar(cells):
    data = column(cells)
    assert kinds(data) == ([], ["c"], [])
    (batch,) = data.splits["train"].source.batches(np.array([0, 2]), 2)
    days = (pd.Timestamp("2020-01-30") - pd.Timestamp(0)).days
    # days, year, month, day, weekday (a Thursday), hour
    expected = [[days, 2020, 1, 30, 3, 0], [days + 2, 2020, 2, 1, 5, 0]]
    np.testing.assert_allclose(batch[0]["numbers"], expected)


def test_dates_of_another_form_are_read_by_their_format():
    cells = [f"{1 + i % 28:02d}/02/2020" for i in range(N)]
    assert kinds(column(cells)) == ([], [], ["c"])
    data = column(cells, date_format="%d/%m/%Y")
    (batch,) = data.splits["train"].source.batches(np.array([1]), 1)
    assert batch[0]["numbers"].numpy()[0, 1:4].tolist() == [2020, 2, 2]


def test_row_numbers_that_a_file_kept_are_left_out_and_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    pd.DataFrame({"a": Y, "y": Y}).to_csv(tmp_path / "t.csv")
    data = loaded(tmp_path / "t.csv")
    assert data.columns.names == ["a"]
    assert "Unnamed: 0 is left out: row numbers" in caplog.text
    assert loaded(tmp_path / "t.csv", features=["Unnamed: 0"]).columns.names == ["Unnamed: 0"]


def test_a_column_without_values_is_refused():
    with pytest.raises(DataError, match=r"c has no value in any training row.*features="):
        column([np.nan] * N, missing=0)


def test_complex_numbers_are_refused():
    with pytest.raises(DataError, match=r"c has complex numbers.*\.real"):
        column(Y + 1j)


# ---- words that pandas takes for missing


def test_the_words_na_and_none_are_names_among_names_and_missing_among_numbers(tmp_path):
    rows = [f"{['NA', 'DE', 'FR'][i % 3]},{'NA' if i == 5 else i},{['None', 'mild'][i % 2]}"
            for i in range(N)]  # fmt: skip
    (tmp_path / "t.csv").write_text("country,x,pain\n" + "\n".join(rows))
    data = loaded(tmp_path / "t.csv", target="pain", classes=True, missing=7)
    assert data.columns.categories == {"country": ["DE", "FR", "NA"]}
    assert data.class_names == ["None", "mild"]
    assert values(data)[5] == 7
    with pytest.raises(DataError, match="x of row 5 is nan"):
        loaded(tmp_path / "t.csv", target="pain", classes=True)


def test_numbers_that_stand_for_missing_values_are_named():
    cells = [-999, *range(1, N)]
    assert values(column(cells, na_values=[-999], missing=0))[0] == 0


def test_rows_that_are_dropped_are_counted_with_the_column_that_lacks_most(caplog):
    table = pd.DataFrame({"age": Y, "cabin": ["C85", *[None] * (N - 1)], "y": Y})
    table.loc[3, "age"] = np.inf
    with pytest.raises(DataError):
        loaded(table)
    loaded(pd.concat([table] * 5, ignore_index=True), missing="drop", val_fraction=0,
           test_fraction=0)  # fmt: skip
    assert "leaves out 295 of 300 rows of the train table; cabin lacks most, 295" in caplog.text


# ---- what belongs together by its name


def test_a_pair_of_frames_keeps_names_and_dtypes_of_columns():
    frame = pd.DataFrame({"hp": Y, "town": ["Ulm", "Rom"] * (N // 2), "y": Y})
    data = loaded((frame[["hp", "town"]], frame.y), target=None)
    assert kinds(data) == (["hp"], [], ["town"])
    mixed = loaded((frame[["hp", "town"]].to_numpy(), Y), target=None)
    assert kinds(mixed) == (["x_0"], [], ["x_1"])


def test_a_pair_of_frames_in_different_orders_is_refused():
    x, y = pd.DataFrame({"a": Y}), pd.Series(Y[::-1], index=range(N)[::-1], name="y")
    with pytest.raises(DataError, match="indexes differ"):
        loaded((x, y), target=None)


def test_held_out_tables_are_read_by_the_columns_of_training():
    train = pd.DataFrame({"a": Y, "b": Y, "y": Y})
    other = pd.DataFrame({"y": Y, "extra": Y, "b": Y, "a": -Y})
    data = loaded(train, val=other, test=other)
    inputs, _ = next(iter(data.val_dataset()))
    assert inputs["numbers"].numpy()[1].tolist() == [-1, 1]
    with pytest.raises(DataError, match="The val table has no column 'b'"):
        loaded(train, val=other.drop(columns="b"))


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (pd.DataFrame(np.ones((N, 3)), columns=["a", "a", "y"]), {}, DataError, "'a' twice"),
        ({"a": Y, "y": Y}, {"features": ["a", "y"]}, ConfigurationError, "would learn itself"),
        ({"a": Y, "y": Y}, {"categorical": ["y"]}, ConfigurationError, "stands in categorical="),
        ({"a": Y, "y": Y}, {"numeric": "b"}, DataError, "no column 'b'; name one with numeric="),
        ({"a": Y, "y": Y}, {"numeric": "a", "categorical": "a"}, ConfigurationError, "both"),
        ({"a": Y, "y": Y}, {"decimal": ",", "thousands": ","}, ConfigurationError, "are both"),
        ({"a": Y, "y": Y}, {"thousands": ", "}, ConfigurationError, "must be one character"),
    ],
    ids=["twice", "target", "categorical", "numeric", "both", "marks", "mark"],
)
def test_columns_that_cannot_be_are_refused_by_name(table, options, error, message):
    with pytest.raises(error, match=message):
        loaded(table, **options)


def test_columns_of_an_array_are_named_by_their_numbers():
    data = loaded(pd.DataFrame(np.stack([Y, Y], axis=1)), target=1)
    assert (data.columns.names, data.targets) == (["0"], ["1"])


def test_rows_as_dicts_are_a_table():
    assert loaded([{"a": i, "y": i} for i in range(N)]).columns.names == ["a"]


# ---- held against training


def test_other_units_and_unknown_categories_of_held_out_rows_are_told(caplog):
    train = pd.DataFrame({"a": Y, "b": ["x", "y"] * (N // 2), "y": Y})
    loaded(train, val=train.iloc[:9], test=train.assign(a=Y * 1000, b="z"))
    assert (
        "a of the test rows lies around 29500, of the training rows between 0 and 59" in caplog.text
    )
    assert "b of 60 of 60 test rows is in no training row ('z')" in caplog.text
    assert "val rows" not in caplog.text


def test_what_was_read_is_told_in_one_line(caplog):
    caplog.set_level(logging.INFO)
    table = {"a": Y, "d": pd.date_range("2020", periods=N), "b": ["x", "y"] * (N // 2), "y": Y}
    data = loaded(table)
    assert data.summary in caplog.text
    assert data.summary.startswith(
        "The table: 60 rows (train 48, val 6, test 6); numbers a; dates d; categories b (2); "
        "target y"
    )


# ---- numbers that float32 cannot tell apart


@pytest.mark.parametrize("base", [1e9, -1.7e12, 1e6])
def test_numbers_far_from_zero_stay_different(base):
    data = loaded({"a": base + Y / 10, "y": base + Y / 10})
    assert data.precise_targets
    assert len(np.unique(values(data))) == N
    assert "float64" in data.summary


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_numbers_around_zero_stay_float32(scale):
    data = loaded({"a": scale * (Y - 30), "y": scale * Y})
    assert values(data).dtype == np.float32
    assert not data.precise_targets


def test_an_outlier_does_not_hide_that_the_others_lie_close():
    data = loaded({"a": np.where(Y == 3, 0.0, 1.7e9 + Y), "y": Y})
    assert len(np.unique(values(data))) == N


# ---- files of text


def test_codes_of_a_long_file_are_text_in_all_rows(tmp_path):
    codes = ["007"] * 200_000 + ["x7"]  # by pieces, pandas would take the first ones for 7
    pd.DataFrame({"a": codes, "y": 1.0}).to_csv(tmp_path / "long.csv", index=False)
    data = loaded(tmp_path / "long.csv", val_fraction=0.0, test_fraction=0.0, categorical=["a"])
    assert data.columns.categories == {"a": ["007", "x7"]}


def test_separators_and_marks_of_a_file_are_named(tmp_path):
    path = tmp_path / "t.csv"
    rows = "\n".join(f"{i},5;1.{i:03d}" for i in range(N))
    path.write_text(f"c;y\n{rows}")
    data = loaded(path, sep=";", decimal=",", thousands=".")
    np.testing.assert_allclose(values(data), np.arange(N) + 0.5)
    (batch,) = data.splits["train"].source.batches(np.array([7]), 1)
    assert batch[1].numpy().tolist() == [[1007.0]]
    with pytest.raises(DataError, match="sep="):
        loaded(path)


def test_a_cell_that_is_a_list_is_refused_by_name():
    table = pd.DataFrame({"a": [1.0, 2.0], "tags": ["x", ["x", "y"]], "y": [0.0, 1.0]})
    with pytest.raises(DataError, match="tags of row 1 is a list; make a column of each"):
        FeatureTable(table, target="y", val_fraction=0, test_fraction=0).setup("fit")
