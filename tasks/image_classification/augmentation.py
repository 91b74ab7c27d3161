"""Augmentation: random changes of training images, inside the compiled step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known, checked_integer
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.common.keras_cv_model import is_from_keras_cv

PIXEL_RANGE = (0.0, 255.0)
MODES = ("reflect", "zeros")
Chosen = str | Sequence[Any] | Callable[..., Any]


class PaddedCrop(keras.layers.Layer):  # type: ignore[misc]
    """Pad every side, then cut a random window of the original size out of each image.

    Input and output: float images of shape (batch, height, width, channels), in any range. All
    images of a batch are cut in two gathers. Outside training it changes nothing.

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016, section
    4.2, https://arxiv.org/abs/1512.03385 (zeros, 4 pixels).

    Args:
        padding: Pixels added to each side, at least 1 and, with ``reflect``, less than the
            image's shorter side.
        mode: ``reflect`` mirrors the image at its border, ``zeros`` fills with 0.
        seed: Of the layer's seed generator; None draws one.
        **kwargs: As of `keras.layers.Layer`.

    Raises:
        ConfigurationError: `padding` is below 1 or too wide for the image, or `mode` is unknown.

    Example:
        >>> PaddedCrop(padding=2)(keras.ops.ones((3, 8, 8, 1)), training=True).shape
        TensorShape([3, 8, 8, 1])
    """

    def __init__(
        self, padding: int = 4, mode: str = "reflect", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.padding = checked_integer("crop: padding", padding, least=1)
        if mode not in MODES:
            raise ConfigurationError(f"crop: mode={mode!r} must be one of {', '.join(MODES)}.")
        self.mode = mode
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that the padding fits the images."""
        shorter = min((side for side in input_shape[1:3] if side is not None), default=None)
        if self.mode == "reflect" and shorter is not None and self.padding >= shorter:
            raise ConfigurationError(
                f"crop: padding={self.padding} cannot be reflected from images of shape "
                f"{tuple(input_shape[1:])}; use at most {shorter - 1}."
            )
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the cut images, or in evaluation the images as they are."""
        if not training:
            return images

        shape = tf.shape(images)
        border = [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(images, border, mode="REFLECT" if self.mode == "reflect" else "CONSTANT")

        # One corner an image; two gathers cut them all, where a crop of each would be a loop.
        corners = keras.random.randint(
            (shape[0], 2), 0, 2 * self.padding + 1, dtype="int32", seed=self.generator
        )
        rows = corners[:, :1] + tf.range(shape[1])  # (batch, height)
        columns = corners[:, 1:] + tf.range(shape[2])  # (batch, width)
        cut = tf.gather(
            tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1
        )
        return tf.ensure_shape(cut, images.shape)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        config = {"padding": self.padding, "mode": self.mode, "seed": self.seed}
        return {**super().get_config(), **config}


# Keras draws a contrast factor from [1 - lower, 1 + upper] and takes a lone number as upper only.
AUGMENTATIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "flip": (keras.layers.RandomFlip, {"mode": "horizontal"}),
    "brightness": (keras.layers.RandomBrightness, {"factor": 0.2, "value_range": PIXEL_RANGE}),
    "contrast": (keras.layers.RandomContrast, {"factor": (0.2, 0.2), "value_range": PIXEL_RANGE}),
    "crop": (PaddedCrop, {}),
    "rand_augment": (keras.layers.RandAugment, {"value_range": PIXEL_RANGE}),
    "mixup": (keras.layers.MixUp, {"alpha": 0.2}),
    "cutmix": (keras.layers.CutMix, {}),
}


class Augmentation(keras.layers.Layer):  # type: ignore[misc]
    """A sequence of random changes of training images and, by MixUp and CutMix, of labels.

    Images are float32 of shape (batch, height, width, channels) in [0, 255], the range that
    Keras' own layers expect; labels are float32 of shape (batch, classes), each row summing to 1.
    The layers keep their seed generators, so a seed repeats a run and a checkpoint resumes it.
    Everything runs in float32, as MixUp and CutMix fail under mixed precision.

    ==============  ==============================================================================
    name            what it does
    ==============  ==============================================================================
    flip            mirrors left and right, half of the images (`keras.layers.RandomFlip`)
    brightness      adds up to 20 % of the range, or takes it away (`keras.layers.RandomBrightness`)
    contrast        scales around the mean by 0.8 to 1.2 (`keras.layers.RandomContrast`)
    crop            shifts by up to 4 pixels (`PaddedCrop`; He et al., 2016)
    rand_augment    two random operations a batch (`keras.layers.RandAugment`; Cubuk et al., 2020,
                    https://arxiv.org/abs/1909.13719). Keras computes every operation for every
                    image: 3.4 s for 64 images of 224x224 on a CPU.
    mixup           blends pairs of images and labels (`keras.layers.MixUp`; Zhang et al., 2018,
                    https://arxiv.org/abs/1710.09412)
    cutmix          pastes a rectangle of another image (`keras.layers.CutMix`; Yun et al., 2019,
                    https://arxiv.org/abs/1905.04899)
    ==============  ==============================================================================

    Args:
        chosen: A name, or a list whose items are names, pairs ``("crop", {"padding": 2})`` with
            options of the layer, layers of Keras or KerasCV built with ``dtype="float32"``, or
            functions from images to images. They run in the order given.

    Raises:
        ConfigurationError: A name or an option is unknown, or a layer is not float32.

    Example:
        >>> augmentation = Augmentation(["flip", ("crop", {"padding": 2})])
        >>> images, labels = augmentation(tf.zeros([4, 8, 8, 1]), tf.eye(4), training=True)
    """

    def __init__(self, chosen: Chosen) -> None:
        super().__init__(dtype="float32")
        items = [chosen] if isinstance(chosen, str) or callable(chosen) else list(chosen)
        self.steps = [_step(item) for item in items]
        # Nothing here has weights; an unbuilt layer would cost a trial trace of the whole step.
        self.built = True

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return changed images and labels, or in evaluation both as they are."""
        if not training:
            return images, labels

        shape = images.shape
        for step in self.steps:
            if isinstance(step, (keras.layers.MixUp, keras.layers.CutMix)):
                mixed = step({"images": images, "labels": labels}, training=True)
                images, labels = mixed["images"], mixed["labels"]
            elif is_from_keras_cv(step):
                # Equalization asks with Python's `and`, which autograph alone can trace.
                images = tf.function(step)(images, training=True)
            elif isinstance(step, keras.layers.Layer):
                images = step(images, training=True)
            else:
                images = step(images)

            if not images.shape.is_compatible_with(shape):
                raise ConfigurationError(
                    f"augmentation {_name(step)} gave images of shape {images.shape} for "
                    f"{shape}; augmentation must keep the shape. Resize with image_size=."
                )

        # Keras' random layers lose the static shape that dense networks need.
        return tf.ensure_shape(tf.cast(images, tf.float32), shape), labels


def _step(item: Any) -> Callable[..., Any]:
    options: dict[str, Any] = {}
    if isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[1], dict):
        item, options = item
    if isinstance(item, str):
        return _named(item, options)

    if not callable(item) or options:
        raise ConfigurationError(
            f"augmentation item {item!r} must be a name, a pair (name, options), a Keras layer or "
            f"a function of images.{nearest(item, AUGMENTATIONS)}"
        )
    # Keras' layers for images fail under mixed precision.
    if isinstance(item, keras.layers.Layer) and item.compute_dtype != "float32":
        raise ConfigurationError(
            f"augmentation layer {item.name!r} computes in {item.compute_dtype}; build it with "
            'dtype="float32".'
        )
    return item  # type: ignore[no-any-return]


def _named(name: str, options: dict[str, Any]) -> Callable[..., Any]:
    check_known(f"augmentation {name!r} is unknown", name, AUGMENTATIONS)
    make, defaults = AUGMENTATIONS[name]
    try:
        layer: Callable[..., Any] = make(**{**defaults, **options, "dtype": "float32"})
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"augmentation {name!r} refuses {options}: {error}") from error
    return layer


def _name(step: Any) -> str:
    return repr(getattr(step, "name", getattr(step, "__name__", type(step).__name__)))
