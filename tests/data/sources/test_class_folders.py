"""Class folders: what is listed, what is left out and said, for images and texts alike."""

import os

import pytest

from lightning_tf.data.sources.class_folders import class_files
from lightning_tf.data.sources.split_folders import EITHER, SPLIT_NAMES
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


def test_files_lie_at_any_depth_and_behind_links(tmp_path):
    touch(tmp_path / "data", "a/1.txt", "a/more/2.txt", "a/more/still/3.txt", "b/4.txt")
    touch(tmp_path / "elsewhere", "5.txt", "deep/6.txt")
    os.symlink(tmp_path / "elsewhere", tmp_path / "data" / "c")
    os.symlink(tmp_path / "elsewhere", tmp_path / "data" / "b" / "linked")
    os.symlink(tmp_path / "data" / "a", tmp_path / "data" / "a" / "more" / "loop")
    names, files = listed(tmp_path / "data")
    assert names == ["a", "b", "c"]
    assert [(name, label) for name, label in files["train"] if label == "a"] == [
        ("1.txt", "a"),
        ("2.txt", "a"),
        ("3.txt", "a"),
    ]
    assert sorted(name for name, label in files["train"] if label != "a") == [
        "4.txt",
        "5.txt",
        "5.txt",
        "6.txt",
        "6.txt",
    ]


KNOWN = [(split, name) for split, names in SPLIT_NAMES.items() for name in names]


@pytest.mark.parametrize(("split", "name"), KNOWN)
@pytest.mark.parametrize("change", [str.lower, str.capitalize, str.upper])
def test_every_name_of_a_split_is_known_in_any_case(tmp_path, split, name, change):
    folders = {"train": "train", "val": "val", "test": "test"} | {split: change(name)}
    for folder in folders.values():
        touch(tmp_path, f"{folder}/a/1.txt", f"{folder}/b/2.txt")
    assert {n: len(files) for n, files in listed(tmp_path)[1].items()} == dict.fromkeys(folders, 2)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], {"train", "val"}),
        (["dev"], {"train", "val", "test"}),
        (["test"], {"train", "val", "test"}),
    ],
)
@pytest.mark.parametrize("either", EITHER)
def test_eval_is_the_split_that_is_missing(tmp_path, either, others, expected):
    for folder in ("train", either, *others):
        touch(tmp_path, f"{folder}/a/1.txt", f"{folder}/b/2.txt")
    assert set(listed(tmp_path)[1]) == expected


def test_a_class_may_be_called_train(tmp_path):
    touch(tmp_path, "train/1.txt", "bus/2.txt", "test/3.txt")
    assert listed(tmp_path)[0] == ["bus", "test", "train"]
    touch(tmp_path, "train/older/4.txt")
    assert listed(tmp_path)[0] == ["bus", "test", "train"]
    assert listed(tmp_path, splits={"train": "."})[0] == ["bus", "test", "train"]


def test_splits_settle_what_each_folder_is(tmp_path):
    for folder in ("part1", "part2", "more/part3"):
        touch(tmp_path, f"{folder}/a/1.txt", f"{folder}/b/2.txt")
    chosen = {"train": "part1", "test": "more/part3"}
    assert set(listed(tmp_path, splits=chosen)[1]) == {"train", "test"}
    with pytest.raises(ConfigurationError, match="splits has no split 'tset'"):
        listed(tmp_path, splits={"train": "part1", "tset": "part2"})
    with pytest.raises(DataError, match="part9 is no folder"):
        listed(tmp_path, splits={"train": "part9"})
    with pytest.raises(DataError, match="names no folder to train on"):
        listed(tmp_path, splits={"val": "part1"})


def test_folders_of_splits_without_training_are_refused(tmp_path):
    touch(tmp_path, "val/a/1.txt", "test/a/1.txt", "test/b/1.txt")
    with pytest.raises(DataError, match=r"val, test and none to train on; name it with splits="):
        listed(tmp_path)


def test_what_is_left_out_is_counted_with_the_reason_in_one_line(tmp_path, caplog):
    caplog.set_level("INFO", "lightning_tf")
    touch(tmp_path, "train/a/1.txt", "train/b/2.txt", "train/b/3.md", "train/b/4", "train/b/.5.txt")
    touch(tmp_path, "train/stray.txt", "val/a/1.txt", "validation/a/1.txt", "extra/a/1.txt")
    touch(tmp_path, "train/b/.cache/6.txt", "train/__MACOSX/7.txt")
    listed(tmp_path)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for part in (
        "3 texts (train 2, val 1) of 2 classes: a 2, b 1.",
        "1 of .md",
        "1 without an ending",
        "1 hidden",
        "1 in hidden folders",
        "1 beside the class folders of train",
        "1 in validation, a second folder of val (see splits=)",
        "1 in extra, a folder of no split (see splits=)",
    ):
        assert part in record.message


def test_what_is_read_is_said_where_nothing_is_left_out(tmp_path, caplog):
    caplog.set_level("INFO", "lightning_tf")
    touch(tmp_path, "a/1.txt", "b/2.txt", "b/.DS_Store")
    listed(tmp_path)
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.message.endswith("a 1, b 1. Left out: 1 hidden.")


def test_names_that_are_no_utf8_can_be_printed(tmp_path, caplog):
    caplog.set_level("INFO", "lightning_tf")
    touch(tmp_path, "a/1.txt")
    os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
    with open(os.fsencode(tmp_path) + b"/caf\xe9/\xe9.txt", "wb"):
        pass
    names, files = class_files(tmp_path, "texts", (".txt",))
    assert names == ["a", "caf\\xe9"]
    assert os.path.exists(files["train"][0][1])
    assert caplog.text.encode()
