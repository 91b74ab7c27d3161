"""Folders of text files."""

import logging

import pytest
from helpers.texts import texts

from lightning_tf.data import TextArrays, TextFolder
from lightning_tf.exceptions import ConfigurationError, DataError


def written(root, count=12, names=("bad", "good")):
    for number, (text, label) in enumerate(zip(*texts(count), strict=True)):
        folder = root / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    return root


def sizes(data):
    data.setup("fit")
    return {name: len(split.indices) for name, split in data.splits.items()}


def test_a_folder_of_classes_is_split(tmp_path):
    data = TextFolder(written(tmp_path), val_fraction=0.25)
    assert sizes(data) == {"train": 9, "val": 3}
    assert data.class_names == ["bad", "good"]


def test_folders_of_splits_are_used_and_others_left_out(tmp_path):
    written(tmp_path / "train")
    written(tmp_path / "test", 4)
    (tmp_path / "train" / "unsup").mkdir()
    (tmp_path / "train" / "unsup" / "0.txt").write_text("nobody knows")
    assert sizes(TextFolder(tmp_path, classes=["good", "bad"])) == {
        "train": 11,
        "val": 1,
        "test": 4,
    }
    with pytest.raises(DataError, match="Class 'unsup' has 1"):
        TextFolder(tmp_path).setup("fit")


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        TextFolder(tmp_path / "gone").setup("fit")
    with pytest.raises(DataError, match="no class folders"):
        TextFolder(tmp_path).setup("fit")
    root = written(tmp_path / "root")
    with pytest.raises(ConfigurationError, match="Did you mean 'good'"):
        TextFolder(root, classes=["god", "bad"]).setup("fit")
    (root / "bad" / "x.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"x\.txt cannot be read in utf-8"):
        TextFolder(root).setup("fit")
    assert sizes(TextFolder(root, encoding="latin-1")) == {"train": 12, "val": 1}
    (root / "bad" / "x.txt").unlink()
    (root / "none").mkdir()
    with pytest.raises(DataError, match=r"holds no texts"):
        TextFolder(root).setup("fit")


def flat(dataset):
    return [(x.tolist(), y.tolist()) for x, y in dataset.as_numpy_iterator()]


def test_batches_are_those_of_the_same_texts_in_memory(tmp_path):
    strings, labels = texts(30)
    folders = {"bad": [], "good": []}
    for text, label in zip(strings, labels, strict=True):
        folders[("bad", "good")[label]].append(text)
    pairs = [(text, name) for name, listed in folders.items() for text in listed]
    options = {"batch_size": 4, "val_fraction": 0.2, "test_fraction": 0.2, "seed": 5}
    kept = TextArrays(tuple(zip(*pairs, strict=True)), **options)
    data = TextFolder(written(tmp_path, 30), **options)
    data.setup("fit")
    assert data.train_dataset(0).element_spec == kept.train_dataset(0).element_spec
    for stage in ("train", "val", "test"):
        assert flat(data.dataset_for(stage, 1)) == flat(kept.dataset_for(stage, 1))
    assert flat(data.dataset_for("train", 2, 3)) == flat(kept.dataset_for("train", 2, 3))
    [one], [other] = data.predict_dataset().take(1), kept.predict_dataset().take(1)
    assert one.numpy().tolist() == other.numpy().tolist()


def test_a_batch_reads_its_files(tmp_path):
    data = TextFolder(written(tmp_path), val_fraction=0.0)
    data.setup("fit")
    (tmp_path / "bad" / "000.txt").write_text("changed since")
    assert b"changed since" in [text for texts, _ in flat(data.train_dataset(0)) for text in texts]


def test_an_empty_file_is_named_or_left_out_by_its_place_in_its_split(tmp_path, caplog):
    written(tmp_path / "train")
    written(tmp_path / "test", 4)
    (tmp_path / "test" / "good" / "001.txt").write_text(" \r\n")
    with pytest.raises(DataError, match="1 of 4 test texts are empty, the first at index 2"):
        TextFolder(tmp_path).setup("fit")
    with caplog.at_level(logging.WARNING):
        data = TextFolder(tmp_path, empty="skip", val_fraction=0.0)
        assert sizes(data) == {"train": 12, "test": 3}
    assert "first at index 2. They are skipped" in caplog.text
    assert [labels for _, labels in flat(data.test_dataset())] == [[0, 0, 1]]


def test_texts_to_predict_and_names_of_classes_can_be_given(tmp_path):
    data = TextFolder(written(tmp_path), predict=["a film"], class_names=["good", "bad"])
    data.setup("fit")
    assert data.class_names == ["good", "bad"]
    assert [batch.tolist() for batch in data.predict_dataset().as_numpy_iterator()] == [[b"a film"]]
