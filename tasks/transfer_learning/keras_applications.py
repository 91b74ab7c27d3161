"""Backbones of keras.applications, by name, with their own preprocessing."""

import inspect
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import imagenet_structure

Loaded = tuple[keras.Model, Callable[[Any], Any], int]
CONNECT_SECONDS = 5.0
IN_TWO_STRUCTURES = "EfficientNetB"
"""Networks that Keras builds in another way for ImageNet's weights; see `imagenet_structure`."""


def names() -> dict[str, ModuleType]:
    """Return the models of keras.applications and the module of each, where its preprocessing is.

    Example:
        >>> "MobileNetV2" in names()
        True
    """
    models: dict[str, ModuleType] = {}
    for module in vars(keras.applications).values():
        if inspect.ismodule(module) and hasattr(module, "preprocess_input"):
            family = {name: module for name in vars(module) if name[0].isupper()}
            # The larger family comes first in Keras: ResNet50 is in resnet50 and in resnet.
            models = {**family, **models}

    for name in vars(keras.applications):
        if name.startswith("MobileNetV3"):  # not in its own module
            models[name] = keras.applications.mobilenet_v3
    return models


def find(name: str) -> str:
    """Return a model's name as Keras writes it; case and underscores do not matter.

    Raises:
        ConfigurationError: keras.applications has no such model.
    """
    known = names()
    plain = {_plain(candidate): candidate for candidate in known}
    if _plain(name) not in plain:
        raise ConfigurationError(
            f"backbone {name!r} is neither a model of keras.applications nor a folder."
            f"{nearest(name, [*known, 'keras_hub:<preset>', 'hub:<URL or folder>'])}"
        )
    return plain[_plain(name)]


def check_weights(name: str, weights: Any) -> None:
    """Refuse a file that is not there.

    Raises:
        ConfigurationError: `weights` is none of imagenet, a file and None.
    """
    if weights in (None, "imagenet"):
        return
    if not Path(weights).expanduser().is_file():
        raise ConfigurationError(
            f"weights={str(weights)!r} of backbone {name!r} is no file; give a .h5 or "
            ".weights.h5 file of the network without its top, 'imagenet', or None."
        )


def build(name: str, weights: Any, input_shape: tuple[int | None, int | None, int]) -> Loaded:
    """Build a network without its top for images of one size.

    Its structure is that of ``imagenet``, wherever its weights come from.

    Args:
        name: Of keras.applications.
        weights: ``imagenet``, a file, or None for random weights.
        input_shape: Height, width and channels of the images; None for a height and width that
            are left open.

    Returns:
        The network, a function from images in [0, 255] to its input, and its channels.

    Raises:
        ConfigurationError: The images are too small, or the weights cannot be had.
    """
    name = find(name)
    constructor, module = getattr(keras.applications, name), names()[name]
    if weights not in (None, "imagenet"):
        weights = str(Path(weights).expanduser())
    with _short_waits():
        network = _construct(constructor, name, (*input_shape[:2], 3), weights)
    return network, module.preprocess_input, 3


def _construct(
    constructor: Any, name: str, shape: tuple[int | None, ...], weights: str | None
) -> keras.Model:
    try:
        if name.startswith(IN_TWO_STRUCTURES) and weights != "imagenet":
            with imagenet_structure(weights):
                network = constructor(include_top=False, weights="imagenet", input_shape=shape)
        else:
            network = constructor(include_top=False, weights=weights, input_shape=shape)
    except Exception as error:  # a failed download raises Exception itself
        if weights is None:
            raise ConfigurationError(
                f"backbone {name!r} cannot take images of {shape[0]} x {shape[1]} pixels "
                f"({_first_line(error)}); pass a larger image_size=."
            ) from error
        # Without weights this fails where it is the images that do not fit.
        _construct(constructor, name, shape, None)
        tried = "Keras' cache (~/.keras/models), then the host" if weights == "imagenet" else "it"
        raise ConfigurationError(
            f"weights={weights!r} of backbone {name!r} cannot be loaded ({_first_line(error)}). "
            f"Tried {tried}. Give weights= the path of a local file of the network without its "
            "top, or None for random weights."
        ) from error

    if 0 in network.output_shape[1:]:
        raise ConfigurationError(
            f"backbone {name!r} has nothing left of images of {shape[0]} x {shape[1]} pixels "
            f"(feature maps of shape {network.output_shape[1:]}); pass a larger image_size=."
        )
    return network


@contextmanager
def _short_waits() -> Iterator[None]:
    """Let connections fail after `CONNECT_SECONDS`; Keras' downloader alone waits for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
