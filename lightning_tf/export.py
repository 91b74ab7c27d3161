"""Trained models as files that others can load."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.variables import all_variables

SUFFIXES = {
    "saved_model": "",
    "keras": ".keras",
    "safetensors": ".safetensors",
    "onnx": ".onnx",
    "litert": ".tflite",
}


def check_export(path: str | os.PathLike[str], format: str) -> Path:
    """The path that a model goes to, before any work.

    Args:
        path: A SavedModel's folder or a file, whose suffix is that of the format or none.
        format: One of `SUFFIXES`.

    Raises:
        ConfigurationError: The format is unknown, its packages are not installed, the suffix is
            another format's, or something is at the path.
    """
    if format not in SUFFIXES:
        raise ConfigurationError(f"export(format={format!r}).{nearest(format, SUFFIXES)}")
    if format == "onnx":
        _check_packages()
    suffix, target = SUFFIXES[format], Path(path).expanduser()
    if suffix and target.suffix != suffix:
        if target.suffix in SUFFIXES.values() and target.suffix:
            raise ConfigurationError(f"export to {target}: format={format!r} has {suffix} files.")
        target = target.with_name(target.name + suffix)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigurationError(f"export to {target}: something is there; give another path.")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def export_model(model: keras.Model, path: Path, format: str) -> None:
    """Write a Keras model in a format.

    Args:
        model: Built, of one input or several.
        path: What `check_export` gave.
        format: ``saved_model`` (an endpoint ``serve``), ``keras`` (`keras.saving.load_model` reads
            it), ``onnx``, or ``litert`` (TensorFlow Lite's interpreter runs it).
    """
    if format == "keras":
        model.save(path)
    else:
        name = "tf_saved_model" if format == "saved_model" else format
        model.export(os.fspath(path), format=name, verbose=False)


def export_weights(owner: object, path: Path) -> None:
    """Write every variable of a task by the name that it has in a checkpoint, as safetensors."""
    from safetensors.numpy import save_file

    named = all_variables(owner).items()
    save_file({name: np.ascontiguousarray(_array(variable)) for name, variable in named}, path)


def _array(variable: Any) -> np.ndarray:
    array: np.ndarray = keras.ops.convert_to_numpy(variable)
    # The file format has it, its reader for NumPy has not.
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def _check_packages() -> None:
    try:
        for package in ("onnx", "tf2onnx"):
            import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"export(format='onnx') needs {error.name}: pip install 'lightning-tf[onnx]'"
        ) from error
