"""Checkpoints: a whole run to disk and back; atomic, verified, no pickle.

A checkpoint is a directory with two files. ``state.safetensors`` holds every variable by a stable
name; ``run.json`` holds everything else as plain data, and the sha256 of the tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.exceptions import CheckpointError

FORMAT = 1
TENSORS = "state.safetensors"
RUN = "run.json"


def save(path: str | os.PathLike[str], variables: dict[str, Any], run: dict[str, Any]) -> None:
    """Write a checkpoint beside its final name and rename it: readers see a whole one or none.

    Args:
        path: The directory to make; one that is there is replaced.
        variables: Keras or TensorFlow variables by name.
        run: JSON-able data.

    Raises:
        OSError: The disk refuses; what stood at `path` is untouched.
    """
    from safetensors.numpy import save as to_bytes

    path = Path(path)
    if path.is_file():
        raise FileExistsError(f"{path} is a file; a checkpoint is a directory: give another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        tensors = to_bytes({name: _array(variable) for name, variable in variables.items()})
        document = {
            "format": FORMAT,
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
            "sha256": hashlib.sha256(tensors).hexdigest(),
            **run,
        }
        _write(beside / TENSORS, tensors)
        _write(beside / RUN, json.dumps(document).encode())
        _sync_directory(beside)
        if path.exists() or path.is_symlink():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            os.rename(path, old)
            try:
                os.rename(beside, path)
            except BaseException:
                os.rename(old, path)
                raise
            old.unlink() if old.is_symlink() else shutil.rmtree(old)
        else:
            os.rename(beside, path)
        _sync_directory(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint and verify it; runs no code of its author.

    Returns:
        The tensors by name, and the run's plain data.

    Raises:
        CheckpointError: It is missing or damaged; the message names the file and the reason.
    """
    from safetensors.numpy import load as from_bytes

    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(f"{path} is no checkpoint: there is no such directory.")
    try:
        run = json.loads((path / RUN).read_bytes())
        tensors = (path / TENSORS).read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint: {error}") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        raise CheckpointError(
            f"{path / RUN} has format {run.get('format') if isinstance(run, dict) else None!r}; "
            f"this version reads {FORMAT}."
        )
    if hashlib.sha256(tensors).hexdigest() != run.get("sha256"):
        raise CheckpointError(f"{path / TENSORS} is damaged: its sha256 is not the one in {RUN}.")
    return from_bytes(tensors), run


def assign(variables: dict[str, Any], tensors: dict[str, np.ndarray], where: str) -> None:
    """Put tensors into variables of the same names; nothing moves unless everything fits.

    Raises:
        CheckpointError: A name is missing or a shape differs.
    """
    for name, variable in variables.items():
        if name not in tensors:
            raise CheckpointError(f"{where} does not hold {name}; it was written by another task.")
        if tuple(tensors[name].shape) != tuple(variable.shape):
            raise CheckpointError(
                f"{where}: {name} has shape {tensors[name].shape}, the task's {variable.shape}."
            )
    for name, variable in variables.items():
        variable.assign(tf.cast(tensors[name], variable.dtype))


def random_state() -> dict[str, Any]:
    """The state of Python's and NumPy's generators, as plain data."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` gave."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))


def _array(variable: Any) -> np.ndarray:
    tensor = variable.value if isinstance(variable, keras.Variable) else variable
    if tensor.dtype == tf.bfloat16:  # the file format has it, its reader for NumPy has not
        tensor = tf.cast(tensor, tf.float32)
    return np.asarray(tensor.numpy(), order="C")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
