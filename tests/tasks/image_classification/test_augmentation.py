"""Augmentation: in training only, the same for the same seed, in float32, in the graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.variants import slow_but

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.image_classification.augmentation import AUGMENTATIONS, Augmentation


@pytest.fixture
def batch():
    images = np.random.default_rng(0).uniform(0, 255, (16, 12, 12, 3)).astype("float32")
    return tf.constant(images), tf.one_hot(np.arange(16) % 4, 4)


def in_graph(augmentation, training=True):
    return tf.function(lambda x, y: augmentation(x, y, training=training))


@pytest.mark.parametrize("name", slow_but(AUGMENTATIONS, *(set(AUGMENTATIONS) - {"rand_augment"})))
def test_each_name_changes_training_images_and_repeats_under_a_seed(name, batch):
    def two_draws():
        keras.utils.set_random_seed(5)
        augment = in_graph(Augmentation(name))
        return *augment(*batch), *augment(*batch)

    first_x, first_y, second_x, second_y = two_draws()
    assert not np.array_equal(first_x, batch[0])
    assert not np.array_equal(first_x, second_x)
    assert (first_x.dtype, first_x.shape) == (tf.float32, batch[0].shape)
    assert tf.reduce_min(first_x) >= 0
    assert tf.reduce_max(first_x) <= 255.01
    for value, again in zip((first_x, first_y, second_x, second_y), two_draws(), strict=True):
        np.testing.assert_array_equal(value, again)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_evaluation_changes_neither_images_nor_labels(name, batch):
    images, labels = in_graph(Augmentation(name), training=False)(*batch)
    np.testing.assert_array_equal(images, batch[0])
    np.testing.assert_array_equal(labels, batch[1])


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_mixed_labels_sum_to_one_in_float32_under_every_precision(name, policy, batch):
    keras.config.set_dtype_policy(policy)
    try:
        images, labels = in_graph(Augmentation(name))(*batch)
    finally:
        keras.config.set_dtype_policy("float32")
    assert images.dtype == labels.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_sum(labels, axis=-1), 1.0, rtol=1e-5)
    assert np.any((np.asarray(labels) > 0.001) & (np.asarray(labels) < 0.999))


def test_names_without_mixing_leave_labels_alone(batch):
    _, labels = Augmentation(["flip", "crop", "brightness", "contrast"])(*batch, training=True)
    np.testing.assert_array_equal(labels, batch[1])


def test_contrast_goes_both_ways(batch):
    images, _ = Augmentation("contrast")(*batch, training=True)
    ratio = np.std(images, axis=(1, 2, 3)) / np.std(batch[0], axis=(1, 2, 3))
    assert ratio.min() < 0.97
    assert ratio.max() > 1.02


def test_options_beside_a_name_reach_the_layer():
    assert Augmentation([("crop", {"padding": 1})]).steps[0].padding == 1
    assert Augmentation([["mixup", {"alpha": 0.7}]]).steps[0].alpha == 0.7


def test_functions_and_layers_run_in_the_order_given(batch):
    layer = keras.layers.Rescaling(0.5, dtype="float32")
    images, _ = Augmentation([lambda x: x + 2.0, layer])(*batch, training=True)
    np.testing.assert_allclose(images, (batch[0] + 2.0) * 0.5, rtol=1e-6)


def test_seed_generators_are_variables_that_a_checkpoint_can_hold():
    augmentation = Augmentation(["flip", "crop"])
    assert len(augmentation.variables) == 2
    assert augmentation.trainable_variables == []
    assert augmentation.built


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("flp", "Did you mean 'flip'"),
        (["flip", "cutmx"], "Did you mean 'cutmix'"),
        ([("crop", {"paddin": 3})], "'crop' refuses"),
        ([("brightness", {"factor": 7})], "'brightness' refuses"),
        ([3], "item 3 must be a name"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_named(chosen, message):
    with pytest.raises(ConfigurationError, match=message):
        Augmentation(chosen)


def test_a_layer_of_a_lower_precision_is_refused():
    with pytest.raises(ConfigurationError, match='dtype="float32"'):
        Augmentation(keras.layers.RandomFlip(dtype="mixed_bfloat16"))


def test_a_function_that_changes_the_shape_is_named(batch):
    def halve(images):
        return images[:, ::2, ::2]

    with pytest.raises(ConfigurationError, match="'halve' gave images of shape"):
        Augmentation(halve)(*batch, training=True)
