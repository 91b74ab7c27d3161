"""What is read off any DataModule before training."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import DataModule
from lightning_tf.data.images.image_spec import image_spec
from lightning_tf.exceptions import DataError

IMAGES = np.linspace(-1, 1, 20 * 4 * 4).reshape(20, 4, 4, 1).astype("float32")
LABELS = np.arange(20) % 3


class Streamed(DataModule):
    def __init__(self, *arrays, batch_size=8):
        super().__init__(batch_size)
        self.arrays = arrays

    def train_dataset(self, epoch):
        return tf.data.Dataset.from_tensor_slices(self.arrays).batch(self.batch_size)


def test_one_pass_finds_classes_and_range():
    spec = image_spec(Streamed(IMAGES, LABELS))
    assert spec.input_shape == (4, 4, 1)
    assert (spec.num_classes, spec.class_names) == (3, ["0", "1", "2"])
    assert spec.value_range == (-1.0, 1.0)


def test_what_is_known_is_not_looked_for():
    class Endless(Streamed):
        def train_dataset(self, epoch):
            return super().train_dataset(epoch).repeat()

    spec = image_spec(Endless(IMAGES.astype("uint8"), LABELS), class_names=["a", "b", "c"])
    assert (spec.num_classes, spec.value_range) == (3, (0.0, 255.0))


def test_attributes_of_a_module_win():
    data = Streamed(IMAGES, LABELS)
    data.num_classes, data.value_range, data.class_names = 5, (-2, 2), list("abcde")
    assert image_spec(data).class_names == list("abcde")
    assert image_spec(data).value_range == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("arrays", "num_classes", "message"),
    [
        ((IMAGES[:0], LABELS[:0]), None, "are empty"),
        ((IMAGES, LABELS), 2, "must be 0 to 1, but 2 of 8 are not: the first is 2 at index 2"),
        ((IMAGES[..., 0], LABELS), None, "rank 4"),
        ((IMAGES, LABELS.astype("float32")), None, "must be integers"),
        ((IMAGES.astype(str), LABELS), None, "give decoded images"),
        ((np.where(IMAGES == -1, np.nan, IMAGES), LABELS), None, "NaN or infinity"),
        ((IMAGES,), None, "must be a pair (images, labels)"),
    ],
)
def test_a_bad_first_batch_is_named(arrays, num_classes, message):
    with pytest.raises(DataError) as error:
        image_spec(Streamed(*arrays), num_classes)
    assert message in str(error.value)


def test_images_and_labels_of_unlike_number_are_named():
    class Uneven(DataModule):
        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensors((IMAGES, LABELS[:7]))

    with pytest.raises(DataError, match="20 images and 7 labels"):
        image_spec(Uneven())


def test_a_module_without_training_data_is_named():
    with pytest.raises(DataError, match="DataModule has no training data"):
        image_spec(DataModule())
