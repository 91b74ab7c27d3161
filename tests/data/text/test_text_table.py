"""Tables of texts: CSV, TSV and Parquet with named columns."""

import pandas as pd
import pytest
from helpers.texts import texts

from lightning_tf.data import TextTable
from lightning_tf.exceptions import DataError


def table(count=20):
    x, y = texts(count)
    return pd.DataFrame({"review": x, "stars": [f"0{label}" for label in y], "other": 1})


COLUMNS = {"text_column": "review", "label_column": "stars"}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_every_kind_of_file_gives_the_same(tmp_path, ending):
    path = tmp_path / f"reviews{ending}"
    if ending == ".parquet":
        table().to_parquet(path)
    else:
        table().to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    data = TextTable(path, **COLUMNS)
    data.setup("fit")
    assert data.class_names == ["00", "01"]
    assert {name: len(split.indices) for name, split in data.splits.items()} == {
        "train": 18,
        "val": 2,
    }
    read = [text.decode() for text, _ in data.train_dataset(0).unbatch().as_numpy_iterator()]
    assert set(read) <= set(table()["review"])


def test_a_text_that_says_na_is_a_text_and_quotes_and_lines_stay(tmp_path):
    x = ["NA", 'he said "no"\nand left, twice', "null", "fine"]
    pd.DataFrame({"text": x, "label": [0, 1, 0, 1]}).to_csv(tmp_path / "t.csv", index=False)
    data = TextTable(tmp_path / "t.csv", val_fraction=0.0)
    data.setup("fit")
    read = {text.decode() for text, _ in data.train_dataset(0).unbatch().as_numpy_iterator()}
    assert read == set(x)


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    table().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"no column 'reviw'.*text_column=.*Did you mean 'review'"):
        TextTable(tmp_path / "t.csv", text_column="reviw", label_column="stars").setup("fit")
    with pytest.raises(DataError, match=r"no column 'label'.*label_column=.*Known: other, review"):
        TextTable(tmp_path / "t.csv", text_column="review").setup("fit")


def test_a_missing_cell_is_named(tmp_path):
    broken = table()
    broken.loc[3, "review"] = None
    broken.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="index 3"):
        TextTable(tmp_path / "t.parquet", **COLUMNS).setup("fit")
    broken.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="empty, the first at index 3"):
        TextTable(tmp_path / "t.csv", **COLUMNS).setup("fit")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"no table")
    (tmp_path / "t.csv").write_bytes("review,stars\ncaf\xe9,1\n".encode("latin-1"))
    for name, word in (("t.parquet", "t.parquet"), ("t.csv", "encoding='utf-8'")):
        with pytest.raises(DataError, match=word):
            TextTable(tmp_path / name, **COLUMNS).setup("fit")
    with pytest.raises(DataError, match="is no file"):
        TextTable(tmp_path / "gone.csv").setup("fit")
