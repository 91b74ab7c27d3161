"""images_like: images that a trained task is evaluated on, read as it has read its own."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.image_header import image_endings
from lightning_tf.data.images.image_spec import image_spec
from lightning_tf.data.images.image_targets import CLASSIFICATION
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.data.sources.split_folders import whole_folder
from lightning_tf.exceptions import ConfigurationError

OF_FILES = ("data_dir", "image_size", "channels", "crop_to_aspect_ratio", "background", "resize")


def images_like(task: Any, data: Any, options: Mapping[str, Any]) -> DataModule:
    """Return data as `image_data` takes them, whose classes are those that a task has learned.

    Of arrays, datasets and folders that have no splits every split is all of them.

    Args:
        task: An ImageClassification that is built.
        data: What ``data=`` takes, with labels.
        options: Those of the task's own data.

    Raises:
        ConfigurationError: The classes are others, or `data` cannot be read.
    """
    module = data if isinstance(data, DataModule) else _module(task, data, options)
    module.ensure_setup("fit")
    names = image_spec(module).class_names
    if names != task.class_names:
        raise ConfigurationError(
            f"the data have the classes {names}, and {type(task).__name__} has learned "
            f"{task.class_names}: numbers of classes would mean others. Give data of the same "
            "classes, an empty folder for one that has no image, or a DataModule."
        )
    return module


def _module(task: Any, data: Any, options: Mapping[str, Any]) -> DataModule:
    kind = task.objective.name
    chosen: dict[str, Any] = {}
    if kind == CLASSIFICATION:
        chosen["class_names"] = list(task.class_names)
    else:
        chosen["objective"] = kind

    if isinstance(data, tf.data.Dataset) or is_python_batches(data):
        return image_data((data, data, data), **chosen)
    if isinstance(data, tuple) and len(data) == 2:
        return image_data((data, data, data), batch_size=task._batch_size, **chosen)

    named = isinstance(data, (str, os.PathLike))
    kept: dict[str, Any] = {name: options[name] for name in OF_FILES if named and name in options}
    return image_data(
        data, batch_size=task._batch_size, **kept, **whole_folder(data, image_endings())
    )
