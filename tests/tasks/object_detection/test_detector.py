"""Detector: feature maps of every kind of backbone, and where the heads begin."""

import keras
import numpy as np
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.anchors import Anchors, retinanet_sizes
from lightning_tf.tasks.object_detection.backbone_levels import BackboneLevels
from lightning_tf.tasks.object_detection.detector import Detector
from lightning_tf.tasks.object_detection.heads import PRIOR

# Keras' own saving, where it reads variables.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 64
SHAPE = (SIDE, SIDE, 3)


def built(
    backbone, head="retinanet", levels=(3, 4, 5, 6), channels=3, classes=2, side=SIDE, **options
):
    detector = Detector(BackboneLevels(backbone), head, levels=levels, width=16, **options)
    anchors = Anchors((side, side), levels, retinanet_sizes(levels, 4.0))
    loss = "softmax" if head == "ssd" else "focal"
    result = detector.build(anchors, channels=channels, num_classes=classes, class_loss=loss)
    raw = result.model(np.full((2, side, side, channels), 99.0, "float32"))
    assert raw["boxes"].shape == (2, len(anchors.boxes), 4)
    assert raw["classes"].shape == (2, len(anchors.boxes), classes + (head == "ssd"))
    return result, raw


def sizes(result):
    return [tuple(output.shape[1:3]) for output in result.backbone.outputs]


@pytest.mark.parametrize(
    "name",
    ["VGG16"]
    + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("MobileNetV2", "MobileNetV3Small", "ResNet50", "EfficientNetB0",
                     "EfficientNetV2B0", "DenseNet121",
                     "NASNetMobile", "ConvNeXtTiny", "MobileNet", "Xception")
    ],
)  # fmt: skip
def test_families_of_keras_applications_have_their_levels(name):
    side = 96 if name == "Xception" else SIDE  # it takes 71 pixels and more
    result, _ = built(name, side=side)
    assert sizes(result) == [(side // stride,) * 2 for stride in (8, 16, 32)]


def test_a_family_without_the_levels_is_told():
    detector = Detector(BackboneLevels("InceptionV3"))
    levels = detector.levels
    anchors = Anchors((96, 96), levels, retinanet_sizes(levels, 4.0))
    with pytest.raises(ConfigurationError, match=r"no feature map of stride 8.*InceptionV3 has"):
        detector.build(anchors, channels=3, num_classes=2, class_loss="focal")


@pytest.mark.parametrize("head", ["retinanet", "ssd"])
@pytest.mark.parametrize(
    "levels",
    [(2, 3), (3, 4, 5), (4,), pytest.param((3, 4, 5, 6, 7), marks=pytest.mark.slow)],
    ids=str,
)
def test_the_small_network_has_any_levels(levels, head):
    result, _ = built("small", head, levels)
    assert sizes(result) == [(SIDE // 2**k,) * 2 for k in levels if k <= 5]


def test_a_model_of_several_outputs_gives_its_own():
    inputs = keras.Input(SHAPE)
    eighth = keras.layers.Conv2D(5, 8, 8, name="eighth")(inputs)
    later = keras.layers.Activation("relu")(eighth)
    sixteenth = keras.layers.Conv2D(6, 2, 2)(later)
    model = keras.Model(inputs, {"a": sixteenth, "b": eighth})
    result, _ = built(model, levels=(3, 4))
    assert [output.shape[-1] for output in result.backbone.outputs] == [5, 6]
    alone, _ = built(keras.Model(inputs, sixteenth), levels=(3, 4))
    assert alone.backbone.outputs[0] is later  # the last of its size


def test_a_model_whose_maps_cannot_be_found_is_told():
    class Opaque(keras.Model):
        def call(self, images):
            return images

    with pytest.raises(ConfigurationError, match="no Functional or Sequential model"):
        built(Opaque(name="opaque"), levels=(3,))
    inputs = keras.Input(SHAPE)
    shallow = keras.Model(inputs, keras.layers.Conv2D(4, 4, 4)(inputs), name="shallow")
    with pytest.raises(ConfigurationError, match="'shallow' has no feature map of stride 8"):
        built(shallow, levels=(2, 3))


def test_a_saved_model_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="object detection needs several"):
        BackboneLevels("hub:https://tfhub.dev/somebody/something")


@pytest.mark.slow
def test_gray_images_are_taken():
    built("MobileNetV2", channels=1)
    built("small", channels=1)


def keras_hub_backbone():
    import keras_hub

    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 16, 24, 32],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )


@pytest.mark.slow
def test_a_local_preset_of_keras_hub_gives_its_pyramid(tmp_path):
    backbone = keras_hub_backbone()
    backbone.save_to_preset(str(tmp_path / "preset"))
    for given in (f"keras_hub:{tmp_path / 'preset'}", backbone):
        result, _ = built(given)
        assert [output.shape[-1] for output in result.backbone.outputs] == [16, 24, 32]


def test_the_prior_is_on_the_classes_and_not_on_the_boxes():
    _, raw = built("small")
    scores = 1.0 / (1.0 + np.exp(-raw["classes"].numpy()))
    assert scores.mean() == pytest.approx(PRIOR, rel=0.2)
    assert abs(raw["boxes"].numpy()).max() < 0.5
    _, raw = built("small", "ssd")
    assert abs(raw["classes"].numpy()).max() < 0.5


@pytest.mark.slow
def test_normalisation_trains_with_near_statistics_unless_it_is_frozen():
    model = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=SHAPE)

    def normalisations(result):
        layers = [
            layer
            for layer in result.backbone.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        # MobileNetV2's own momentum of 0.999 forgets too slowly for fits of some hundred updates.
        assert {layer.momentum for layer in layers} == {0.9}
        # On several replicas statistics are those of the whole batch, as on one.
        assert all(layer.synchronized for layer in layers)
        return {layer.trainable for layer in layers}

    assert normalisations(built("MobileNetV2")[0]) == {True}
    assert normalisations(built(model)[0]) == {True}
    assert normalisations(built("MobileNetV2", freeze_batch_norm=True)[0]) == {False}
    result, _ = built("MobileNetV2", fixed_layers=["Conv1"])
    assert not result.backbone.get_layer("Conv1").trainable
    with pytest.raises(ConfigurationError, match="no layer 'Conv99'"):
        built("MobileNetV2", fixed_layers=["Conv99"])


@pytest.mark.parametrize("head", [pytest.param("retinanet", marks=pytest.mark.slow), "ssd"])
def test_a_models_file_loads_again(head, tmp_path):
    result, raw = built("small", head)
    result.model.save_weights(tmp_path / "model.weights.h5")
    again, other = built("small", head)
    assert not np.array_equal(raw["boxes"], other["boxes"])
    again.model.load_weights(tmp_path / "model.weights.h5")
    images = np.full((2, SIDE, SIDE, 3), 99.0, "float32")
    np.testing.assert_array_equal(again.model(images)["boxes"], raw["boxes"])


@pytest.mark.parametrize("levels", [3, "34", (), (3, 5), (3, 3), ("3", "4"), (1, 2), (6, 7), None])
def test_levels_that_do_not_follow_each_other_are_refused(levels):
    if levels is None:
        assert Detector(BackboneLevels("small")).levels == (3, 4, 5, 6)
        return
    with pytest.raises(ConfigurationError, match="levels="):
        Detector(BackboneLevels("small"), levels=levels)
