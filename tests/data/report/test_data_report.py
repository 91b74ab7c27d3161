"""DataReport: what data are is told before training, and drawn."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf import DataModule
from lightning_tf.data import ArrayData, DataReport, TextArrays
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification, Regression, TimeSeriesForecast

RANDOM = np.random.default_rng(0)


def images(count=30):
    return RANDOM.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def test_classes_and_their_balance_are_counted():
    y = np.array([0] * 40 + [1] * 9 + [2])
    report = ImageClassification(
        (images(50), y), data_options={"class_names": ["cat", "dog", "emu"], "val_fraction": 0}
    ).describe()
    text = str(report)
    assert "50 examples in 2 batches" in text
    assert "input: uint8 (8, 8, 1), 0 to 255" in text
    assert "3 classes: cat 40, dog 9, emu 1" in text


def test_examples_that_come_twice_or_in_train_and_test_are_counted():
    x = images(20)
    data = ArrayData(np.concatenate([x, x[:3]]), np.zeros(23), test=(x[:5], np.zeros(5)),
                     val_fraction=0)  # fmt: skip
    report = DataReport(data)
    assert report.splits["train"].repeated == 3
    assert report.leaked == {"test": 5}
    assert "5 examples have an input that train has too" in str(report)
    assert "3 examples repeat the input of one before" in str(report)


def test_missing_values_and_ranges_are_told():
    x = np.array([[np.nan, 1.0], [2.0, 3.0]], np.float32)

    class Holes(DataModule):
        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensor_slices({"a": x}).batch(2)

    assert "input a: float32 (2,), 1 to 3, mean 2, 1 missing" in str(DataReport(Holes()))


def test_texts_are_measured_in_characters():
    data = TextArrays((["abc", "défgh"] * 5, ["x", "y"] * 5), val_fraction=0)
    assert "input: text, 3 to 5 characters, mean 4" in str(DataReport(data))


def test_what_a_table_is_taken_for_is_told_first():
    table = {"rooms": np.arange(30.0), "price": np.arange(30.0)}
    report = str(Regression(table, "price").describe())
    assert report.startswith(
        "The table: 30 rows (train 24, val 3, test 3); numbers rooms; target price."
    )
    assert "  rooms: float32, 0 to" in report
    assert "  price: float32, 0 to" in report


def test_a_long_split_is_cut_and_that_is_told():
    data = ArrayData(np.zeros((100, 2), np.float32), val_fraction=0)
    report = DataReport(data, max_examples=40)
    assert "at least 64 examples in 2 batches" in str(report)


def test_no_data_are_told():
    with pytest.raises(DataError, match="has no data to look at"):
        DataReport(DataModule())
    with pytest.raises(ConfigurationError, match="max_examples"):
        DataReport(DataModule(), max_examples=0)


@pytest.mark.parametrize("kind", ["images", "series", "texts", "columns"])
def test_some_examples_are_drawn(tmp_path, kind):
    data = {
        "images": lambda: ArrayData(images(), np.arange(30) % 3),
        "series": lambda: TimeSeriesForecast(np.sin(np.arange(200)), history=9).data,
        "texts": lambda: TextArrays((["a $ text", "no"] * 9, ["x", "y"] * 9)),
        "columns": lambda: ArrayData(RANDOM.normal(size=(50, 3)), np.arange(50.0)),
    }[kind]()
    report = DataReport(data)
    figure = report.figure()
    axes = {"images": 1, "series": 6, "texts": 0, "columns": 3}[kind]
    assert len(figure.axes) == axes
    assert sum(len(axes.images) for axes in figure.axes) == (25 if kind == "images" else 0)
    assert bool(figure.texts) == (kind == "texts")
    text, drawn = report.save(tmp_path / "inspected")
    assert text.read_text() == f"{report}\n"
    assert drawn.read_bytes().startswith(b"\x89PNG")
