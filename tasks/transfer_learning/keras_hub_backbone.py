"""Backbones of keras-hub; keras-hub is imported only where one is used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.keras_hub_classifier import load_preset
from lightning_tf.tasks.transfer_learning.preprocessing import to_minus_one_to_one

Loaded = tuple[keras.Model, Callable[[Any], Any], int]


def load(preset: str) -> Loaded:
    """Load a backbone with its weights and its preprocessing, of a preset or a folder.

    Args:
        preset: A name of keras-hub, or a folder made by `save_to_preset`.

    Returns:
        The backbone, a function from images in [0, 255] to its input, and its channels.

    Raises:
        ConfigurationError: keras-hub cannot load it.
    """
    import keras_hub

    if ("/" in preset or preset.startswith(".")) and "://" not in preset:
        folder = Path(preset).expanduser()
        if not (folder / "config.json").is_file():
            raise ConfigurationError(
                f"backbone 'keras_hub:{preset}': {folder} holds no config.json; give a folder that "
                "save_to_preset wrote."
            )
        preset = str(folder)

    backbone = load_preset(keras_hub.models.Backbone, preset)
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(preset, dtype="float32")
    except (ValueError, FileNotFoundError):  # a folder that holds a backbone and nothing else
        return take(backbone)
    converter.image_size = None  # the images have the size that the user chose
    return backbone, converter, channels_of(backbone)


def take(backbone: Any) -> Loaded:
    """Return a user's backbone, which takes [-1, 1], in the form of `load`.

    Raises:
        ConfigurationError: It is another keras-hub model.
    """
    import keras_hub

    if isinstance(backbone, keras_hub.models.Task):
        raise ConfigurationError(
            f"backbone is keras-hub's {type(backbone).__name__}; give its .backbone."
        )
    return backbone, to_minus_one_to_one, channels_of(backbone)


def channels_of(model: keras.Model) -> int:
    """Return the channels of the images that a model takes, 3 where nobody can tell."""
    shape = getattr(model, "input_shape", None)
    return 1 if isinstance(shape, tuple) and shape[-1] == 1 else 3
