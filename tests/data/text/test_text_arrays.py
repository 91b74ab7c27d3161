"""Lists of texts as data: splits, order, empty texts."""

import logging

import numpy as np
import pytest
from helpers.texts import texts

from lightning_tf.data import TextArrays
from lightning_tf.exceptions import ConfigurationError, DataError


def ready(*args, **options):
    data = TextArrays(*args, **options)
    data.setup("fit")
    return data


def flat(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


def test_splits_never_overlap_and_hold_every_class():
    x, y = texts(60, 3)
    x = [f"{text} {number}" for number, text in enumerate(x)]
    data = ready((x, y), val_fraction=0.2, test_fraction=0.2)
    splits = [flat(data.dataset_for(stage)) for stage in ("train", "val", "test")]
    assert [len(labels) for _, labels in splits] == [36, 12, 12]
    assert len({text for split, _ in splits for text in split}) == 60
    assert all(np.bincount(labels).tolist() == [len(labels) // 3] * 3 for _, labels in splits)
    known = dict(zip(x, y, strict=True))
    assert all(
        known[t.decode()] == label for split in splits for t, label in zip(*split, strict=True)
    )


def test_an_epoch_is_pure_and_resumes_at_any_batch():
    x, y = texts(60)
    data = ready((x, y), batch_size=8, seed=3)
    whole, _ = flat(data.train_dataset(2))
    assert (flat(ready((x, y), batch_size=8, seed=3).train_dataset(2))[0] == whole).all()
    assert (flat(data.train_dataset(3))[0] != whole).any()
    assert (flat(data.train_dataset_from(2, 3))[0] == whole[24:]).all()


def test_texts_of_any_script_and_length_come_through():
    x = ["日本語", "😀 naïve", "x" * 100_000, "ok"]
    data = ready((x, [0, 1, 0, 1]), val_fraction=0.0)
    assert {text.decode() for text in flat(data.train_dataset(0))[0]} == set(x)


def test_texts_to_predict_need_no_labels_and_may_be_empty():
    data = ready(texts(), predict=["a film", ""])
    assert [batch.tolist() for batch in data.predict_dataset().as_numpy_iterator()] == [
        [b"a film", b""]
    ]


def test_an_empty_text_is_named_or_left_out_with_a_warning(caplog):
    x, y = texts()
    x[5] = "  "
    with pytest.raises(DataError, match=r"1 of 48 train texts are empty, the first at index 5"):
        ready((x, y))
    with caplog.at_level(logging.WARNING):
        data = ready((x, y), empty="skip", val_fraction=0.0)
    assert len(data.splits["train"].indices) == 47
    assert "index 5" in caplog.text


def test_a_test_label_that_training_does_not_have_is_named():
    with pytest.raises(DataError, match="'7'"):
        ready(texts(), test=(["a film"], [7]))


def test_an_unknown_choice_for_empty_texts_is_refused():
    with pytest.raises(ConfigurationError, match="Did you mean 'skip'"):
        TextArrays(texts(), empty="skp")
