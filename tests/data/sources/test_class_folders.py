"""Class folders: what is listed, for images and texts alike."""

import pytest

from lightning_tf.data.sources.class_folders import class_files
from lightning_tf.exceptions import ConfigurationError, DataError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(root, **options):
    names, files = class_files(root, "texts", (".txt",), **options)
    return names, {
        split: [(path.rsplit("/", 1)[1], names[label]) for path, label in zip(*pair, strict=True)]
        for split, pair in files.items()
    }


def test_files_are_listed_by_class_and_name_without_hidden_ones(tmp_path):
    touch(tmp_path, "b/2.txt", "b/1.TXT", "b/._1.txt", "b/notes.md", "a/3.txt", ".git/x.txt")
    assert listed(tmp_path) == (
        ["a", "b"],
        {"train": [("3.txt", "a"), ("1.TXT", "b"), ("2.txt", "b")]},
    )


def test_chosen_classes_have_their_order_and_a_held_out_split_may_lack_one(tmp_path):
    touch(tmp_path, "train/a/1.txt", "train/b/2.txt", "train/c/3.txt", "validation/b/4.txt")
    assert listed(tmp_path, classes=["b", "a"]) == (
        ["b", "a"],
        {"train": [("2.txt", "b"), ("1.txt", "a")], "val": [("4.txt", "b")]},
    )


def test_a_class_that_is_not_there_is_named(tmp_path):
    touch(tmp_path, "train/a/1.txt", "train/b/2.txt", "test/c/3.txt")
    with pytest.raises(ConfigurationError, match="train has no class 'd'"):
        class_files(tmp_path, "texts", (".txt",), ["a", "d"])
    with pytest.raises(DataError, match="test has classes that training does not: c"):
        class_files(tmp_path, "texts", (".txt",))
