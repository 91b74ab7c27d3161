"""Folders of text files."""

import pytest
from texts import texts

from lightning_tf.data.text_folder import TextFolder
from lightning_tf.exceptions import ConfigurationError, DataError


def written(root, count=12, names=("bad", "good")):
    for number, (text, label) in enumerate(zip(*texts(count), strict=True)):
        folder = root / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    return root


def sizes(data):
    data.setup("fit")
    return {name: len(part.indices) for name, part in data.parts.items()}


def test_a_folder_of_classes_is_split(tmp_path):
    data = TextFolder(written(tmp_path), val_fraction=0.25)
    assert sizes(data) == {"train": 9, "val": 3}
    assert data.class_names == ["bad", "good"]


def test_folders_of_parts_are_used_and_others_left_out(tmp_path):
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
    with pytest.raises(DataError, match=r"holds no \.txt files"):
        TextFolder(root).setup("fit")
