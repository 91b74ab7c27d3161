"""What is read off any DataModule before training."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import DataModule
from lightning_tf.data.images.spec import picture_facts
from lightning_tf.exceptions import DataError

PICTURES = np.linspace(-1, 1, 20 * 4 * 4).reshape(20, 4, 4, 1).astype("float32")
LABELS = np.arange(20) % 3


class Streamed(DataModule):
    def __init__(self, *arrays, batch_size=8):
        super().__init__(batch_size)
        self.arrays = arrays

    def train_dataset(self, epoch):
        return tf.data.Dataset.from_tensor_slices(self.arrays).batch(self.batch_size)


def test_one_pass_finds_classes_and_range():
    facts = picture_facts(Streamed(PICTURES, LABELS))
    assert facts.input_shape == (4, 4, 1)
    assert (facts.num_classes, facts.class_names) == (3, ["0", "1", "2"])
    assert facts.value_range == (-1.0, 1.0)


def test_what_is_known_is_not_looked_for():
    class Endless(Streamed):
        def train_dataset(self, epoch):
            return super().train_dataset(epoch).repeat()

    facts = picture_facts(Endless(PICTURES.astype("uint8"), LABELS), class_names=["a", "b", "c"])
    assert (facts.num_classes, facts.value_range) == (3, (0.0, 255.0))


def test_attributes_of_a_module_win():
    data = Streamed(PICTURES, LABELS)
    data.num_classes, data.value_range, data.class_names = 5, (-2, 2), list("abcde")
    assert picture_facts(data).class_names == list("abcde")
    assert picture_facts(data).value_range == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("arrays", "num_classes", "message"),
    [
        ((PICTURES[:0], LABELS[:0]), None, "are empty"),
        ((PICTURES, LABELS), 2, "must be 0 to 1, but 2 of 8 are not: the first is 2 at index 2"),
        ((PICTURES[..., 0], LABELS), None, "rank 4"),
        ((PICTURES, LABELS.astype("float32")), None, "must be integers"),
        ((PICTURES.astype(str), LABELS), None, "give decoded pictures"),
        ((np.where(PICTURES == -1, np.nan, PICTURES), LABELS), None, "NaN or infinity"),
        ((PICTURES,), None, "must be a pair (pictures, labels)"),
    ],
)
def test_a_bad_first_batch_is_named(arrays, num_classes, message):
    with pytest.raises(DataError) as error:
        picture_facts(Streamed(*arrays), num_classes)
    assert message in str(error.value)


def test_pictures_and_labels_of_unlike_number_are_named():
    class Uneven(DataModule):
        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensors((PICTURES, LABELS[:7]))

    with pytest.raises(DataError, match="20 pictures and 7 labels"):
        picture_facts(Uneven())


def test_a_module_without_training_data_is_named():
    with pytest.raises(DataError, match="DataModule has no training data"):
        picture_facts(DataModule())
