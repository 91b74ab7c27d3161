"""The networks for texts: shapes, padding, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.networks.text.build import TEXT_NETWORKS, build_text_network
from lightning_tf.tasks.networks.text.layers import TextLayers


def built(name, classes=3):
    return build_text_network(name, classes, TextLayers(50, 8, 6, 0.5))


@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_a_text_has_the_same_logits_whatever_its_neighbors(name):
    model = built(name)
    text = np.array([[3, 9, 4]])
    padded = np.array([[3, 9, 4, 0, 0, 0, 0], [5, 6, 7, 8, 9, 10, 11]])
    alone, beside = model(text).numpy(), model(padded).numpy()
    assert alone.shape == (1, 3)
    np.testing.assert_allclose(beside[0], alone[0], atol=1e-6)
    assert np.abs(beside[1] - beside[0]).max() > 1e-4


@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_the_order_of_words_counts_where_it_is_said_to(name):
    model = built(name)
    one, other = model(np.array([[3, 9, 4, 5, 6]])), model(np.array([[6, 5, 4, 9, 3]]))
    assert (np.abs(one - other).max() > 1e-5) == TEXT_NETWORKS[name].ordered


@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_one_word_is_enough_and_all_weights_learn(name):
    model = built(name)
    with tf.GradientTape() as tape:
        logits = model(np.array([[7], [8]]), training=True)
        loss = tf.reduce_sum(logits * np.array([[1.0, -2.0, 1.0], [0.5, 1.0, 2.0]]))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(gradient is not None for gradient in gradients)
    assert np.isfinite(logits).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT_NETWORKS)
def test_logits_are_float32_and_right_under_mixed_precision(name):
    keras.utils.set_random_seed(1)
    exact = built(name)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = built(name)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(exact.get_weights())
    numbers = np.random.default_rng(0).integers(1, 50, (2, 700))  # more than bfloat16 can count
    assert mixed(numbers).dtype == "float32"
    np.testing.assert_allclose(mixed(numbers), exact(numbers), atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_size": 0}, "embedding_size is 0"),
        ({"units": 2.5}, "units is 2.5"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        TextLayers(
            **{"vocabulary_size": 9, "embedding_size": 4, "units": 4, "dropout": 0, **options}
        )
