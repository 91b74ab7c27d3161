"""Labelled pictures in memory."""

import numpy as np
import pytest

from lightning_tf.data import PictureArrays
from lightning_tf.exceptions import ConfigurationError, DataError

RANDOM = np.random.RandomState(0)
PICTURES = RANDOM.randint(0, 256, (60, 4, 5, 3)).astype("uint8")
LABELS = np.arange(60) % 4


def ready(*arguments, **options):
    data = PictureArrays(*arguments, **options)
    data.setup("fit")
    return data


def test_the_facts_are_known_after_setup():
    data = ready((PICTURES, LABELS))
    assert data.input_shape == (4, 5, 3)
    assert data.num_classes == 4
    assert data.class_names == ["0", "1", "2", "3"]
    assert data.value_range == (0.0, 255.0)


def test_uint8_pictures_stay_uint8_and_labels_are_int32():
    pictures, labels = ready((PICTURES, LABELS[:, np.newaxis])).train_dataset(0).element_spec
    assert (pictures.dtype.name, labels.dtype.name, labels.shape.rank) == ("uint8", "int32", 1)


def test_the_range_of_floats_is_that_of_the_training_pictures():
    pictures = PICTURES / 255.0
    data = ready((pictures, LABELS), val=(pictures - 9, LABELS))
    assert data.value_range == pytest.approx((pictures.min(), pictures.max()))


def test_chosen_classes_are_relabelled_in_their_order():
    names = ["a", "b", "c", "d"]
    data = ready((PICTURES, LABELS), class_names=names, classes=["d", "b"], val_fraction=0.0)
    pictures, labels = next(data.train_dataset(0).as_numpy_iterator())
    assert data.class_names == ["d", "b"]
    for picture, label in zip(pictures, labels, strict=True):
        source = int(np.flatnonzero((picture == PICTURES).all(axis=(1, 2, 3)))[0])
        assert names[LABELS[source]] == data.class_names[label]


def test_an_unknown_class_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'cat'"):
        ready((PICTURES, LABELS % 2), class_names=["cat", "dog"], classes=["cta", "dog"])


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        ((PICTURES[..., 0], LABELS), {}, "x[..., np.newaxis]"),
        ((PICTURES.astype(str), LABELS), {}, "dtype <U3"),
        ((PICTURES[:0], LABELS[:0]), {}, "there is none"),
        ((PICTURES, LABELS[:-1]), {}, "different numbers of examples"),
        ((PICTURES, LABELS), {"num_classes": 3}, "must be 0 to 2, but 15 of 60 are not"),
        ((PICTURES, LABELS - 1), {}, "the first is -1 at index 0"),
        ((PICTURES, LABELS.astype(float)), {}, "must be integers"),
        ((PICTURES, np.eye(4)[LABELS]), {}, "y.argmax(axis=-1)"),
        ((PICTURES, LABELS * 0), {}, "1 class; classification needs two"),
        ((PICTURES, LABELS), {"class_names": ["a", "b"]}, "must be 0 to 1"),
        ((np.zeros((9, 4, 4, 1), "f"), LABELS[:9]), {}, "Every pixel"),
        ((np.full((9, 4, 4, 1), np.nan), LABELS[:9]), {}, "NaN"),
    ],
)
def test_bad_pictures_and_labels_are_named(train, options, message):
    with pytest.raises(DataError) as error:
        ready(train, **options)
    assert message in str(error.value)


def test_test_pictures_of_another_shape_are_named():
    with pytest.raises(DataError, match=r"test pictures have shape \(4, 4, 3\)"):
        ready((PICTURES, LABELS), test=(PICTURES[:, :, :4], LABELS))


def test_a_label_that_only_the_test_part_has_counts_as_a_class():
    assert ready((PICTURES, LABELS % 2), test=(PICTURES, LABELS)).num_classes == 4
