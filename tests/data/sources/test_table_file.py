"""read_table: tables of every library and file type that pandas or narwhals reads."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lightning_tf.data.sources.table_file import read_table
from lightning_tf.exceptions import ConfigurationError, DataError

ROWS = {"rooms": [2, 3], "town": ["Ulm", "Rom"], "area": [50.5, None]}
TABLE = pd.DataFrame(ROWS)


@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame, pa.table, pd.DataFrame, dict])
def test_tables_of_every_library_are_one_table(make):
    table = read_table(make(ROWS))
    assert table.columns.tolist() == list(ROWS)
    pd.testing.assert_frame_equal(table, TABLE, check_dtype=False)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "parquet", "jsonl", "jsonl.gz", "xlsx"])
def test_files_of_every_type_are_one_table(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    write = {
        "csv": lambda: TABLE.to_csv(path, index=False),
        "tsv": lambda: TABLE.to_csv(path, sep="\t", index=False),
        "parquet": lambda: TABLE.to_parquet(path),
        "jsonl": lambda: TABLE.to_json(path, orient="records", lines=True),
        "xlsx": lambda: TABLE.to_excel(path, index=False),
    }
    write[ending.removesuffix(".gz")]()
    pd.testing.assert_frame_equal(read_table(path), TABLE, check_dtype=False)


def test_what_is_no_table_is_refused():
    with pytest.raises(ConfigurationError, match="data is a int"):
        read_table(3)
    with pytest.raises(DataError, match="has no rows"):
        read_table(pl.DataFrame({"a": []}))


def test_a_named_index_that_is_left_out_is_told(caplog):
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="town"))
    assert read_table(frame).columns.tolist() == ["a"]
    assert "the index 'town' of the table is no column" in caplog.text
    caplog.clear()
    read_table(frame.rename_axis(None))
    assert not caplog.text


def test_a_dict_of_single_values_is_one_row():
    assert read_table({"a": 1, "b": "x"}).to_dict("records") == [{"a": 1, "b": "x"}]
