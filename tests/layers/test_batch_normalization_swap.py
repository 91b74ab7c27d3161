from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import (
    BatchNormalizationSwap,
    FusedBatchNormalization,
    fuse_batch_normalization,
)

# Keras reads variables for a file in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE = (8, 8, 3)
KERAS = keras.layers.BatchNormalization


def images(count=4):
    return np.random.default_rng(0).normal(3.0, 2.0, (count, *SHAPE)).astype("float32")


def convolutions():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3),
            KERAS(),
            keras.layers.Conv2D(4, 3),
            KERAS(),
        ],
        name="inner",
    )


class Block(keras.layers.Layer):
    """A layer of one's own that holds one, of which no config knows."""

    def __init__(self, **options):
        super().__init__(**options)
        self.normalize = KERAS(name="normalize")

    def call(self, x, training=None):
        return self.normalize(x, training=training)


class Subclassed(keras.Model):
    """A model that cannot be cloned."""

    def __init__(self):
        super().__init__(name="own")
        self.block = Block()

    def call(self, x, training=None):
        return self.block(x, training=training)


def nested():
    inputs = keras.Input(SHAPE)
    x = KERAS(name="first", momentum=0.5)(inputs)
    return keras.Model(inputs, convolutions()(x))


def shared():
    twice = convolutions()
    left, right = keras.Input(SHAPE), keras.Input(SHAPE)
    return keras.Model([left, right], twice(left) + twice(right))


def distributed_over_time():
    inputs = keras.Input((2, *SHAPE))
    over_time = keras.layers.TimeDistributed(convolutions())
    return keras.Model(inputs, keras.layers.TimeDistributed(KERAS())(over_time(inputs)))


def in_a_block():
    return keras.Sequential([keras.Input(SHAPE), Block(name="block"), keras.layers.Conv2D(2, 1)])


def masked():
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, KERAS()(keras.layers.Masking()(inputs)))


def channels_first():
    return keras.Sequential([keras.Input((3, 8, 8)), KERAS(axis=1), keras.layers.Flatten()])


MODELS = [nested, shared, distributed_over_time, in_a_block, masked, channels_first]
every_model = pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)


def normalizations(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, KERAS)]


def names(model):
    """Of all parts but the inputs that nobody named, which Keras' clone_model names anew."""
    layers = model._flatten_layers()
    return [layer.name for layer in layers if not isinstance(layer, keras.layers.InputLayer)]


def inputs_of(model):
    random = np.random.default_rng(1)
    arrays = [random.normal(2.0, 3.0, (4, *i.shape[1:])).astype("float32") for i in model.inputs]
    for array in arrays:
        array[:, 3:] *= 0.0 if array.ndim == 3 else 1.0  # what Masking leaves out
    return arrays if len(arrays) > 1 else arrays[0]


def trained(model, updates=5, rate=1e-3):
    """Weights after some updates of SGD, from generators in the same state."""
    keras.utils.set_random_seed(3)
    optimizer, x = keras.optimizers.SGD(rate), inputs_of(model)
    optimizer.build(model.trainable_variables)
    for _ in range(updates):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - 1.0))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)
    return [variable.numpy() for variable in model.weights]


@every_model
def test_the_copy_is_the_same_model_with_fused_layers(make):
    model = make()
    for number, variable in enumerate(model.weights):
        variable.assign(variable + 0.1 * (number + 1))
    fused = fuse_batch_normalization(model)
    assert {type(layer) for layer in normalizations(fused)} == {FusedBatchNormalization}
    assert {type(layer) for layer in normalizations(model)} == {KERAS}
    assert names(fused) == names(model)
    x = inputs_of(model)
    np.testing.assert_allclose(fused(x), model(x), rtol=1e-5, atol=1e-4)


@every_model
def test_a_copy_trains_to_the_same_weights(make):
    model = make()
    fused = fuse_batch_normalization(model)
    for ours, theirs in zip(trained(fused), trained(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@every_model
def test_swapped_layers_train_to_the_same_weights_and_come_back_as_they_were(make):
    model = make()
    start = [variable.numpy() for variable in model.weights]
    theirs = trained(model)
    for variable, value in zip(model.weights, start, strict=True):
        variable.assign(value)
    layers, swap = normalizations(model), BatchNormalizationSwap()
    swap.fuse(model)
    assert {type(layer) for layer in layers} == {FusedBatchNormalization}
    assert not any(layer.synchronized for layer in layers)
    ours = trained(model)
    swap.restore()
    assert {type(layer) for layer in layers} == {KERAS}
    assert normalizations(model) == layers
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", [pytest.param(".weights.h5", marks=pytest.mark.slow), ".keras"])
@pytest.mark.parametrize(
    "make",
    [nested, pytest.param(shared, marks=pytest.mark.slow), in_a_block],
    ids=lambda make: make.__name__,
)
def test_files_of_a_model_and_of_its_fused_copy_load_in_the_other(make, suffix, tmp_path):
    model = make()
    trained(model)
    fused = fuse_batch_normalization(model)
    trained(fused)
    path, x = tmp_path / f"model{suffix}", inputs_of(model)
    for writer, reader in ((model, fused), (fused, model)):
        trained(writer, updates=2)
        assert not np.allclose(reader(x), writer(x))
        writer.save_weights(path) if suffix == ".weights.h5" else writer.save(path)
        reader.load_weights(path)
        np.testing.assert_allclose(reader(x), writer(x), rtol=1e-5, atol=1e-5)


def freeze_inner(model):
    model.get_layer("inner").trainable = False


def freeze_one_of_inner(model):
    model.get_layer("inner").layers[1].trainable = False


def freeze_all_but_one(model):
    model.trainable = False
    model.get_layer("inner").layers[1].trainable = True


@pytest.mark.parametrize("freeze", [freeze_inner, freeze_one_of_inner, freeze_all_but_one])
def test_the_same_parts_of_a_copy_are_frozen(freeze):
    model = nested()
    freeze(model)
    fused = fuse_batch_normalization(model)
    layers = zip(model._flatten_layers(), fused._flatten_layers(), strict=True)
    assert all(old.trainable == new.trainable for old, new in layers)
    before = [[v.path for v in one.trainable_variables] for one in (model, fused)]
    assert before[0] == before[1]
    x = images()
    for _ in range(2):
        model(x, training=True), fused(x, training=True)
    for ours, theirs in zip(fused.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_what_is_inside_a_frozen_block_stays_frozen_in_the_copy():
    model = in_a_block()
    model.layers[0].trainable = False
    fused = fuse_batch_normalization(model)
    before = [weight.numpy() for weight in fused.layers[0].weights]
    fused(images(), training=True)
    assert len(before) == 4
    assert all(np.array_equal(a, b) for a, b in zip(before, fused.layers[0].weights, strict=True))


def test_a_shared_layer_is_one_layer_of_the_copy():
    model = shared()
    fused = fuse_batch_normalization(model)
    assert len(fused.weights) == len(model.weights)
    assert len(normalizations(fused)) == len(normalizations(model)) == 2


def test_subclasses_of_the_layer_stay_what_they_are():
    class Own(KERAS):
        pass

    model = keras.Sequential([keras.Input(SHAPE), Own()])
    BatchNormalizationSwap().fuse(model)
    assert type(model.layers[0]) is Own
    assert type(fuse_batch_normalization(model).layers[0]) is Own


def test_a_subclassed_model_is_swapped_in_place():
    model, swap = Subclassed(), BatchNormalizationSwap()
    x = images()
    theirs = model(x)
    swap.fuse(model)
    assert type(model.block.normalize) is FusedBatchNormalization
    np.testing.assert_allclose(model(x), theirs, rtol=1e-5, atol=1e-5)
    swap.restore()
    assert type(model.block.normalize) is KERAS


def test_layers_swapped_twice_come_back():
    model, swap = nested(), BatchNormalizationSwap()
    swap.fuse(model)
    swap.fuse(model)
    normalizations(model)[0].synchronized = True  # as sync_batchnorm=True does
    swap.restore()
    assert {type(layer) for layer in normalizations(model)} == {KERAS}
    assert not any(layer.synchronized for layer in normalizations(model))


def test_a_model_that_cannot_be_copied_is_named_with_the_remedy():
    with pytest.raises(ConfigurationError, match=r"Sequential 'empty', which is not built"):
        fuse_batch_normalization(keras.Sequential(name="empty"))
    subclassed = Subclassed()
    subclassed(images())
    with pytest.raises(ConfigurationError, match=r"'own', which is no Functional.*in place"):
        fuse_batch_normalization(subclassed)


@pytest.mark.parametrize("name", ["MobileNetV2", "ResNet50"])
@pytest.mark.slow
def test_applications_and_their_fused_copies_exchange_weights_and_train_alike(name, tmp_path):
    keras.utils.set_random_seed(0)
    build = getattr(keras.applications, name)
    # On smaller images the last maps are a pixel each: a change of 1e-7 in the input then moves
    # Keras' own weights by 0.01 in three updates.
    model = build(include_top=False, weights=None, input_shape=(96, 96, 3), pooling="avg")
    fused = fuse_batch_normalization(model)
    assert [weight.path for weight in fused.weights] == [weight.path for weight in model.weights]
    for ours, theirs in zip(trained(fused, 3, 1e-5), trained(model, 3, 1e-5), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    path = tmp_path / "model.weights.h5"
    for writer, reader in ((model, fused), (fused, model)):
        trained(writer, 1)
        writer.save_weights(path)
        reader.load_weights(path)
        for ours, theirs in zip(reader.weights, writer.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
