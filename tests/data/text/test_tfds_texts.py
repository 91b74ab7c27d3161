"""Sets of labeled texts of TensorFlow Datasets, prepared on the spot without a network."""

import pytest
import tensorflow_datasets as tfds
from helpers.texts import texts

from lightning_tf.data import TfdsTexts
from lightning_tf.data.sources import tfds_set
from lightning_tf.exceptions import ConfigurationError, DataError


class SmallReviews(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=["neg", "pos"]),
                }
            ),
            supervised_keys=("text", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": _rows(20), "test": _rows(6), "unsupervised": _rows(4)}

    def _generate_examples(self):
        raise NotImplementedError


def _rows(count):
    for number, (text, label) in enumerate(zip(*texts(count), strict=True)):
        yield number, {"text": text, "label": label}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    SmallReviews(data_dir=folder).download_and_prepare()
    return folder


def test_a_prepared_set_is_read_without_a_network(prepared):
    data = TfdsTexts("small_reviews", data_dir=prepared)
    data.prepare_data()
    data.setup("fit")
    assert {n: len(p.indices) for n, p in data.splits.items()} == {"train": 18, "val": 2, "test": 6}
    assert data.class_names == ["neg", "pos"]
    known = dict(zip(*texts(20), strict=True))
    for text, label in data.train_dataset(0).unbatch().as_numpy_iterator():
        assert known[text.decode()] == label


def test_an_unknown_text_is_named(prepared):
    with pytest.raises(DataError, match="its texts are text"):
        TfdsTexts("small_reviews", data_dir=prepared, text_key="body").setup("fit")


def test_an_unknown_set_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigurationError, match="Did you mean 'imdb_reviews'"):
        TfdsTexts("imdb_review", data_dir=tmp_path).prepare_data()


def test_without_a_network_a_download_fails_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_set, "HOST", "host.invalid")  # a name that never exists
    with pytest.raises(DataError, match=r"host.invalid cannot be reached .* pass data_dir="):
        TfdsTexts("imdb_reviews", data_dir=tmp_path).prepare_data()


def test_a_set_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(DataError, match="is not prepared in"):
        TfdsTexts("imdb_reviews", data_dir=tmp_path).setup("fit")


class ManyReviews(SmallReviews, skip_registration=True):
    def _split_generators(self, dl_manager):
        return {"train": _rows(90)}  # more in a file than tf.data would take in turn


def test_both_formats_give_the_same_texts(tmp_path):
    pytest.importorskip("array_record.python.array_record_module")
    batches = []
    for file_format in ("array_record", "tfrecord"):
        folder = tmp_path / file_format
        several = tfds.download.DownloadConfig(num_shards=3, try_download_gcs=False)
        ManyReviews(data_dir=folder).download_and_prepare(
            file_format=file_format, download_config=several
        )
        data = TfdsTexts("many_reviews", data_dir=folder, file_format=file_format)
        data.setup("fit")
        batches.append(
            [
                (texts.tolist(), labels.tolist())
                for texts, labels in data.train_dataset(0).as_numpy_iterator()
            ]
        )
    assert batches[0] == batches[1]
