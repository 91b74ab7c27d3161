"""Texts become numbers on the host, in the order of the texts."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.texts import texts

from lightning_tf.data import DatasetPair, TextArrays
from lightning_tf.data.text.encoded_texts import EncodedTexts, TokenSource
from lightning_tf.data.text.text_spec import text_spec
from lightning_tf.exceptions import DataError


def letters(strings):
    """The code points of each text: rows whose text is known."""
    return tf.cast(tf.strings.unicode_decode(strings, "UTF-8"), tf.int64)


def spelt(rows):
    return ["".join(chr(code) for code in row if code) for row in rows]


def first(batch):
    return batch[0] if isinstance(batch, tuple) else batch


def flat(dataset):
    return [spelt(first(batch)) for batch in dataset.as_numpy_iterator()]


def raw(dataset):
    batches = dataset.as_numpy_iterator()
    return [
        [text.decode() for text in (batch[0] if isinstance(batch, tuple) else batch)]
        for batch in batches
    ]


@pytest.mark.parametrize("keeps_rows", [True, False])
@pytest.mark.parametrize("stage", ["train", "val", "test", "predict"])
def test_every_stage_has_the_batches_of_the_texts(stage, keeps_rows):
    source = TextArrays(texts(50), batch_size=8, test_fraction=0.2, predict=["naïve 日本", "x"])
    encode = letters if keeps_rows else lambda strings: letters(strings).to_tensor()
    data = EncodedTexts(source, encode, keeps_rows=keeps_rows)
    data.trainer_seed = 5
    data.setup("fit")
    assert flat(data.dataset_for(stage, 2)) == raw(source.dataset_for(stage, 2))
    if stage == "train":
        assert flat(data.dataset_for(stage, 2, 3)) == raw(source.dataset_for(stage, 2))[3:]
        assert flat(data.dataset_for(stage, 3)) != flat(data.dataset_for(stage, 2))


def test_labels_stay_beside_their_texts():
    x, y = texts(30)
    known = dict(zip(x, y, strict=True))
    data = EncodedTexts(TextArrays((x, y), batch_size=8), letters)
    for rows, labels in data.train_dataset(0).as_numpy_iterator():
        assert [known[text] for text in spelt(rows)] == labels.tolist()


def test_without_texts_to_predict_the_test_texts_are_predicted():
    source = TextArrays(texts(50), test_fraction=0.2)
    data = EncodedTexts(source, letters)
    assert flat(data.predict_dataset()) == raw(source.predict_dataset())
    assert EncodedTexts(TextArrays(texts()), letters).test_dataset() is None


def test_any_module_of_texts_can_be_encoded():
    x, y = texts(10)
    pair = DatasetPair(tf.data.Dataset.from_tensor_slices((x, y)).batch(4))
    data = EncodedTexts(pair, letters)
    assert [batch[0].shape[0] for batch in data.train_dataset(0)] == [4, 4, 2]
    assert data.val_dataset() is None


def test_a_batch_is_as_wide_as_its_longest_row_or_the_limit():
    rows = TokenSource(np.arange(1, 7), np.array([1, 3, 2]), np.array([7, 8, 9], np.int32), 2)
    batches = list(rows.batches(np.array([1, 0, 2]), 2).as_numpy_iterator())
    assert batches[0][0].tolist() == [[2, 3], [1, 0]]
    assert batches[0][1].tolist() == [8, 7]
    assert batches[1][0].tolist() == [[5, 6]]
    assert [b.tolist() for b in rows.inputs(np.array([0]), 2).as_numpy_iterator()] == [[[1]]]


def test_a_module_without_facts_is_looked_through():
    x, y = texts(9, 3)
    strings = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    assert text_spec(DatasetPair(strings)).class_names == ["0", "1", "2"]
    numbers = tf.data.Dataset.from_tensor_slices(([1, 2], [0, 1])).batch(2)
    for dataset, message in (
        (numbers, "must be strings"),
        (strings.map(lambda x, y: x), "no pair"),
    ):
        with pytest.raises(DataError, match=message):
            text_spec(DatasetPair(dataset))


def test_other_classes_than_the_task_has_are_refused():
    source = TextArrays(texts())
    source.setup("fit")
    with pytest.raises(DataError, match="keeps the classes"):
        text_spec(source, ["no", "yes"])
