"""EmbeddingBag: the mean of an Embedding's vectors, padding left out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import EmbeddingBag

NUMBERS = np.array([[5, 3, 5, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5], [9, 0, 9, 0, 1]])


def mean_and_gradient(layer, mean):
    numbers = tf.constant(NUMBERS, "int64")
    with tf.GradientTape() as tape:
        means = mean(layer, numbers)
        loss = tf.reduce_sum(means**2)
    return means.numpy(), tf.convert_to_tensor(tape.gradient(loss, layer.embeddings)).numpy()


def by_hand(layer, numbers):
    is_word = tf.cast(numbers != 0, "float32")[..., None]
    sums = tf.reduce_sum(layer(numbers) * is_word, axis=1)
    return sums / tf.maximum(tf.reduce_sum(is_word, axis=1), 1.0)


def test_means_and_gradients_are_those_of_an_embedding_but_for_rounding():
    bag, embedding = EmbeddingBag(10, 4), keras.layers.Embedding(10, 4)
    for layer in (bag, embedding):
        layer.build()
    embedding.set_weights(bag.get_weights())
    means, gradient = mean_and_gradient(bag, lambda layer, numbers: layer(numbers))
    expected, expected_gradient = mean_and_gradient(embedding, by_hand)
    np.testing.assert_allclose(means, expected, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)
    np.testing.assert_array_equal(means[1], 0)  # no word
    np.testing.assert_array_equal(gradient[0], 0)  # padding


def test_numbers_of_other_types_are_looked_up_and_a_mask_is_refused():
    bag = EmbeddingBag(10, 4)
    expected = bag(NUMBERS).numpy()
    for dtype in ("float32", "uint8"):
        np.testing.assert_array_equal(bag(tf.constant(NUMBERS, dtype)).numpy(), expected)
    with pytest.raises(ConfigurationError, match=r"mask_zero=True: .*leave it out"):
        EmbeddingBag(10, 4, mask_zero=True)


def test_one_layer_learns_from_the_same_seed_as_an_embedding():
    starts = []
    for kind in (EmbeddingBag, keras.layers.Embedding):
        keras.utils.set_random_seed(0)
        layer = kind(10, 4)
        layer.build()
        starts.append(layer.get_weights()[0])
    np.testing.assert_array_equal(*starts)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' saving
def test_a_model_with_it_comes_back_from_its_file(tmp_path):
    numbers = keras.Input((None,), dtype="int64")
    model = keras.Model(numbers, EmbeddingBag(10, 4)(numbers))
    assert model.output_shape == (None, 4)
    model.save(tmp_path / "bag.keras")
    again = keras.saving.load_model(tmp_path / "bag.keras")
    np.testing.assert_array_equal(again(NUMBERS).numpy(), model(NUMBERS).numpy())
    assert not again.layers[-1].supports_jit
