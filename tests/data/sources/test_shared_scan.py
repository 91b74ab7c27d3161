"""Files are looked at once, by all workers together; what one finds, all know."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers import folder_cases
from helpers.on_workers import run
from helpers.replicated import furthest, outcome
from helpers.texts import texts

from lightning_tf.data import TextArrays, UnlabeledImageFolder
from lightning_tf.data.sources.shared_scan import shared_scan
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.distribute.workers import SINGLE_WORKER
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words


def test_one_worker_looks_at_everything(tmp_path):
    seen = []

    def scan(shard):
        seen.append(shard)
        return {4: "is broken"}

    assert shared_scan(SINGLE_WORKER, tmp_path, ["x"] * 7, scan) == {4: "is broken"}
    assert seen == [slice(0, 7)]


def test_an_error_of_one_worker_alone_stays_as_it_is(tmp_path):
    def scan(shard):
        raise PermissionError("x.txt is not yours")

    with pytest.raises(PermissionError, match="not yours"):
        shared_scan(SINGLE_WORKER, tmp_path, ["x"], scan)


@pytest.mark.distributed
def test_two_workers_open_each_file_once_in_all_and_end_like_one_process(tmp_path):
    root = tmp_path / "root"
    files = [folder_cases.write_texts(root), folder_cases.write_images(root)]
    every = [sorted(str(path) for path in folder.rglob("*.*")) for folder in files]
    reports, _ = run("helpers.folder_cases:fits", tmp_path, str(root))
    for name, make in folder_cases.CASES.items():
        opened = Counter(path for worker in reports for path in worker[name][0])
        # Of images the header is read, then whole files to find broken ones, then to keep them.
        times = 1 + ("images" in name) + ("memory" in name)
        assert opened == dict.fromkeys(every["images" in name], times), name
        assert all(worker[name][0] for worker in reports)
        one = outcome(lambda make=make: make(root), 1, max_epochs=folder_cases.EPOCHS.get(name, 1))
        for worker in reports:
            what, apart = furthest(one, worker[name][1])
            assert apart < 1e-5, f"{name}: {what} differs by {apart:.1e}"


@pytest.mark.distributed
def test_two_workers_split_each_text_once_and_have_the_rows_and_words_of_one(tmp_path):
    strings, labels = texts(folder_cases.TEXTS)
    numbered = [f"{text} {number}" for number, text in enumerate(strings)]
    data = EncodedTexts(TextArrays((numbered, labels), predict=["just one"]), folder_cases.letters)
    data.setup("fit")
    vocabulary = Vocabulary(30)
    vocabulary.fit(Words(2), [tf.constant(strings)])
    (one, other), _ = run("helpers.folder_cases:shared", tmp_path)
    assert sorted(one["encoded"] + other["encoded"]) == sorted([*numbered, "just one"])
    assert one["encoded"]
    assert other["encoded"]
    for worker in (one, other):
        for stage, batches in worker["rows"].items():
            expected = list(data.dataset_for(stage, 1).as_numpy_iterator())
            tf.nest.map_structure(np.testing.assert_array_equal, batches, expected)
        for weight, expected in zip(worker["vocabulary"], vocabulary.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)
        assert worker["again together"] == 1
    assert one["alone"] == 1


@pytest.mark.distributed
def test_what_one_worker_finds_ends_or_warns_both_alike(tmp_path):
    root = tmp_path / "root"
    folder_cases.write_texts(root)
    folder_cases.write_images(root)
    (one, other), _ = run("helpers.folder_cases:failures", tmp_path, str(root))
    images = one.pop("images")
    assert (images == other.pop("images")).all()
    ours, theirs = one.pop("on one alone"), other.pop("on one alone")
    assert ours.startswith("worker 1 (127.0.0.1")
    assert ours.endswith(f" failed: MemoryError: {theirs}")
    assert theirs == "the disk is on fire"
    assert one == other
    for said, name in zip(one["gone"], ("texts", "images", "images"), strict=True):
        assert said.startswith(f"{root / 'gone' / name} is no folder; give one with")
    texts_root = Path(root, "texts")
    assert one["other files"].startswith(
        f"worker 1 has {folder_cases.TEXTS + 1} files in its texts and worker 0 has"
    )
    assert one["another encoding"].startswith(f"{texts_root / 'good' / '999.txt'} cannot be read")
    count, broken = folder_cases.IMAGES + 1, str(Path(root, "images", "light", "99.png"))
    assert one["a broken image"].startswith(f"1 of {count} images cannot be decoded, the first")
    assert broken in one["a broken image"]
    assert one["skipped"] == one["unlabeled"] == ("nothing went wrong", [broken])
    alone = UnlabeledImageFolder(root / "images", image_size=8, broken="skip")
    alone.setup("fit")
    batches = alone.splits["train"].source.inputs(np.arange(folder_cases.IMAGES), 4)
    assert (images == np.concatenate(list(batches.as_numpy_iterator()))).all()
