"""Texts to predict come as texts, columns, tables, lines and files."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lightning_tf.data.text.new_texts import new_texts
from lightning_tf.exceptions import DataError

TEXTS = ["NA", 'a "quoted", one', "two\nlines 猫"]


def read(data, **options):
    examples = new_texts(data, **options)
    (batch,) = examples.batches(10)
    return {n: list(v) for n, v in examples.names.items()}, [text.decode() for text in batch]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        pl.Series,
        lambda texts: [text.encode() for text in texts],
        lambda texts: pd.DataFrame({"text": texts, "label": 0}),
        lambda texts: pl.DataFrame({"text": texts}),
        lambda texts: {"text": texts},
        lambda texts: [{"text": text, "id": i} for i, text in enumerate(texts)],
    ],
    ids=[
        "list",
        "tuple",
        "array",
        "Series",
        "polars",
        "bytes",
        "frame",
        "polars frame",
        "dict",
        "rows",
    ],
)
def test_every_form_of_several_texts_is_read_in_its_order(make):
    assert read(make(TEXTS)) == ({"row": [0, 1, 2], "text": TEXTS}, TEXTS)


def test_one_text_and_one_row_are_enough():
    assert read("one, text") == ({"row": [0], "text": ["one, text"]}, ["one, text"])
    assert read({"text": "one", "stars": 3})[1] == ["one"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_file_is_read_with_its_column(kind, tmp_path):
    table = pd.DataFrame({"id": [1, 2, 3], "review": TEXTS})
    path = tmp_path / f"t.{kind}"
    {
        "csv": lambda: table.to_csv(path, index=False),
        "jsonl": lambda: table.to_json(path, orient="records", lines=True),
        "parquet": lambda: table.to_parquet(path),
    }[kind]()
    for given in (path, str(path)):
        assert read(given, text_column="review")[1] == TEXTS
    with pytest.raises(DataError, match=r"no column 'text'.*text_column"):
        read(path)


def test_blank_lines_of_a_lone_column_are_texts_so_that_rows_keep_their_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text\ngreat\n""\n   \n!!!\n\nbad\n')
    assert read(path) == (
        {"row": [0, 1, 2, 3, 4, 5], "text": ["great", "", "   ", "!!!", "", "bad"]},
        ["great", "", "   ", "!!!", "", "bad"],
    )
    path.write_text("text\n \n")
    assert read(path)[1] == [" "]
    path.write_text("\ntext\ngreat\n")
    assert read(path)[1] == ["great"]
    path.write_text("text,label\ngreat,1\n\nbad,0\n")  # here it is no row
    assert read(path)[1] == ["great", "bad"]


def test_a_path_is_a_file_of_lines_or_a_folder_of_files(tmp_path, caplog):
    (tmp_path / "t.txt").write_text("one\n\ntwo, 猫\n", encoding="utf-8")
    assert read(tmp_path / "t.txt")[1] == ["one", "", "two, 猫"]
    assert read(str(tmp_path / "t.txt"))[1] == ["one", "", "two, 猫"]
    assert "t.txt is a file: what it holds is read" in caplog.text
    assert read([str(tmp_path / "t.txt")])[1] == [str(tmp_path / "t.txt")]  # a text of a list
    (tmp_path / "in/b").mkdir(parents=True)
    (tmp_path / "in/b/x.txt").write_text("two\nlines")
    (tmp_path / "in/a.txt").write_text("one")
    assert read(tmp_path / "in") == ({"file": ["a.txt", "b/x.txt"]}, ["one", "two\nlines"])


def test_what_is_no_text_is_named(tmp_path):
    with pytest.raises(DataError, match="text 1 is None, and 1 of 2"):
        read(["a", None])
    with pytest.raises(DataError, match="no texts"):
        read([])
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "empty.txt")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no text files"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read as text"):
        read(Path("nowhere.txt"))
    (tmp_path / "latin.txt").write_bytes("süß".encode("latin-1"))
    with pytest.raises(DataError, match="encoding='utf-8'"):
        read(tmp_path / "latin.txt")
    assert read(tmp_path / "latin.txt", encoding="latin-1")[1] == ["süß"]


@pytest.mark.parametrize("name", ["nofile.csv", "no/l.TXT", "t.parquet"])
def test_a_text_that_can_only_be_a_missing_file_is_refused(name):
    with pytest.raises(DataError, match=rf"{name} is no file that is there.*\['{name}'\]"):
        read(name)
    assert read([name])[1] == [name]


@pytest.mark.parametrize("text", ["see a.txt", "", "~nobody here", "a\0b", "long " * 5000])
def test_texts_that_are_no_names_of_files_are_texts(text):
    assert read(text)[1] == [text]


def test_numbers_are_no_texts_and_a_column_of_an_array_is_one():
    for numbers in ([1, 2], (1, 2), np.array([1, 2], object), pd.Series([1, 2])):
        with pytest.raises(DataError, match="text 0 is 1, and 2 of 2 are no texts"):
            read(numbers)
    assert read(np.array([["good"], ["bad"]]))[1] == ["good", "bad"]
    with pytest.raises(DataError, match=r"shape \(1, 2\); give \(texts,\)"):
        read(np.array([["good", "bad"]]))


def test_pairs_and_numbers_are_left_to_others():
    assert new_texts((["a"], [0])) is None
    assert new_texts([[1, 2], [3, 4]]) is None
