from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks.networks.images.build import NETWORKS, build
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

IMAGE_NETWORKS = sorted(name for name, network in NETWORKS.items() if network.images)


def _classes(name):
    return 2 if name == "logistic" else 10


def _convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


@pytest.fixture
def mixed_bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 48, 3), (4, 5, 2)])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_is_built_to_its_images(name, shape):
    model = build(name, shape, _classes(name))
    assert model.input_shape == (None, *shape)
    logits = model(tf.zeros((2, *shape)))
    assert logits.shape == (2, _classes(name))
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_large_images_stay_affordable(name):
    model = build(name, (224, 224, 3), 10)
    assert max(layer.output.shape[1] for layer in _convolutions(model)) < 64
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize(
    ("name", "fewest", "most"),
    [
        ("logistic", 3073, 3073),
        ("linear", 30730, 30730),
        ("lenet5", 62006, 62006),  # 61,706 in the paper's grey images, and 2 * 25 * 6 for colours
        ("mlp", 500_000, 2_000_000),
        ("convnet", 100_000, 500_000),
        ("vgg", 200_000, 1_000_000),
        ("resnet", 150_000, 1_000_000),
        ("inception", 150_000, 500_000),
        ("mobilenet", 100_000, 300_000),
    ],
)
def test_weights_for_cifar_are_as_many_as_the_family_should_have(name, fewest, most):
    assert fewest <= build(name, (32, 32, 3), _classes(name)).count_params() <= most


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_under_mixed_precision_inputs_and_logits_stay_float32(name):
    model = build(name, (16, 16, 3), _classes(name), dropout=0.1 if NETWORKS[name].hidden else None)
    assert model.input.dtype == "float32"
    logits = model(tf.random.stateless_normal((4, 16, 16, 3), (1, 2)), training=True)
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()
    assert all(layer.compute_dtype == "bfloat16" for layer in _convolutions(model))


@pytest.mark.parametrize(
    ("name", "batch_norm"),
    [
        (name, norm)
        for name in sorted(NETWORKS)
        for norm in (False, True)[: 1 + NETWORKS[name].hidden]
    ],
)
def test_the_loss_reaches_every_weight(name, batch_norm):
    keras.utils.set_random_seed(0)
    classes = _classes(name)
    model = build(name, (16, 16, 3), classes, activation="tanh", batch_norm=batch_norm)
    images = tf.random.stateless_uniform((16, 16, 16, 3), (1, 2), -1.0, 1.0)
    labels = tf.range(16) % classes
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert len(gradients) == len(model.trainable_weights)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0.0, weight.path


def test_the_softmax_of_logistic_is_the_sigmoid_of_its_logit():
    model = build("logistic", (5,), 2)
    x = tf.random.stateless_normal((6, 5), (3, 4))
    dense = model.get_layer("logits")
    probability = tf.sigmoid(x @ dense.kernel + dense.bias)[:, 0]
    np.testing.assert_allclose(tf.nn.softmax(model(x))[:, 1], probability, rtol=1e-6)
    np.testing.assert_array_equal(model(x)[:, 0], 0.0)


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_logistic_takes_two_classes_only(classes):
    with pytest.raises(ConfigurationError, match="2"):
        build("logistic", (8, 8, 1), classes)


@pytest.mark.parametrize("batch_norm", [None, True, False])
def test_batch_normalization_is_asked_for_or_the_networks_own_default(batch_norm):
    for name in ("mlp", "convnet", "vgg"):
        model = build(name, (8, 8, 3), 3, batch_norm=batch_norm)
        has_batch_norm = any(isinstance(layer, FusedBatchNormalization) for layer in model.layers)
        assert has_batch_norm == (NETWORKS[name].batch_norm if batch_norm is None else batch_norm)


def test_dropout_drops_in_training_only():
    x = tf.ones((2, 8, 8, 1))
    for name, network in NETWORKS.items():
        if network.hidden:
            model = build(name, (8, 8, 1), 3, dropout=0.5, batch_norm=False)
            assert not np.allclose(model(x, training=True), model(x, training=True)), name
            np.testing.assert_array_equal(model(x), model(x))


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "gelu", tf.sin])
def test_an_activation_is_a_name_or_a_callable(activation):
    x = keras.Input((4,))
    model = keras.Model(x, LayerFactory(activation, "ones").dense(x, 1))
    expected = keras.activations.get(activation) if isinstance(activation, str) else activation
    np.testing.assert_allclose(model(tf.fill((1, 4), 0.2))[0, 0], expected(tf.constant(0.8)), 1e-6)


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        ("he", (2 / 400) ** 0.5),
        ("xavier", (2 / 700) ** 0.5),
        ("normal", 0.05),
        ("truncated_normal", 0.05 * 0.88),
        ("lecun_normal", (1 / 400) ** 0.5),
        (keras.initializers.RandomNormal(stddev=0.3), 0.3),
        (keras.initializers.HeUniform, (2 / 400) ** 0.5),
    ],
)
def test_an_initializer_is_a_name_or_an_object(initializer, deviation):
    kernel = LayerFactory(initializer=initializer).initializer()((400, 300))
    assert np.std(kernel) == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize(
    "initializer", ["he", keras.initializers.HeNormal(), keras.initializers.HeNormal(seed=7)]
)
def test_layers_of_equal_shape_start_differently(initializer):
    layers = LayerFactory(initializer=initializer)
    assert not np.allclose(layers.initializer()((3, 3)), layers.initializer()((3, 3)))


def test_a_seeded_initializer_gives_the_same_network_again():
    seeded = keras.initializers.GlorotUniform(seed=5)
    first, second = (build("mlp", (6,), 3, initializer=seeded).get_weights() for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("resnett", (8, 8, 1), {}, "Did you mean 'resnet'"),
        ("mlp", (8,), {"activation": "rleu"}, "Did you mean 'relu'"),
        ("mlp", (8,), {"initializer": "xavir"}, "Did you mean 'xavier'"),
        ("mlp", (8,), {"dropout": 1.0}, r"dropout is 1\.0"),
        ("linear", (8,), {"batch_norm": True}, "no hidden layer"),
        ("vgg", (64,), {}, r"needs images .* got \(64,\)"),
        ("vgg", (3, 8, 1), {}, "at least 4x4"),
        ("mlp", (None, 8), {}, "got \\(None, 8\\)"),
        ("mlp", (), {}, "positive sizes"),
    ],
)
def test_a_network_that_cannot_be_built_says_why(name, shape, options, message):
    with pytest.raises(ConfigurationError, match=message):
        build(name, shape, 3, **options)
