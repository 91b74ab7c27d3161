"""Pipelines of the package: in order, on all cores, without tf.data's tuner."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import TextArrays
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.pipeline.options import disable_autotune, parallel_calls
from lightning_tf.data.text.encoded_texts import EncodedTexts


def images():
    contents = [
        tf.io.encode_png(np.full((4, 4, 3), number, "uint8")).numpy() for number in range(40)
    ]
    return EncodedImages(contents, np.arange(40), image_size=(4, 4)).batches(np.arange(40), 8)


def tokens():
    texts = ([f"{'word ' * (1 + number % 5)}{number}" for number in range(40)], [0, 1] * 20)
    data = TextArrays(texts, val_fraction=0.0, batch_size=8)
    return EncodedTexts(data, lambda t: tf.strings.unicode_decode(t, "UTF-8")).train_dataset(0)


def arrays():
    texts = ([str(number) for number in range(40)], [0, 1] * 20)
    return TextArrays(texts, val_fraction=0.0, batch_size=8).train_dataset(0)


@pytest.mark.parametrize("make", [images, tokens, arrays], ids=lambda make: make.__name__)
def test_no_pipeline_of_the_package_has_a_tuner_that_an_epochs_end_waits_for(make):
    # Also where a loop or a worker's share puts more on top.
    assert make().options().autotune.enabled is False
    assert make().take(2).map(lambda *batch: batch).prefetch(2).options().autotune.enabled is False


@pytest.mark.parametrize("make", [images, tokens, arrays], ids=lambda make: make.__name__)
def test_batches_come_in_the_same_order_every_time(make):
    first, second = ([tf.nest.flatten(batch) for batch in make()] for _ in range(2))
    assert len(first) == 5
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_images_decoded_on_all_cores_keep_the_order_of_their_indices():
    labels = [int(label) for _, batch in images() for label in batch]
    values = [int(image[0, 0, 0]) for batch, _ in images() for image in batch]
    assert labels == values == list(range(40))


def test_a_dataset_without_tuner_has_the_same_elements():
    dataset = tf.data.Dataset.range(20).map(lambda x: x**2, num_parallel_calls=parallel_calls())
    assert list(disable_autotune(dataset).as_numpy_iterator()) == [x**2 for x in range(20)]
