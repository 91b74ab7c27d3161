"""Export: trained models as files that others can load."""

import logging
import os
from importlib import import_module
from pathlib import Path

import keras

from lightning_tf.checkpoint.io import read_values, write_tensors
from lightning_tf.checks import check_known, checked_path
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.layers.batch_normalization_swap import as_keras_layers
from lightning_tf.layers.fused_batch_normalization import FusedBatchNormalization
from lightning_tf.storage.remote_files import make_free
from lightning_tf.variables import all_variables

log = logging.getLogger("lightning_tf")

SUFFIXES = {
    "saved_model": "",
    "keras": ".keras",
    "safetensors": ".safetensors",
    "onnx": ".onnx",
    "litert": ".tflite",
}


def check_export(path: str | os.PathLike[str], format: str) -> Path:
    """Return the path that a model goes to, checked before any work.

    Args:
        path: A SavedModel's folder or a file, whose suffix is that of the format or none.
        format: One of `SUFFIXES`.

    Raises:
        ConfigurationError: The format is unknown, its packages are not installed, the suffix is
            another format's, or something is at the path.
    """
    check_known(f"export(format={format!r})", format, SUFFIXES)
    if format == "onnx":
        _check_packages()  # Keras would say so only after tracing the model

    suffix, target = SUFFIXES[format], Path(checked_path("export: path", path))
    if suffix and target.suffix != suffix:
        # Any other suffix belongs to the name: `model.v2` becomes `model.v2.onnx`.
        if target.suffix in SUFFIXES.values() and target.suffix:
            raise ConfigurationError(f"export to {target}: format={format!r} has {suffix} files.")
        target = target.with_name(target.name + suffix)

    make_free(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigurationError(f"export to {target}: something is there; give another path.")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def export_model(model: keras.Model, path: Path, format: str) -> None:
    """Write a Keras model in a format.

    Args:
        model: Built, of one input or several.
        path: What `check_export` returned.
        format: ``saved_model`` (an endpoint ``serve``), ``keras`` (`keras.saving.load_model` reads
            it), ``onnx``, or ``litert`` (TensorFlow Lite's interpreter runs it).
    """
    if format == "keras":
        with as_keras_layers(model):
            written = _of_keras_layers(model)
            written.save(path)
        _tell_own_layers(written, path)
    else:
        if format == "onnx" and getattr(model, "inputs", None):
            # Keras refuses a model of layers that was never called as one.
            is_sequence = isinstance(model, keras.Sequential)
            model(model.inputs[0] if is_sequence else model.input)
        name = "tf_saved_model" if format == "saved_model" else format
        model.export(os.fspath(path), format=name, verbose=False)


def _of_keras_layers(model: keras.Model) -> keras.Model:
    """Return a model whose layers are Keras' own where a layer names its equal; same weights."""
    if not any(hasattr(layer, "keras_equivalent") for layer in flat_layers(model)):
        return model

    def replaced(layer: keras.Layer) -> keras.Layer:
        return layer.keras_equivalent() if hasattr(layer, "keras_equivalent") else layer

    return keras.models.clone_model(model, clone_function=replaced, recursive=True)


def _tell_own_layers(model: keras.Model, path: Path) -> None:
    """Tell where a file needs this package: of layers that Keras does not have."""
    types = {type(layer) for layer in flat_layers(model)} - {FusedBatchNormalization}
    modules = {t.__module__.split(".")[0]: t.__name__ for t in types}
    own = [f"{name} of {module}" for module, name in sorted(modules.items()) if module != "keras"]
    if own:
        log.info(
            "%s: keras.saving.load_model finds its layers (such as %s) where these packages are "
            "imported; format='saved_model' needs none.",
            path,
            ", ".join(own),
        )


def export_weights(owner: object, path: Path) -> None:
    """Write every variable of a task by the name that it has in a checkpoint, as safetensors."""
    write_tensors(read_values(all_variables(owner)), path)


def _check_packages() -> None:
    try:
        for package in ("onnx", "tf2onnx"):
            import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"export(format='onnx') needs {error.name}: pip install 'lightning-tf[onnx]'"
        ) from error
