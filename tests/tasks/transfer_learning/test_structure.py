"""A backbone is the same network wherever its weights come from."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.utils import file_utils

from lightning_tf.keras_internals import imagenet_structure
from lightning_tf.tasks.transfer_learning import keras_applications

pytestmark = pytest.mark.filterwarnings(
    "ignore:`input_shape` is undefined:UserWarning",
    "ignore:__array__ implementation:DeprecationWarning",
)

FAMILIES = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetB1": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "VGG19": 32,
    "Xception": 71,
}


def names_of(network):
    return [type(layer).__name__ for layer in network.layers]


def check(name, side, tmp_path, monkeypatch):
    constructor = getattr(keras.applications, name)
    keras.utils.set_random_seed(0)
    path = str(tmp_path / "own.weights.h5")
    constructor(include_top=False, weights=None, input_shape=(side, side, 3)).save_weights(path)
    monkeypatch.setattr(file_utils, "get_file", lambda *args, **options: path)  # the download

    images = tf.constant(np.random.default_rng(0).integers(0, 256, (2, side, side, 3)), tf.float32)
    reference = constructor(include_top=False, weights="imagenet", input_shape=(side, side, 3))
    module = keras_applications.names()[name]
    expected = reference(module.preprocess_input(tf.identity(images)), training=False)
    for weights in ("imagenet", path, None):
        network, preprocess, _ = keras_applications.build(name, weights, (side, side, 3))
        assert names_of(network) == names_of(reference)
        if weights is not None:
            features = network(preprocess(tf.identity(images)), training=False)
            np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_efficient_net_is_the_same_network_from_a_file(tmp_path, monkeypatch):
    check("EfficientNetB0", FAMILIES["EfficientNetB0"], tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "EfficientNetB0"])
def test_every_family_is_the_same_network_from_a_file(name, tmp_path, monkeypatch):
    check(name, FAMILIES[name], tmp_path, monkeypatch)


def test_what_loads_weights_is_put_back():
    before = file_utils.get_file, keras.Model.load_weights
    with pytest.raises(RuntimeError), imagenet_structure(None):
        raise RuntimeError
    assert (file_utils.get_file, keras.Model.load_weights) == before
