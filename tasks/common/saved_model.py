"""write_saved_model: layers and functions of a task as a SavedModel."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

Endpoint = tuple[Callable[..., Any], list[Any]]


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
        endpoints: By name, a function of tensors and a `tf.TensorSpec` for each of them.
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
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(os.fspath(path), verbose=False)
