"""Labelled images in memory."""

import numpy as np
import pytest

from lightning_tf.data import ImageArrays
from lightning_tf.exceptions import ConfigurationError, DataError

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (60, 4, 5, 3)).astype("uint8")
LABELS = np.arange(60) % 4


def ready(*arguments, **options):
    data = ImageArrays(*arguments, **options)
    data.setup("fit")
    return data


def test_the_facts_are_known_after_setup():
    data = ready((IMAGES, LABELS))
    assert data.input_shape == (4, 5, 3)
    assert data.num_classes == 4
    assert data.class_names == ["0", "1", "2", "3"]
    assert data.value_range == (0.0, 255.0)


def test_uint8_images_stay_uint8_and_labels_are_int32():
    images, labels = ready((IMAGES, LABELS[:, np.newaxis])).train_dataset(0).element_spec
    assert (images.dtype.name, labels.dtype.name, labels.shape.rank) == ("uint8", "int32", 1)


def test_the_range_of_floats_is_that_of_the_training_images():
    images = IMAGES / 255.0
    data = ready((images, LABELS), val=(images - 9, LABELS))
    assert data.value_range == pytest.approx((images.min(), images.max()))


def test_chosen_classes_are_relabeled_in_their_order():
    names = ["a", "b", "c", "d"]
    data = ready((IMAGES, LABELS), class_names=names, classes=["d", "b"], val_fraction=0.0)
    images, labels = next(data.train_dataset(0).as_numpy_iterator())
    assert data.class_names == ["d", "b"]
    for image, label in zip(images, labels, strict=True):
        source = int(np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))[0])
        assert names[LABELS[source]] == data.class_names[label]


def test_an_unknown_class_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'cat'"):
        ready((IMAGES, LABELS % 2), class_names=["cat", "dog"], classes=["cta", "dog"])


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        ((IMAGES[..., 0], LABELS), {}, "x[..., np.newaxis]"),
        ((IMAGES.astype(str), LABELS), {}, "dtype <U3"),
        ((IMAGES[:0], LABELS[:0]), {}, "there is none"),
        ((IMAGES, LABELS[:-1]), {}, "different numbers of examples"),
        ((IMAGES, LABELS), {"num_classes": 3}, "must be 0 to 2, but 15 of 60 are not"),
        ((IMAGES, LABELS - 1), {}, "the first is -1 at index 0"),
        ((IMAGES, LABELS.astype(float)), {}, "must be integers"),
        ((IMAGES, np.eye(4)[LABELS]), {}, "y.argmax(axis=-1)"),
        ((IMAGES, LABELS * 0), {}, "1 class; classification needs two"),
        ((IMAGES, LABELS), {"class_names": ["a", "b"]}, "must be 0 to 1"),
        ((np.zeros((9, 4, 4, 1), "f"), LABELS[:9]), {}, "Every pixel"),
        ((np.full((9, 4, 4, 1), np.nan), LABELS[:9]), {}, "NaN"),
    ],
)
def test_bad_images_and_labels_are_named(train, options, message):
    with pytest.raises(DataError) as error:
        ready(train, **options)
    assert message in str(error.value)


def test_test_images_of_another_shape_are_named():
    with pytest.raises(DataError, match=r"test images have shape \(4, 4, 3\)"):
        ready((IMAGES, LABELS), test=(IMAGES[:, :, :4], LABELS))


def test_a_label_that_only_the_test_split_has_counts_as_a_class():
    assert ready((IMAGES, LABELS % 2), test=(IMAGES, LABELS)).num_classes == 4


def test_images_whose_channels_come_first_are_told(caplog):
    images = np.zeros((20, 3, 8, 8), "uint8")
    ImageArrays((images, np.arange(20) % 2)).setup("fit")
    assert "pass x.transpose(0, 2, 3, 1)" in caplog.text
