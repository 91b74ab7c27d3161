"""write_saved_model: layers and functions of a task as a SavedModel."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

# A function and, of each kind of arguments that it takes, the list of their `tf.TensorSpec`s.
Endpoint = tuple[Callable[..., Any], *tuple[list[Any], ...]]


def write_saved_model(
    path: str | os.PathLike[str],
    layers: Iterable[Any],
    endpoints: Mapping[str, Endpoint],
    resources: Mapping[str, Any] | None = None,
) -> None:
    """Write a SavedModel that needs TensorFlow alone.

    Args:
        path: The folder.
        layers: Whose variables the endpoints read; None among them is passed over.
        endpoints: By name, a function of tensors and a list with a `tf.TensorSpec` for each of
            them; of several lists, the first one is the signature's.
        resources: By name, what else the endpoints use, such as tables of words.

    Example:
        >>> write_saved_model("exported", [model], {"serve": (model, [tf.TensorSpec([None, 4])])})
    """
    archive = keras.export.ExportArchive()
    for layer in layers:
        if layer is not None:
            archive.track(layer)  # variables that are not tracked would be lost
    for name, resource in (resources or {}).items():
        setattr(archive, name, resource)  # tables are no layers: attributes are saved as well
    for name, (function, *signatures) in endpoints.items():
        if len(signatures) == 1:
            archive.add_endpoint(name, function, input_signature=signatures[0])
            continue
        several = tf.function(function, autograph=False)
        for signature in signatures:
            several.get_concrete_function(*signature)
        archive.add_endpoint(name, several)
    archive.write_out(os.fspath(path), verbose=False)
