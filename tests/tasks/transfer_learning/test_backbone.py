"""Backbone: names, folders and models of every kind, made on the spot and loaded as public ones."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import TransferLearning
from lightning_tf.tasks.transfer_learning import keras_applications
from lightning_tf.tasks.transfer_learning.backbone import Backbone

# Keras' own saving, where it reads variables.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 32
SPEC = ImageSpec((SIDE, SIDE, 3), 2, ["a", "b"], (0.0, 255.0))


def arrays(count=32):
    x = np.random.default_rng(0).integers(0, 255, (count, SIDE, SIDE, 3)).astype("uint8")
    return x, np.arange(count) % 2


def task_of(backbone, **options):
    return TransferLearning(arrays(), backbone, batch_size=16, learning_rate=1e-2, **options)


# ---- keras.applications


def test_every_name_of_keras_applications_is_known_with_its_own_preprocessing():
    names = keras_applications.names()
    offered = {n for n in vars(keras.applications) if n[0].isupper()}
    assert set(names) == offered
    assert all(hasattr(room, "preprocess_input") for room in names.values())
    assert keras_applications.find("mobilenet_v2") == "MobileNetV2"
    assert keras_applications.find("resnet-50") == "ResNet50"


@pytest.mark.parametrize(
    ("name", "white"),
    [
        ("MobileNetV2", [1.0] * 3),
        ("MobileNetV3Small", [255.0] * 3),
        ("VGG16", [151.061, 138.221, 131.32]),
    ],
)
def test_white_becomes_what_the_family_was_trained_with(name, white):
    room = keras_applications.names()[name]
    result = room.preprocess_input(tf.fill([1, 1, 1, 3], 255.0))
    np.testing.assert_allclose(result[0, 0, 0], white, rtol=1e-5)


def test_a_local_file_of_weights_is_loaded(tmp_path):
    source = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )
    source.save_weights(tmp_path / "own.weights.h5")
    built = Backbone("MobileNetV2", str(tmp_path / "own.weights.h5")).build(SPEC)
    for a, b in zip(source.weights, built.layer.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_file_of_other_weights_is_told(tmp_path):
    (tmp_path / "own.weights.h5").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigurationError, match=r"cannot be loaded .*path of a local file"):
        Backbone("MobileNetV2", str(tmp_path / "own.weights.h5")).build(SPEC)


def test_weights_that_cannot_be_downloaded_fail_at_once(monkeypatch, tmp_path):
    room = keras_applications.names()["MobileNetV2"]
    nowhere = "http://127.0.0.1:1/"  # nobody listens there, whatever network the machine has
    monkeypatch.setattr(vars_of(room), "BASE_WEIGHT_PATH", nowhere)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"Tried Keras' cache .*path of a local file"):
        keras_applications.build("MobileNetV2", "imagenet", (SIDE, SIDE, 3))
    assert time.monotonic() - start < 30.0


def vars_of(room):
    """The module that the public room stands for."""
    import importlib

    return importlib.import_module(room.preprocess_input.__module__)


# ---- SavedModels


class Features(tf.Module):
    """Means of the quarters of an image in [0, 1], scaled: a vector of 12."""

    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(1.0, name="scale")

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3]), tf.TensorSpec([], tf.bool)])
    def __call__(self, images, training=False):
        quarters = tf.nn.avg_pool2d(images, SIDE // 2, SIDE // 2, "VALID")
        return tf.reshape(quarters, [-1, 12]) * self.scale


@pytest.mark.parametrize("prefix", ["", pytest.param("hub:", marks=pytest.mark.slow)])
def test_a_saved_model_is_a_feature_extractor(prefix, tmp_path):
    tf.saved_model.save(Features(), str(tmp_path / "features"))
    frozen = task_of(f"{prefix}{tmp_path / 'features'}")
    rows = Rows()
    fitted(frozen, max_epochs=1, seed=0, logger=rows)
    assert frozen.backbone.variables[0].numpy() == 1.0
    white = np.full((1, SIDE, SIDE, 3), 255.0, "float32")
    np.testing.assert_allclose(frozen.built.extractor(white), np.ones((1, 12)))
    names = [name for what, name, *_ in rows.sent if what == "figure"]
    assert "val/predictions" in names
    assert "val/heat_maps" not in names  # a vector has no places


@pytest.mark.slow
def test_a_saved_model_trains_where_it_shall(tmp_path):
    tf.saved_model.save(Features(), str(tmp_path / "features"))
    task = task_of(str(tmp_path / "features"), train="all")
    trainer = fitted(task, max_epochs=1, seed=0)
    assert task.backbone.variables[0].numpy() != 1.0
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = TransferLearning.from_checkpoint(tmp_path / "run.ckpt", data=arrays())
    assert again.backbone.variables[0].numpy() == task.backbone.variables[0].numpy()
    task.export(tmp_path / "exported")
    out = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    x = arrays()[0][:4].astype("float32")
    np.testing.assert_allclose(
        out(tf.constant(x))["probabilities"], task.predict_step(x), rtol=1e-4
    )


@pytest.mark.distributed
def test_a_saved_model_trains_on_two_devices_as_on_one(tmp_path):
    tf.saved_model.save(Features(), str(tmp_path / "features"))
    result = []
    for devices in (1, 2):
        task = task_of(str(tmp_path / "features"), train="all", dropout=0.0)
        fitted(task, max_epochs=1, seed=0, accelerator="cpu", devices=devices)
        result.append(float(task.backbone.variables[0].numpy()))
    assert result[0] == pytest.approx(result[1], rel=1e-5)
    assert result[0] != 1.0


def test_a_precision_that_a_saved_model_would_not_feel_is_refused(tmp_path):
    tf.saved_model.save(Features(), str(tmp_path / "features"))
    with pytest.raises(ConfigurationError, match="computes in float32 alone"):
        fitted(task_of(str(tmp_path / "features")), max_epochs=1, precision="mixed_bfloat16")


@pytest.mark.parametrize("backbone", ["hub:gone", "models/gone", "http://127.0.0.1:1/gone"])
def test_a_saved_model_that_is_not_there_is_told(backbone):
    with pytest.raises(ConfigurationError, match=r"SavedModel .*give the folder"):
        fitted(task_of(backbone), max_epochs=1)


# ---- keras-hub


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    folder = tmp_path_factory.mktemp("preset")
    backbone.save_to_preset(str(folder))
    converter = keras_hub.layers.ResNetImageConverter(image_size=(224, 224), scale=1 / 255.0)
    converter.save_to_preset(str(folder))
    return backbone, folder


@pytest.mark.slow
def test_a_local_preset_brings_weights_and_preprocessing(preset):
    backbone, folder = preset
    task = task_of(f"keras_hub:{folder}")
    fitted(task, max_epochs=1, seed=0)
    for a, b in zip(backbone.weights, task.backbone.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    x = np.random.default_rng(1).uniform(0, 255, (2, SIDE, SIDE, 3)).astype("float32")
    expected = tf.reduce_mean(backbone(x / 255.0), axis=[1, 2])
    np.testing.assert_allclose(task.built.extractor(x), expected, rtol=1e-4, atol=1e-5)


def test_a_keras_hub_backbone_is_taken_as_it_is(preset):
    task = task_of(preset[0])
    assert np.isfinite(fitted(task, max_epochs=1, seed=0).callback_metrics["loss"])
    assert task.backbone is preset[0]


def test_a_keras_hub_classifier_is_told_to_give_its_backbone(preset):
    import keras_hub

    classifier = keras_hub.models.ImageClassifier(backbone=preset[0], num_classes=2)
    with pytest.raises(ConfigurationError, match=r"give its \.backbone"):
        Backbone(classifier).build(SPEC)


def test_a_folder_without_a_preset_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no config\.json"):
        Backbone(f"keras_hub:{tmp_path}").build(SPEC)


def test_a_preset_of_no_such_name_fails_at_once():
    start = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"(?s)cannot load the preset .*Tried .*folder"):
        Backbone("keras_hub:resnet_50_imagnet").build(SPEC)
    assert time.monotonic() - start < 30.0
