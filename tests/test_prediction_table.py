"""A PredictionTable is written and read back as it was, and drawn as grids."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lightning_tf import PredictionTable
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.prediction_columns import (
    class_columns,
    label_columns,
    named_columns,
    number_columns,
    parts_of,
    value_columns,
)

ODD = ["a,b.png", "q\"uote'.png", "line\nbreak ünï 猫.png", " =1+1 .png"]
TABLE = {
    "file": ODD,
    "label": ["NA", "cat, dog", "ü\n", "007"],
    "class": np.array([0, 2**40, 1, 7]),
    "probability": np.array([1e-30, 1 / 3, 0.1, 1.0], "float32"),
}


def test_csv_jsonl_and_parquet_come_back_as_they_were(tmp_path):
    table = PredictionTable(TABLE)
    as_text = {"keep_default_na": False, "dtype": {"label": str}}
    read = {
        "csv": lambda path: pd.read_csv(path, **as_text),
        "jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text("utf-8").splitlines())),
        "parquet": pd.read_parquet,
    }
    for kind, reader in read.items():
        again = reader(table.save(tmp_path / f"made/table.{kind}"))
        assert list(again) == list(TABLE), kind
        assert again["file"].tolist() == ODD, kind
        assert again["label"].tolist() == TABLE["label"], kind
        assert again["class"].tolist() == TABLE["class"].tolist(), kind
        assert again["class"].dtype == np.int64, kind
        probability = again["probability"].to_numpy("float32")
        assert probability.tolist() == TABLE["probability"].tolist(), kind
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "table.csv",
        "table.jsonl",
        "table.parquet",
    ]


def test_npz_holds_an_array_for_each_column_without_pickle(tmp_path):
    with np.load(PredictionTable(TABLE).save(tmp_path / "table.npz")) as arrays:
        assert arrays["file"].tolist() == ODD
        assert arrays["class"].tolist() == TABLE["class"].tolist()


def test_a_file_that_stands_there_is_replaced(tmp_path):
    path = PredictionTable({"row": [1]}).save(tmp_path / "t.csv")
    PredictionTable({"row": [2]}).save(path)
    assert path.read_text() == "row\n2\n"


def test_nothing_is_null_in_json_and_plain_in_records():
    records = PredictionTable({"a": [1.5, np.nan], "b": [True, False], "c": ["x", None]}).records()
    assert records == [{"a": 1.5, "b": True, "c": "x"}, {"a": None, "b": False, "c": None}]


def test_another_ending_and_a_missing_package_are_refused(tmp_path, monkeypatch):
    table = PredictionTable({"row": [1]})
    with pytest.raises(ConfigurationError, match=r"'t\.xls': a table is written as one of \.csv"):
        table.save("t.xls")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"lightning-tf\[parquet\]"):
        table.save(tmp_path / "t.parquet")


def test_sheets_show_every_image_and_are_numbered(tmp_path):
    images = np.random.default_rng(0).random((50, 6, 6, 3))
    columns = {
        "file": [f"photo {i} $x$ 猫.png" for i in range(50)],
        "label": ["a long $ label"] * 50,
    }
    table = PredictionTable({**columns, "probability": [0.5] * 50}, lambda rows: images[rows])
    sheets = table.save_image_grid(tmp_path / "sheet.png")
    assert [path.name for path in sheets] == ["sheet.png", "sheet_2.png"]
    with Image.open(sheets[0]) as sheet:
        assert min(sheet.size) > 500
    assert len(table.save_image_grid(tmp_path / "few.png", count=3)) == 1
    with pytest.raises(ConfigurationError, match="there are none"):
        PredictionTable({"row": [1]}).save_image_grid(tmp_path / "none.png")


def test_a_notebook_shows_rows_without_markup_of_labels():
    html = PredictionTable({"label": ["<b>cat</b>"]})._repr_html_()
    assert "&lt;b&gt;cat" in html


def test_classes_have_label_number_and_probabilities():
    columns = class_columns(np.array([[0.2, 0.8], [0.6, 0.4]]), ["cat", "dog"])
    assert list(columns) == ["label", "class", "probability", "probability_cat", "probability_dog"]
    assert columns["label"].tolist() == ["dog", "cat"]
    assert columns["probability"].tolist() == [0.8, 0.6]


def test_of_very_many_classes_the_best_have_columns():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(200), 3)
    columns = class_columns(probabilities, [f"c{i}" for i in range(200)])
    assert list(columns)[3:5] == ["label_2", "probability_2"]
    assert len(columns) == 3 + 2 * 4
    second = [f"c{np.argsort(row)[-2]}" for row in probabilities]
    assert columns["label_2"].tolist() == second


def test_several_labels_are_joined_and_numbers_have_their_names():
    labels = label_columns(np.array([[0.9, 0.8], [0.1, 0.2]]), ["sea", "sun"])
    assert labels["label"].tolist() == ["sea|sun", ""]
    assert list(number_columns(np.zeros((2, 1)), ["price"])) == ["price"]
    assert list(number_columns(np.zeros((2, 2)), ["0", "1"])) == ["value_0", "value_1"]
    assert list(number_columns(np.zeros((2, 1)), ["0"])) == ["value"]


def test_a_predicted_column_never_hides_the_name_of_the_examples():
    assert list(named_columns({"row": [0]}, {"row": [1.0]})) == ["row", "predicted_row"]


def test_parts_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="first dimension of every part"):
        value_columns(parts_of({"a": np.zeros(3), "b": np.zeros(2)}))
