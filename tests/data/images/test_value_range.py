"""Which values of pixels mean black and white."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tf.data import ImageArrays, ImageDatasets, UnlabeledImages, image_data
from lightning_tf.data.images.checks import checked_range, value_range_of
from lightning_tf.data.images.stored_values import scale_to_bytes, stored_range
from lightning_tf.exceptions import ConfigurationError, DataError

LABELS = np.arange(60) % 3
UNIT = np.random.default_rng(0).random((60, 8, 8, 1))
UNIT[0, 0, 0], UNIT[0, 0, 1] = 0.0, 1.0


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ((UNIT * 255).astype("uint8"), (0.0, 255.0)),
        ((UNIT * 130).astype("uint8"), (0.0, 255.0)),
        ((UNIT * 16).astype("uint8"), (0.0, 16.0)),
        ((UNIT > 0.5).astype("uint8"), (0.0, 1.0)),
        ((UNIT * 100).astype("uint8"), (0.0, 100.0)),
        ((UNIT * 16).astype("int64"), (0.0, 16.0)),
        ((UNIT * 255).astype("int64"), (0.0, 255.0)),
        ((UNIT * 4095).astype("uint16"), (0.0, 4095.0)),
        (UNIT.astype("float32"), (0.0, 1.0)),
        (UNIT * 2 - 1, (-1.0, 1.0)),
        (UNIT > 0.5, (0.0, 1.0)),
    ],
)
@pytest.mark.parametrize("source", ["arrays", "datasets", "unlabeled"])
def test_the_range_is_what_the_images_say(images, expected, source):
    if source == "arrays":
        data = ImageArrays((images, LABELS), val_fraction=0.0)
    elif source == "unlabeled":
        data = UnlabeledImages(images)
    else:
        import tensorflow as tf

        slices = tf.data.Dataset.from_tensor_slices((images, LABELS))
        if images.dtype == bool:
            pytest.skip("TensorFlow's booleans are no pixels")
        data = ImageDatasets(slices.batch(7))
    data.setup("fit")
    assert data.value_range == pytest.approx(expected)


def test_a_guess_is_told_and_an_option_settles_it(caplog):
    dark = (UNIT * 16).astype("uint8")
    ImageArrays((dark, LABELS)).setup("fit")
    assert "16 is taken for white. Pass value_range=(0, 255)" in caplog.text
    caplog.clear()
    data = image_data((dark, LABELS), value_range=(0, 255))
    data.setup("fit")
    assert data.value_range == (0.0, 255.0)
    assert not caplog.records
    for wrong in (3, (1, 1), (5, 2), "ab", (0, float("nan"))):
        with pytest.raises(ConfigurationError, match="value_range="):
            checked_range(wrong)


@pytest.mark.parametrize("name", ["val", "test"])
def test_splits_of_other_dtype_and_range_are_refused(name):
    images = (UNIT * 255).astype("uint8")
    for train, other in ((UNIT, images), (images, UNIT)):
        with pytest.raises(DataError, match=f"The {name} images are"):
            ImageArrays((train, LABELS), **{name: (other, LABELS)}).setup("fit")
    ImageArrays((images, LABELS), **{name: (images.astype("float32"), LABELS)}).setup("fit")


@given(st.integers(1, 255))
def test_uint8_is_white_at_255_or_at_the_largest_value(top):
    images = np.array([0, top], np.uint8).reshape(1, 1, 2, 1)
    assert value_range_of(images) == (0.0, 255.0 if top > 127 else float(top))


@given(st.integers(-(2**31), 2**31 - 2), st.integers(1, 2**20))
def test_stored_values_keep_their_order_and_fill_the_range(low, span):
    values = np.array([low, low + span // 2, low + span], np.int64)
    found = scale_to_bytes(values, stored_range(low, low + span, is_float=False))
    assert found.tolist() == sorted(found.tolist())
    # Of the fewest bits that hold it, each step of which is a quarter: never nearly black.
    assert found[2] >= (63 if low >= 0 and low + span > 255 else 0)
