"""Classifier: named networks, Keras models and keras-hub's, to the images and classes at hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.built_classifier import BuiltClassifier, gives_probabilities
from lightning_tf.tasks.image_classification.classifier import Classifier

SPEC = ImageSpec((8, 8, 3), 4, list("abcd"), (0.0, 255.0))


def sequential(*layers, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *layers])


def images():
    return tf.constant(np.random.default_rng(0).uniform(0, 255, (5, 8, 8, 3)).astype("float32"))


def resnet_backbone():
    from keras_hub.models import ResNetBackbone

    return ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[2, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


def test_a_named_network_is_built_with_its_options_and_takes_minus_one_to_one():
    built = Classifier("mlp", activation="tanh", dropout=0.5).build(SPEC)
    kinds = [type(layer).__name__ for layer in built.model.layers]
    assert "Dropout" in kinds
    assert built.logits(images(), training=False).shape == (5, 4)
    np.testing.assert_allclose(built.inputs(tf.constant([0.0, 127.5, 255.0])), [-1.0, 0.0, 1.0])


def test_a_softmax_at_the_end_is_seen_in_every_form():
    dense, functional = keras.layers.Dense(4), keras.Input((8,))
    assert gives_probabilities(sequential(keras.layers.Dense(4, activation="softmax")))
    assert gives_probabilities(sequential(dense, keras.layers.Activation("softmax")))
    assert gives_probabilities(sequential(keras.layers.Dense(4), keras.layers.Softmax()))
    output = keras.layers.Dense(4, activation="softmax")(functional)
    model = keras.Model(functional, output)
    assert gives_probabilities(model)
    assert gives_probabilities(keras.Sequential([keras.Input((8,)), model]))
    assert not gives_probabilities(sequential(keras.layers.Dense(4)))
    assert not gives_probabilities(sequential(keras.layers.Dense(4, activation="sigmoid")))


def test_logits_of_probabilities_give_the_same_probabilities_back():
    model = sequential(keras.layers.Dense(4, activation="softmax"))
    built = Classifier(model).build(SPEC)
    assert built.probabilities
    logits = built.logits(images(), training=False)
    expected = model(built.inputs(images()))
    np.testing.assert_allclose(tf.nn.softmax(logits), expected, atol=1e-6)


def test_a_model_without_an_input_is_built_by_an_image():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    assert Classifier(model).build(SPEC).model.built


def test_a_model_with_other_outputs_or_inputs_is_refused_with_both_shapes():
    with pytest.raises(ConfigurationError, match=r"shape \(None, 3\).*\(None, 4\)"):
        Classifier(sequential(keras.layers.Dense(3))).build(SPEC)
    with pytest.raises(ConfigurationError, match=r"images of shape \(8, 8, 3\)"):
        Classifier(sequential(keras.layers.Dense(4), shape=(9, 9, 3))).build(SPEC)
    inputs = keras.Input((8, 8, 3))
    two = keras.Model(inputs, [keras.layers.Flatten()(inputs)] * 2)
    with pytest.raises(ConfigurationError, match="gives list"):
        Classifier(two).build(SPEC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "resnt"}, "Did you mean 'resnet'"),
        ({"network": 7}, "network is a int"),
        ({"network": "mlp", "activation": "rleu"}, "Did you mean 'relu'"),
        ({"network": "mlp", "initializer": "hee"}, "Did you mean 'he'"),
        ({"network": "mlp", "dropout": 1.0}, "dropout"),
        ({"network": "keras_hub:resnet", "dropout": 0.1}, "dropout=0.1 is for"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_named(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Classifier(**arguments)


@pytest.mark.parametrize(
    "option",
    [{"activation": "tanh"}, {"initializer": "he"}, {"batch_norm": False}, {"dropout": 0.0}],
)
def test_an_option_that_a_given_model_would_not_feel_is_refused(option):
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        Classifier(sequential(keras.layers.Dense(4)), **option)


def test_a_keras_hub_backbone_gets_its_own_head_with_float32_logits():
    built = Classifier(resnet_backbone()).build(SPEC)
    assert type(built.model).__name__ == "ResNetImageClassifier"
    assert built.model.output.dtype == "float32"
    assert not built.probabilities
    assert built.logits(images(), training=True).shape == (5, 4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' saving
def test_a_keras_hub_preset_is_loaded_with_its_weights_and_its_scaling(tmp_path):
    from keras_hub.layers import ResNetImageConverter
    from keras_hub.models import ResNetImageClassifier, ResNetImageClassifierPreprocessor

    converter = ResNetImageConverter(scale=1 / 255, offset=-0.5)
    preprocessor = ResNetImageClassifierPreprocessor(converter)
    original = ResNetImageClassifier(resnet_backbone(), 7, preprocessor)
    original.save_to_preset(str(tmp_path))
    built = Classifier(f"keras_hub:{tmp_path}").build(SPEC)
    assert built.model.output_shape == (None, 4)
    inputs = tf.function(built.inputs)(images())
    np.testing.assert_allclose(inputs, images() / 255 - 0.5, atol=1e-6)
    for weight, loaded in zip(original.backbone.weights, built.model.backbone.weights, strict=True):
        np.testing.assert_array_equal(weight, loaded)


def test_a_keras_hub_preset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot load the preset"):
        Classifier(f"keras_hub:{tmp_path}/nothing").build(SPEC)


def test_a_keras_hub_model_of_another_kind_is_refused():
    from keras_hub.models import ImageSegmenter

    class Segmenter(ImageSegmenter):
        def __init__(self):
            keras.Model.__init__(self)

    with pytest.raises(ConfigurationError, match="Segmenter; give a backbone"):
        Classifier(Segmenter()).build(SPEC)


def test_tiny_probabilities_give_finite_logits():
    model = sequential(keras.layers.Lambda(lambda x: x[:, :4] * 0.0))
    assert np.isfinite(BuiltClassifier(model, True).logits(images(), False)).all()
