import logging
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from lightning_tf.exceptions import DataError
from lightning_tf.storage.remote_data import local_data
from lightning_tf.tasks import TabularClassification

FOLDER = "memory://bucket/photos"


def put(path, content):
    fsspec.filesystem("memory").pipe(path, content)


def test_a_folder_is_fetched_once_said_in_one_line_and_again_where_it_changed(caplog):
    caplog.set_level(logging.INFO)
    put("/bucket/photos/cats/1.txt", b"one")
    put("/bucket/photos/dogs/2.txt", b"two")
    here = Path(local_data(FOLDER))
    assert (here / "cats/1.txt").read_bytes() == b"one"
    assert [r.message for r in caplog.records] == [
        f"{FOLDER}: fetching 2 files, 0.0 MB, into {here}."
    ]

    caplog.clear()
    assert Path(local_data(FOLDER)) == here
    assert not caplog.records
    put("/bucket/photos/cats/1.txt", b"ONE")
    fsspec.filesystem("memory").rm("/bucket/photos/dogs/2.txt")
    local_data(FOLDER)
    assert (here / "cats/1.txt").read_bytes() == b"ONE"
    assert not (here / "dogs/2.txt").exists()
    assert "fetching 1 files" in caplog.text


def test_a_table_is_fetched_and_its_url_recorded():
    text = pd.DataFrame({"a": range(40), "b": ["x", "y"] * 20}).to_csv(index=False)
    put("/bucket/table.csv", text.encode())
    task = TabularClassification(data="memory://bucket/table.csv", target="b")
    assert task.hparams["data"] == "memory://bucket/table.csv"
    task.data.setup("fit")
    assert Path(local_data("memory://bucket/table.csv")).read_text() == text


def test_what_is_no_url_is_returned_as_it_is():
    pair = ([1], [2])
    assert local_data(pair) is pair
    assert local_data("digits") == "digits"
    assert local_data({"train": "a"}) == {"train": "a"}


def test_nothing_and_no_answer_are_named(switched):
    with pytest.raises(DataError, match="memory://bucket/none': there is nothing"):
        local_data("memory://bucket/none")
    switched.away = True
    with pytest.raises(DataError, match=r"cannot be read: .*does not answer"):
        local_data("switched://bucket/photos")


def test_what_is_not_there_leaves_nothing_in_the_data_of_another_url():
    put("/bucket/photos/1.txt", b"one")
    here = Path(local_data(FOLDER))
    with pytest.raises(DataError, match="there is nothing"):
        local_data(f"{FOLDER}/nothere")
    assert [path.name for path in here.iterdir()] == ["1.txt"]
