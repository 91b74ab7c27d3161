"""Cifar100: files in the authors' layout, fine and coarse labels, and what is refused."""

import os
import pickle

import numpy as np
import pytest
from helpers.boring import Rows, quiet

from lightning_tf import Trainer
from lightning_tf.data import Cifar100, image_data
from lightning_tf.data.images.cifar100 import CLASS_NAMES, SUPERCLASS_OF, SUPERCLASSES
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification

COARSE = np.array([CLASS_NAMES["coarse"].index(SUPERCLASS_OF[f]) for f in CLASS_NAMES["fine"]])


@pytest.fixture(scope="module")
def batches():
    random, found = np.random.default_rng(0), {}
    for split, count in {"train": 400, "test": 200}.items():
        fine = np.arange(count) % 100
        found[split] = random.integers(0, 256, (count, 3072), np.uint8), fine
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory, batches):
    """Files as the authors pickle them: dicts of bytes, planes of colors, lists of labels."""
    root = tmp_path_factory.mktemp("original")
    (root / "cifar-100-python").mkdir()
    for split, (pixels, fine) in batches.items():
        batch = {
            b"batch_label": f"{split}ing batch 1 of 1".encode(),
            b"filenames": [b"a.png"] * len(fine),
            b"data": pixels,
            b"fine_labels": fine.tolist(),
            b"coarse_labels": COARSE[fine].tolist(),
        }
        (root / "cifar-100-python" / split).write_bytes(pickle.dumps(batch, protocol=2))
    return root


def test_there_are_twenty_superclasses_of_five_classes_each():
    assert [len(fine) for fine in SUPERCLASSES.values()] == [5] * 20
    assert len(CLASS_NAMES["fine"]) == len(set(CLASS_NAMES["fine"])) == 100
    assert (CLASS_NAMES["fine"][0], CLASS_NAMES["fine"][99]) == ("apple", "worm")


def test_pixels_labels_and_names_are_those_of_the_files(folder, batches):
    data = image_data("cifar100", data_dir=str(folder), val_fraction=0.0, batch_size=200)
    data.setup("test")
    images, labels = next(data.test_dataset().as_numpy_iterator())
    pixels, fine = batches["test"]
    np.testing.assert_array_equal(images[7, 2, 3], pixels[7].reshape(3, 32, 32)[:, 2, 3])
    np.testing.assert_array_equal(labels, fine)
    assert (data.num_classes, data.class_names[1]) == (100, "aquarium_fish")
    assert data.superclass_of["shark"] == "fish"


def test_coarse_labels_are_the_superclasses_from_pickles_and_from_arrays(folder, batches, tmp_path):
    arrays = {}
    for split, (pixels, fine) in batches.items():
        images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        arrays |= {f"x_{split}": images, f"y_{split}": fine}
    np.savez(tmp_path / "cifar100.npz", **arrays)
    for root in (folder / "cifar-100-python", tmp_path):
        data = Cifar100(root, label_mode="coarse", batch_size=200)
        data.setup("test")
        _, labels = next(data.test_dataset().as_numpy_iterator())
        np.testing.assert_array_equal(labels, COARSE[batches["test"][1]])
        assert (data.num_classes, data.class_names[0]) == (20, "aquatic_mammals")
        assert not data.superclass_of


def test_a_run_reports_the_five_likeliest_classes_and_the_superclasses(folder):
    rows = Rows()
    task = ImageClassification("cifar100", "linear", data_dir=str(folder))
    trainer = Trainer(**quiet(logger=rows, max_epochs=1))
    trainer.fit(task)
    metrics = trainer.test(task)
    assert metrics["test_top_5_accuracy"] >= metrics["test_accuracy"]
    tables = {name: value for kind, name, _, value in rows.sent if kind == "table"}
    matrix = np.array([row[1:] for row in tables["test/superclass_confusion_matrix"]])
    fine = np.array([row[1:] for row in tables["test/confusion_matrix"]])
    assert matrix.shape == (20, 20)
    assert matrix.sum(axis=1).tolist() == [10] * 20
    right = sum(
        fine[i, j]
        for i, one in enumerate(CLASS_NAMES["fine"])
        for j, other in enumerate(CLASS_NAMES["fine"])
        if SUPERCLASS_OF[one] == SUPERCLASS_OF[other]
    )
    assert np.trace(matrix) == right


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_calls_anything_is_refused_before_it_does(folder, tmp_path):
    (tmp_path / "cifar-100-python").mkdir()
    for split in ("train", "test"):
        (tmp_path / "cifar-100-python" / split).write_bytes(pickle.dumps({b"data": Harmful()}))
    with pytest.raises(DataError, match=r"no file of CIFAR-100: .*it calls posix\.system"):
        Cifar100(tmp_path).setup("fit")


def test_an_unknown_label_mode_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"label_mode is 'course'.*'coarse'"):
        Cifar100(label_mode="course")


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({b"data": [1, 2]})])
@pytest.mark.parametrize("name", ["cifar100.npz", "train"])
def test_damaged_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} (has no arrays|is no file) of CIFAR-100"):
        Cifar100(tmp_path).setup("fit")


def test_a_folder_without_the_files_is_refused_instead_of_a_download(tmp_path):
    with pytest.raises(DataError, match=r"No cifar-100-python or cifar100\.npz in .*tfds:cifar100"):
        Cifar100(tmp_path).prepare_data()


def test_what_keras_cannot_download_is_told_with_the_way_out(monkeypatch):
    import keras

    monkeypatch.delenv("LIGHTNING_TF_DATA", raising=False)

    def fail(label_mode):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.cifar100, "load_data", fail)
    with pytest.raises(DataError, match=r"URL fetch failure\); pass data_dir= .*tfds:cifar100"):
        Cifar100().setup("fit")
