"""HubLayer: SavedModels made on the spot train, freeze, save and load as Keras layers."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import HubLayer


class Embedding(tf.Module):
    """A linear map with a statistic that moves in training."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="kernel")
        self.moving = tf.Variable(0.0, trainable=False, name="moving")

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([], tf.bool)])
    def __call__(self, x, training=False):
        if training:
            self.moving.assign_add(1.0)
        return x @ self.kernel


class Stylize(tf.Module):
    """Two images in, one out, by signature alone."""

    def __init__(self):
        super().__init__()
        self.strength = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], name="z"), tf.TensorSpec([None], name="a")])
    def run(self, z, a):
        return {"image": z * self.strength - a, "other": z}


class CalledStylize(Stylize):
    """The same, to be called."""

    __call__ = Stylize.run


class Words(tf.Module):
    """Strings to vectors through a table."""

    def __init__(self):
        super().__init__()
        keys = tf.constant(["good", "bad"])
        values = tf.constant([0, 1], tf.int64)
        table = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(table, 2)
        self.vectors = tf.Variable([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        return tf.gather(self.vectors, self.table.lookup(texts))


@pytest.fixture
def embedding(tmp_path):
    tf.saved_model.save(Embedding(), str(tmp_path / "embedding"))
    return str(tmp_path / "embedding")


@pytest.fixture
def stylize(tmp_path):
    module = Stylize()
    tf.saved_model.save(module, str(tmp_path / "stylize"), signatures=module.run)
    return str(tmp_path / "stylize")


def values(layer):
    return {v.name.split("_", 1)[1]: v.numpy().copy() for v in layer.variables}


def one_fit(layer, inputs=2):
    model = keras.Sequential([keras.Input((inputs,)), layer])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(np.ones((4, 2), "float32"), np.zeros((4, 2), "float32"), verbose=0)
    return model


def test_a_saved_model_gives_what_it_gave(embedding):
    layer = HubLayer(embedding)
    np.testing.assert_array_equal(layer(tf.ones([1, 2])), [[4.0, 6.0]])


def test_a_trainable_layer_trains_and_its_statistics_move(embedding):
    layer = HubLayer(embedding, trainable=True)
    assert [v.name for v in layer.trainable_variables] == ["0_kernel"]
    one_fit(layer)
    np.testing.assert_allclose(values(layer)["kernel"], [[0.9, 1.9], [2.9, 3.9]], atol=1e-5)
    assert values(layer)["moving"] >= 1.0


def test_a_frozen_layer_keeps_weights_and_statistics(embedding):
    layer = HubLayer(embedding)
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2), "float32"), np.zeros((4, 2), "float32"), verbose=0)
    assert values(layer)["moving"] == 0.0
    np.testing.assert_array_equal(values(layer)["kernel"], [[1.0, 2.0], [3.0, 4.0]])
    assert layer.trainable_variables == []


def test_a_keras_file_brings_the_trained_weights_back(embedding, tmp_path):
    model = one_fit(HubLayer(embedding, trainable=True))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_array_equal(again(x), model(x))
    assert again.layers[0].trainable is True
    fresh = HubLayer(embedding)
    assert not np.array_equal(fresh(x), again(x))


def test_a_model_that_can_be_called_takes_two_inputs_in_order(tmp_path):
    tf.saved_model.save(CalledStylize(), str(tmp_path / "called"))
    layer = HubLayer(tmp_path / "called", output_key="image")
    assert layer(tf.constant([1.0]), tf.constant([10.0])).numpy() == [-8.0]


def test_a_signature_of_two_inputs_takes_a_dict_and_an_output_is_chosen(stylize):
    named = {"a": tf.constant([10.0]), "z": tf.constant([1.0])}
    layer = HubLayer(stylize, output_key="image")
    assert layer(named).numpy() == [-8.0]
    assert set(HubLayer(stylize)(named)) == {"image", "other"}


def test_inputs_without_names_and_a_wrong_output_are_told(stylize):
    with pytest.raises(ConfigurationError, match=r"2 inputs; .*one dict"):
        HubLayer(stylize)(tf.constant([1.0]), tf.constant([1.0]))
    with pytest.raises(ConfigurationError, match=r"no such output.*Did you mean 'image'"):
        HubLayer(stylize, output_key="imag")({"a": tf.ones([1]), "z": tf.ones([1])})


def test_strings_become_vectors_inside_a_functional_model(tmp_path):
    tf.saved_model.save(Words(), str(tmp_path / "words"))
    texts = keras.Input((), dtype="string")
    layer = HubLayer(tmp_path / "words", trainable=True)
    model = keras.Model(texts, layer(texts))
    np.testing.assert_array_equal(model(tf.constant(["bad", "good"])), [[0.0, 1.0], [1.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant(["bad"])))
    assert tape.gradient(loss, layer.trainable_variables[0].value) is not None


def test_it_computes_in_float32_under_mixed_precision(embedding):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = HubLayer(embedding)
        out = layer(tf.ones([1, 2], tf.bfloat16))
    finally:
        keras.config.set_dtype_policy("float32")
    assert out.dtype == tf.float32


def test_it_trains_on_two_replicas(embedding):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        layer = HubLayer(embedding, trainable=True)

    @tf.function
    def gradient():
        def on_replica():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(tf.ones([1, 2]), training=True))
            return tape.gradient(loss, layer.trainable_variables[0].value)

        return strategy.reduce("SUM", strategy.run(on_replica), axis=None)

    np.testing.assert_array_equal(gradient(), np.full((2, 2), 2.0))


def test_its_variables_refuse_to_move_to_other_devices(embedding):
    layer = HubLayer(embedding)
    with pytest.raises(ConfigurationError, match=r"0_kernel.*make the layer in configure_model"):
        layer.variables[0]._initialize(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("name", "said"), [("missing", "is no folder"), (".", r"has no saved_model\.pb")]
)
def test_a_folder_without_a_saved_model_is_named(name, said, tmp_path):
    with pytest.raises(ConfigurationError, match=rf"SavedModel .*{said}"):
        HubLayer(tmp_path / name)


def test_an_unknown_signature_names_those_there_are(stylize):
    with pytest.raises(ConfigurationError, match=r"no signature 'serve'.*serving_default"):
        HubLayer(stylize, signature="serve")


def test_a_model_that_cannot_be_downloaded_fails_at_once_and_says_what_to_do():
    start = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"cannot be downloaded.*give the folder"):
        HubLayer("http://127.0.0.1:1/nnlm-en-dim50/2")
    assert time.monotonic() - start < 10.0
