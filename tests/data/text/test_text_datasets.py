"""tf.data.Datasets of texts."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet
from helpers.texts import texts

from lightning_tf import Trainer
from lightning_tf.data import TextArrays, TextDatasets, text_data
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import TextClassification

X, Y = texts(24)


def pairs(labels=Y):
    return tf.data.Dataset.from_tensor_slices((X, labels)).batch(8)


def test_texts_in_datasets_and_in_pairs_of_pairs_are_read():
    data = text_data((pairs(), pairs()))
    data.setup("fit")
    assert (type(data), data.num_classes) == (TextDatasets, 2)
    split = text_data(((X, Y), (X[:6], Y[:6])))
    split.setup("fit")
    assert type(split) is TextArrays
    assert len(split.splits["val"].indices) == 6


def test_class_names_and_float_labels_of_keras_are_taken():
    dataset = pairs(np.array(Y, "float32")[:, None])
    dataset.class_names = ["bad", "good"]
    data = text_data(dataset)
    data.setup("fit")
    assert data.class_names == ["bad", "good"]
    assert data.train_dataset(0).element_spec[1].dtype == tf.int32


@pytest.mark.slow
def test_a_run_on_endless_texts_begins_and_a_bad_label_ends_it(caplog):
    task = TextClassification(pairs().repeat(), "bag_of_words")
    Trainer(**quiet(max_steps=2, seed=0)).fit(task)
    assert "the vocabulary is that, of its first 1000 batches" in caplog.text
    bad = [*Y[:-1], 7]
    wrong = TextClassification(pairs(bad), "bag_of_words", class_names=["bad", "good"])
    with pytest.raises(DataError, match=r"labels must be 0 to 1, but a batch has 7\."):
        Trainer(**quiet(max_epochs=1, seed=0)).fit(wrong)


def test_an_option_given_twice_is_refused():
    with pytest.raises(ConfigurationError, match="batch_size is given twice: 4, and 8"):
        TextClassification((X, Y), batch_size=4, data_options={"batch_size": 8})
    with pytest.raises(ConfigurationError, match="data_options is a list"):
        TextClassification((X, Y), data_options=["batch_size"])
