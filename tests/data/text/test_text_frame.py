"""Texts of tables in memory."""

import pandas as pd
import pytest

from lightning_tf.data import text_data
from lightning_tf.exceptions import DataError

ROWS = {"review": ["good", "fine", "dull", "poor"] * 3, "stars": [2, 2, 1, 1] * 3}


@pytest.mark.parametrize("make", [pd.DataFrame, lambda rows: pd.DataFrame(rows).to_dict("records")])
def test_frames_and_rows_are_texts_and_labels(make):
    data = text_data(make(ROWS), text_column="review", label_column="stars", val_fraction=0.0)
    data.setup("fit")
    assert data.class_names == ["1", "2"]
    ((texts, labels),) = data.train_dataset(0).as_numpy_iterator()
    assert {(t.decode(), int(n)) for t, n in zip(texts, labels, strict=True)} == {
        ("good", 1), ("fine", 1), ("dull", 0), ("poor", 0),
    }  # fmt: skip
    with pytest.raises(DataError, match="text_column="):
        text_data(make(ROWS), label_column="stars").setup("fit")
