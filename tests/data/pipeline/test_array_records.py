"""array_record files by index, and what is said where they cannot be read."""

import sys

import pytest
import tensorflow_datasets as tfds
from helpers.tfds_image_sets import prepare_sets

from lightning_tf.data import TfdsImages
from lightning_tf.data.pipeline.array_records import ArrayRecords
from lightning_tf.exceptions import ConfigurationError, DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare_sets(tmp_path_factory.mktemp("tfds"), "array_record", files=3)


@pytest.fixture
def instructions(folder):
    return tfds.builder("no_validation", data_dir=folder).info.splits["train"].file_instructions


def test_any_order_is_read_across_files(folder, instructions):
    records = ArrayRecords("images", instructions)
    source = tfds.builder("no_validation", data_dir=folder).as_data_source(
        "train", deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    assert len(records) == len(source) == 50
    order = [49, 0, 17, 17, 33, 2]
    assert records.read(order) == [source[i] for i in order]
    records.close()
    assert records.read([5]) == [source[5]]


def test_more_files_than_the_process_may_open_are_refused(instructions, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (130, 4096))
    with pytest.raises(ConfigurationError, match=r"3 files.* may open 130; run `ulimit -n 1027`"):
        ArrayRecords("images", instructions)


def test_a_platform_without_the_package_is_told(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_data_source", None)
    with pytest.raises(DataError, match=r'needs the package array_record.*file_format="tfrecord"'):
        TfdsImages("no_validation", data_dir=folder).setup("fit")


def test_a_missing_file_is_named(tmp_path):
    prepare_sets(tmp_path, "array_record", files=3)
    gone = next(tmp_path.rglob("*train*00001-of-00003"))
    gone.unlink()
    data = TfdsImages("no_validation", data_dir=tmp_path)
    with pytest.raises(DataError, match=r"records cannot be read .*00001-of-00003"):
        data.setup("fit")


def test_a_cut_off_file_is_named(tmp_path):
    prepare_sets(tmp_path, "array_record", files=3)
    cut = next(tmp_path.rglob("*train*00001-of-00003"))
    cut.write_bytes(cut.read_bytes()[:1000])
    data = TfdsImages("no_validation", data_dir=tmp_path)
    with pytest.raises(DataError, match="records cannot be read"):
        data.setup("fit")
