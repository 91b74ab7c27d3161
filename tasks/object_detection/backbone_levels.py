"""BackboneLevels: the feature maps of a backbone by stride, as one Keras model."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import saved_model_handle
from lightning_tf.tasks.common.keras_hub_classifier import PREFIX
from lightning_tf.tasks.object_detection.small_backbone import small_backbone
from lightning_tf.tasks.transfer_learning.backbone import Backbone
from lightning_tf.tasks.transfer_learning.preprocessing import to_minus_one_to_one

SMALL = "small"
DEEPEST = 5  # levels beyond it are made by the detector, of the last map


@dataclass(frozen=True)
class BuiltLevels:
    """A model from preprocessed images to one feature map a level.

    Attributes:
        model: Its outputs are a list of (batch, height / 2^k, width / 2^k, channels).
        preprocess: From images in [0, 255] to the model's input.
        channels: What the model takes.
    """

    model: keras.Model
    preprocess: Callable[[Any], Any]
    channels: int


class BackboneLevels:
    """A backbone that is still to be built, of which several feature maps are wanted.

    The map of level k is the last one of the size side / 2^k, as in a feature pyramid (Lin et al.,
    "Feature Pyramid Networks for Object Detection", 2017, https://arxiv.org/abs/1612.03144).

    Args:
        backbone: ``small``, a network of this package; a name of keras.applications;
            ``"keras_hub:<preset or folder>"``; a keras-hub backbone; or a Keras model, whose
            outputs are the levels if it has several.
        weights: As of `TransferLearning`.

    Raises:
        ConfigurationError: A name is unknown, a file is missing, or the backbone has no levels.

    Example:
        >>> BackboneLevels("MobileNetV2", None).build((64, 64, 3), (3, 4, 5)).model.output_shape
        [(None, 8, 8, 192), (None, 4, 4, 576), (None, 2, 2, 1280)]
    """

    def __init__(self, backbone: Any, weights: Any = None) -> None:
        self.backbone, self.weights = backbone, weights
        self.is_small = isinstance(backbone, str) and backbone == SMALL
        if self.is_small:
            if weights not in (None, "imagenet"):
                raise ConfigurationError(
                    f"weights={weights!r}: backbone 'small' is trained from nothing."
                )
            return

        named = os.fspath(backbone) if isinstance(backbone, os.PathLike) else backbone
        is_hub = isinstance(named, str) and not named.startswith(PREFIX)
        if is_hub and saved_model_handle(named) is not None:
            raise ConfigurationError(
                f"backbone={named!r} is a SavedModel, which gives one feature map or none; object "
                "detection needs several: give 'small', a name of keras.applications, "
                f"'{PREFIX}<folder>' or a Keras model."
            )
        self.named = Backbone(backbone, weights)

    def build(
        self, input_shape: tuple[int, int, int], levels: Sequence[int], *, load: bool = True
    ) -> BuiltLevels:
        """Make the model, in the precision and placement of the run.

        Args:
            input_shape: Height, width and channels of the images.
            levels: Wanted, none beyond 5.
            load: False leaves weights random that a checkpoint brings afterwards.

        Raises:
            ConfigurationError: It cannot be loaded, or lacks a level at this size.
        """
        if self.is_small:
            model = small_backbone(input_shape, levels)
            return BuiltLevels(model, to_minus_one_to_one, input_shape[-1])

        named = self.named
        if named.is_application and not load:
            named = Backbone(self.backbone)
        built = named.build(ImageSpec(input_shape, 2, ["a", "b"], (0.0, 255.0)))
        outputs = _level_outputs(built.layer, input_shape[:2], levels)
        inputs = built.layer.inputs[0] if len(built.layer.inputs) == 1 else built.layer.inputs
        model = keras.Model(inputs, outputs, name=f"{built.layer.name}_levels")
        return BuiltLevels(model, built.preprocess, built.channels)


def _level_outputs(model: Any, size: tuple[int, int], levels: Sequence[int]) -> list[Any]:
    """Return the map of each level.

    Raises:
        ConfigurationError: The model has none of a level's size.
    """
    if not getattr(model, "inputs", None):
        raise ConfigurationError(
            f"backbone {model.name!r} is no Functional or Sequential model, so that its feature "
            "maps cannot be found; give a Functional one whose outputs are the maps."
        )
    # keras-hub names the maps; a model of several outputs gives its own.
    pyramid = getattr(model, "pyramid_outputs", None)
    if pyramid:
        known = {f"P{level}": level for level in levels}
        found = {known[name]: map_ for name, map_ in pyramid.items() if name in known}
    else:
        several = len(model.outputs) > 1
        maps = list(model.outputs) if several else _maps_of_layers(model)
        found = _last_of_sizes(maps, _sizes(model, maps, size), size, levels)

    missing = [level for level in levels if level not in found]
    if missing:
        strides = ", ".join(str(2**level) for level in missing)
        raise ConfigurationError(
            f"backbone {model.name!r} has no feature map of stride {strides} for images of "
            f"{size[0]} x {size[1]} pixels; some families round otherwise unless sides are "
            "multiples of 32, and InceptionV3 has none. Give another image_size=, other levels= "
            "or another backbone."
        )
    return [found[level] for level in levels]


def _maps_of_layers(model: Any) -> list[Any]:
    outputs = []
    for layer in model.layers:
        output = getattr(layer, "output", None)
        if isinstance(output, keras.KerasTensor) and len(output.shape) == 4:
            outputs.append(output)
    return outputs


def _sizes(model: Any, maps: list[Any], size: tuple[int, int]) -> list[tuple[Any, ...]]:
    """Return height and width of each map for images of one size."""
    if all(None not in map_.shape[1:3] for map_ in maps):
        return [tuple(map_.shape[1:3]) for map_ in maps]
    channels = model.inputs[0].shape[-1]
    probe = keras.Model(model.inputs, maps)
    shapes = probe.compute_output_shape((1, *size, channels))
    shapes = [shapes] if len(maps) == 1 else shapes
    return [tuple(shape[1:3]) for shape in shapes]


def _last_of_sizes(
    maps: list[Any],
    sizes: list[tuple[Any, ...]],
    image: tuple[int, int],
    levels: Sequence[int],
) -> dict[int, Any]:
    wanted = {(-(-image[0] // 2**level), -(-image[1] // 2**level)): level for level in levels}
    return {wanted[size]: map_ for map_, size in zip(maps, sizes, strict=True) if size in wanted}
