"""FeatureMaps: the filters of convolutions, and what they make of images, as training goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.callbacks.common.feature_figures import draw_feature_maps, draw_filters
from lightning_tf.checks import checked_integer
from lightning_tf.data.named_sets import by_name
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import flat_layers, kept_outputs
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import shown_components

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
RANK = 4  # of images and of their feature maps: (batch, height, width, channels)


class FeatureMaps(Callback):
    """Logs filters and feature maps of convolutions as figures, every few epochs.

    Loggers get ``filters/<layer>`` and ``feature_maps/<layer>``. Where layers share a name, each
    goes by its place: ``inner/conv`` is the one in the model ``inner``. Filters of one or three
    input channels are drawn as images; of others there is a row for each of the first filters and a
    column for each of their first input channels. Each filter and each map is drawn between its own
    lowest and highest value. A layer with a kernel of 1 x 1 has no filters to draw.

    Works with every task whose `predict_step` takes images. Without a logger nothing is computed.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014,
    https://arxiv.org/abs/1311.2901.

    Args:
        layers: Names of layers, anywhere in the task's models, convolutions or others that give
            maps, such as activations; None is the first and the last convolution.
        images: How many of the validation images (of the training images, where there are none), or
            images, in the range of the task's own, of shape (images, height, width, channels).
        channels: The most filters and maps that are drawn of a layer, the first ones.
        every_n_epochs: How often.

    Raises:
        ConfigurationError: A number is out of range, or there is no layer or image to draw; when
            fit starts, there is no such layer, it gives no maps, or the model does not take the
            images.

    Example:
        >>> callback = FeatureMaps(["conv2d"], every_n_epochs=5)
        >>> Trainer(max_epochs=20, callbacks=[callback]).fit(ImageClassification("digits"))
        >>> callback.feature_maps(task, images)["conv2d"].shape  # at any time
        (1, 8, 8, 32)
    """

    logs_metrics = False

    def __init__(
        self,
        layers: str | Sequence[str] | None = None,
        images: int | NDArray[Any] = 1,
        channels: int = 32,
        every_n_epochs: int = 1,
    ) -> None:
        self.layers = _checked_names(layers)
        self.images: Any = (
            _checked_images(images)
            if isinstance(images, np.ndarray)
            else checked_integer("FeatureMaps: images", images, least=1)
        )
        self.channels = checked_integer("FeatureMaps: channels", channels, least=1)
        self.every_n_epochs = checked_integer(
            "FeatureMaps: every_n_epochs", every_n_epochs, least=1
        )
        self._images: NDArray[Any] | None = None

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Find the layers and the images and try them, before any training."""
        if trainer.loggers:
            self.chosen_layers(task)
            images = self._read_images(task)
            self.feature_maps(task, images)
            self._images = images

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Log the figures, where they are due."""
        if self._images is None or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        for name, kernel in self.filters(task).items():
            trainer.log_figure(f"filters/{name}", draw_filters(kernel, name, self.channels))
        for name, maps in self.feature_maps(task, self._images).items():
            figure = draw_feature_maps(self._images, maps, name, self.channels)
            trainer.log_figure(f"feature_maps/{name}", figure)

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Release the images."""
        self._images = None

    def filters(self, task: Task) -> dict[str, NDArray[np.float32]]:
        """Return the kernels of the chosen convolutions by the layers' names.

        Args:
            task: One whose models are built.

        Returns:
            Arrays of shape (height, width, input channels, filters), without those of 1 x 1. A
            filter of a depthwise convolution has one input channel.
        """
        kernels = {name: _kernel(layer) for name, layer in self.chosen_layers(task).items()}
        return {
            name: kernel
            for name, kernel in kernels.items()
            if kernel is not None and kernel.shape[:2] != (1, 1)
        }

    def feature_maps(self, task: Task, images: Any) -> dict[str, NDArray[np.float32]]:
        """Return what the chosen layers give for images, by the layers' names.

        Args:
            task: One whose models are built.
            images: In the range of the task's own, shape (batch, height, width, channels).

        Returns:
            Arrays of shape (batch, rows, columns, channels).

        Raises:
            ConfigurationError: `predict_step` does not take the images or leaves a layer out, or it
                gives no maps.
        """
        chosen = self.chosen_layers(task)
        step = f"{type(task).__name__}.predict_step"
        with kept_outputs(chosen) as outputs:
            try:
                task.predict_step(images)
            except (ValueError, tf.errors.InvalidArgumentError) as error:
                raise ConfigurationError(
                    f"FeatureMaps: {step} does not take images of shape {np.shape(images)}; give "
                    f"images= of the shape of the task's own, or a number of these: {error}"
                ) from error

        for name in chosen:
            shape = getattr(outputs.get(name), "shape", None)
            if shape is None or len(shape) != RANK:
                gives = "is not used" if name not in outputs else f"gives {shape}"
                raise ConfigurationError(
                    f"FeatureMaps: layer {name!r} {gives} in {step}, and feature maps are (batch, "
                    f"rows, columns, channels). {_known(task)}"
                )
        return {name: np.asarray(maps, np.float32) for name, maps in outputs.items()}

    def chosen_layers(self, task: Task) -> dict[str, keras.Layer]:
        """Return the layers that are looked at, by name.

        Raises:
            ConfigurationError: The task has no such layer, or no convolution at all.
        """
        known = _layers(task)
        if self.layers is not None:
            for name in self.layers:
                if name not in known:
                    raise ConfigurationError(
                        f"FeatureMaps: {type(task).__name__} has no layer {name!r}; its "
                        f"convolutions are these.{nearest(name, _convolutions(known))}"
                    )
            return {name: known[name] for name in self.layers}

        convolutions = _convolutions(known)
        if not convolutions:
            raise ConfigurationError(f"FeatureMaps: {_known(task)} Leave the callback out.")
        return {name: known[name] for name in (convolutions[0], convolutions[-1])}

    def _read_images(self, task: Task) -> NDArray[Any]:
        images: NDArray[Any] = self.images
        if not isinstance(self.images, np.ndarray):
            # A task that trains on features of its images knows these.
            data: Any = getattr(task, "images_data", task.data)
            dataset = data.dataset_for("val")
            dataset = data.dataset_for("train") if dataset is None else dataset
            batch = next(iter(next(iter(by_name(dataset).values())).unbatch().batch(self.images)))
            images = np.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch)
        return _checked_images(images)


def _checked_names(layers: Any) -> list[str] | None:
    """Return names of layers, of which there must be one."""
    if layers is None:
        return None
    names = [layers] if isinstance(layers, str) else layers
    is_some = isinstance(names, (list, tuple, set, frozenset)) and len(names) > 0
    if not is_some or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            f"FeatureMaps: layers={layers!r} names no layers; give names as a str or a list of "
            "str, or leave it out for the first and the last convolution."
        )
    return list(names)


def _checked_images(images: NDArray[Any]) -> NDArray[Any]:
    """Return images, of which there must be one."""
    if images.ndim != RANK:
        raise ConfigurationError(
            f"FeatureMaps: the inputs are of shape {images.shape}; it draws what convolutions "
            "make of images, (images, height, width, channels). Give images=, or leave it out."
        )
    if not images.size:
        raise ConfigurationError(
            f"FeatureMaps: images of shape {images.shape} are none; give at least one, or leave "
            "images= out."
        )
    return images


def _layers(task: Task) -> dict[str, keras.Layer]:
    """Return the layers of a task's models by name; where names repeat, by their place."""
    placed: dict[int, tuple[keras.Layer, str, str]] = {}
    for attribute, component in shown_components(task):
        if isinstance(component, keras.Layer):
            for layer, place in _places(component):
                placed.setdefault(id(layer), (layer, place, f"{attribute}/{place}"))

    known: dict[str, keras.Layer] = {}
    names = Counter(layer.name for layer, _, _ in placed.values())
    places = Counter(place for _, place, _ in placed.values())
    for layer, place, whole in placed.values():
        unique = layer.name if names[layer.name] == 1 else place if places[place] == 1 else whole
        # Two layers of one name in the same layer, which only a user's own class can have.
        count = sum(name.partition("#")[0] == unique for name in known)
        known[f"{unique}#{count + 1}" if count else unique] = layer
    return known


def _places(root: keras.Layer) -> Iterator[tuple[keras.Layer, str]]:
    """Yield a layer and those in it, each with the names of those around it but the first."""
    places = {id(root): ""}
    layers = flat_layers(root)
    # By walking down: a layer comes before what is in it.
    for layer in layers:
        around = places[id(layer)]
        for inner in flat_layers(layer, include_self=False, recursive=False):
            places.setdefault(id(inner), f"{around}/{inner.name}" if around else inner.name)
    for layer in layers:
        yield layer, places[id(layer)] or layer.name


def _convolutions(known: dict[str, keras.Layer]) -> list[str]:
    return [name for name, layer in known.items() if isinstance(layer, CONVOLUTIONS)]


def _known(task: Task) -> str:
    names = _convolutions(_layers(task))
    return f"The convolutions are {', '.join(names)}." if names else "There is no convolution."


def _kernel(layer: keras.Layer) -> NDArray[np.float32] | None:
    """Return a layer's kernel, shape (height, width, input channels, filters); None without one."""
    if not isinstance(layer, CONVOLUTIONS):
        return None
    kernel: Any = (
        layer.depthwise_kernel if isinstance(layer, keras.layers.SeparableConv2D) else layer.kernel
    )
    array = np.asarray(kernel, np.float32)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return array.swapaxes(2, 3)
    if isinstance(layer, keras.layers.Conv2D):
        return array
    # Depthwise: (height, width, channels, filters of a channel)
    return array.reshape(*array.shape[:2], 1, -1)
