"""Sets of TensorFlow Datasets in array_record files: read by index, batch by batch."""

import gc
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from helpers.boring import quiet
from helpers.tfds_image_sets import NoValidation, ThreeSplits, UnequalSizes, prepare_sets, set_up

from lightning_tf import Trainer
from lightning_tf.data.pipeline.array_records import ArrayRecords
from lightning_tf.data.pipeline.order import epoch_order
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification

SETS = (NoValidation, UnequalSizes, ThreeSplits)
ON_DISK, RESIDENT = "array_record", "tfrecord"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder for each format; three files a split, as large sets have many."""
    return {
        file_format: prepare_sets(tmp_path_factory.mktemp(file_format), file_format, 3, SETS)
        for file_format in (ON_DISK, RESIDENT)
    }


@pytest.fixture
def read(monkeypatch):
    """The indices of all records that are read, as they are read."""
    indices, through = [], ArrayRecords.read

    def noting(self, wanted):
        indices.extend(wanted)
        return through(self, wanted)

    monkeypatch.setattr(ArrayRecords, "read", noting)
    return indices


def batches(dataset):
    return list(dataset.as_numpy_iterator())


def assert_same(actual, expected):
    tf.nest.assert_same_structure(actual, expected)
    for one, other in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("no_validation", {"test_fraction": None}, marks=pytest.mark.slow),
        ("unequal_sizes", {"image_size": 5, "test_fraction": 0.2}),
    ],
)
def test_both_formats_give_the_same_batches(prepared, name, options, in_memory):
    both = [
        set_up(name, prepared[file_format], batch_size=8, seed=3, in_memory=in_memory, **options)
        for file_format in (ON_DISK, RESIDENT)
    ]
    on_disk, resident = both
    assert on_disk.splits.keys() == resident.splits.keys() == {"train", "val", "test"}
    for epoch in (0, 1):
        assert_same(*(batches(data.train_dataset(epoch)) for data in both))
    assert_same(*(batches(data.train_dataset_from(1, 2)) for data in both))
    assert_same(*(batches(data.val_dataset()) for data in both))
    assert_same(*(batches(data.test_dataset()) for data in both))
    assert_same(*(batches(data.predict_dataset()) for data in both))
    assert on_disk.train_dataset(0).element_spec == resident.train_dataset(0).element_spec
    assert len(on_disk.train_dataset(0)) == len(resident.train_dataset(0))


def test_an_index_is_that_of_the_sets_own_data_source(prepared):
    data = set_up("no_validation", prepared[ON_DISK], val_fraction=0.0)
    builder = tfds.builder("no_validation", data_dir=prepared[ON_DISK])
    rows = [*builder.as_data_source("train"), *builder.as_data_source("test")]
    assert len({row["place"] for row in rows}) == 60
    source = data.splits["train"].source
    ((images, labels),) = batches(source.batches(np.arange(60), 60))
    assert_same(images, np.stack([row["image"] for row in rows]))
    assert labels.tolist() == [row["label"] for row in rows]
    assert data.splits["test"].indices.tolist() == list(range(50, 60))


@pytest.mark.slow
def test_a_training_run_is_the_same_in_both_formats(prepared):
    weights, rows = [], []
    for file_format in (ON_DISK, RESIDENT):
        task = ImageClassification(
            "tfds:no_validation",
            "linear",
            batch_size=8,
            data_dir=prepared[file_format],
            data_options={"file_format": file_format},
        )
        trainer = Trainer(max_epochs=2, seed=1, **quiet())
        trainer.fit(task)
        rows.append(trainer.test(task))
        weights.append(task.model.get_weights())
    assert_same(*weights)
    assert rows[0] == rows[1]


def test_nothing_is_read_at_set_up_where_nothing_is_held_out(prepared, read):
    set_up("three_splits", prepared[ON_DISK])
    set_up("no_validation", prepared[ON_DISK], val_fraction=0.0)
    assert read == []


def test_labels_to_hold_out_by_are_read_once_and_of_training_alone(prepared, read):
    data = set_up("no_validation", prepared[ON_DISK])
    assert read == list(range(50))
    data.setup("test")
    assert read == list(range(50))


def test_a_wrong_fraction_is_named_before_anything_is_read(prepared, read):
    with pytest.raises(ConfigurationError, match="held-out fractions"):
        set_up("no_validation", prepared[ON_DISK], val_fraction=1.5)
    with pytest.raises(ConfigurationError, match="bring their own test split"):
        set_up("no_validation", prepared[ON_DISK], test_fraction=0.5)
    assert read == []


def test_resuming_inside_an_epoch_reads_what_is_left(prepared, read):
    data = set_up("three_splits", prepared[ON_DISK], batch_size=8, seed=3)
    rest = batches(data.dataset_for("train", epoch=2, batch=3))
    assert read == epoch_order(np.arange(40), 3, 2)[24:].tolist()
    assert [len(labels) for _, labels in rest] == [8, 8]


@pytest.mark.parametrize(
    "stage",
    [
        "train",
        pytest.param("val", marks=pytest.mark.slow),
        pytest.param("predict", marks=pytest.mark.slow),
    ],
)
def test_a_worker_reads_its_own_rows(prepared, read, stage):
    data = set_up("three_splits", prepared[ON_DISK], batch_size=8, seed=3)
    whole = batches(data.dataset_for(stage))
    everything, read[:] = sorted(read), []
    seen = []
    for worker in range(2):
        input_shard = InputShard(worker, 1, 2)
        shard = batches(data.dataset_for(stage, input_shard=input_shard))
        assert_same(shard, batches(input_shard.cut(data.dataset_for(stage))))
        assert [int(count) for _, count in shard] == [
            len(tf.nest.flatten(batch)[0]) for batch in whole
        ]
        del read[len(read) - len(everything) :]  # of the cut, which reads all
        seen.append(read[:])
        read.clear()
    assert sorted(seen[0] + seen[1]) == everything
    assert not set(seen[0]) & set(seen[1])


def test_a_split_without_labels_is_predicted_and_refused_in_testing(prepared):
    data = set_up("three_splits", prepared[ON_DISK])
    assert [len(images) for images in data.predict_dataset()] == [5]
    with pytest.raises(tf.errors.InvalidArgumentError, match="label is not within 0 to 1"):
        batches(data.test_dataset())
    decoded = set_up("three_splits", prepared[ON_DISK], in_memory=True)
    assert [len(images) for images in decoded.predict_dataset()] == [5]
    assert decoded.test_dataset() is None


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux")
def test_files_are_opened_once_for_all_epochs_and_closed_at_teardown(tmp_path, monkeypatch):
    from array_record.python import array_record_data_source

    readers, create = [], array_record_data_source._create_reader

    def noting(filename, *arguments):
        readers.append(filename)
        return create(filename, *arguments)

    monkeypatch.setattr(array_record_data_source, "_create_reader", noting)
    data = set_up("three_splits", prepare_sets(tmp_path, ON_DISK, 3, [ThreeSplits]))
    assert opened(tmp_path) == 0
    for again in (1, 2):
        for epoch in range(3):
            batches(data.train_dataset(epoch))
            batches(data.val_dataset())
            assert len(readers) == 6 * again
            assert opened(tmp_path) == 6
        data.teardown("fit")
        assert opened(tmp_path) == 0


def opened(folder):
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(link.readlink())
        except OSError:  # the one that lists them
            continue
    return sum(link.is_relative_to(folder) for link in links)


def test_pipelines_leave_nothing_behind_that_holds_the_set(prepared):
    data = set_up("three_splits", prepared[ON_DISK])
    for epoch in range(2):
        batches(data.train_dataset(epoch))
    left = weakref.ref(data.splits["train"].source)
    del data
    gc.collect()
    assert left() is None


@pytest.mark.slow
def test_a_pipeline_outlives_its_set_and_a_cleared_session(prepared):
    data = set_up("three_splits", prepared[ON_DISK])
    dataset = data.train_dataset(0)
    expected = batches(dataset)
    keras.utils.clear_session()
    assert_same(batches(dataset), expected)
    assert_same(batches(data.train_dataset(0)), expected)
    del data
    gc.collect()
    assert_same(batches(dataset), expected)
