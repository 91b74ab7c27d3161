"""Checkpoints: a whole run to disk and back; atomic, verified, no pickle.

A checkpoint is a directory with two files. ``state.safetensors`` holds every variable by a stable
name. ``run.json`` holds everything else as plain data, the sha256 of the tensors, and as its last
entry the sha256 of what stands before it: a changed bit in either file is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.checkpoint.atomic_directory import AtomicDirectory, standing
from lightning_tf.checkpoint.digests import digests, digests_while_syncing
from lightning_tf.exceptions import CheckpointError
from lightning_tf.variables import tensorflow_variable
from lightning_tf.version import __version__

FORMAT = 3  # the only one that is read; one more whenever what is written changes
TENSORS = "state.safetensors"
RUN = "run.json"
SEAL = re.compile(rb', "sha256_above": "([0-9a-f]{64})"}')
SEAL_LENGTH = 85
LONGEST_RUN = 2**28  # bytes; more than any run's plain data, less than memory


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment, in host memory; nothing in it changes while training goes on.

    Attributes:
        tensors: Every variable by name; not to be written to.
        run: The plain data, as JSON.
    """

    tensors: dict[str, np.ndarray]
    run: str


def snapshot(variables: dict[str, Any], run: dict[str, Any]) -> Snapshot:
    """Copy a run to host memory: all that training has to wait for.

    Args:
        variables: Keras or TensorFlow variables by name.
        run: JSON-able data.
    """
    text = json.dumps({"versions": _versions(), "saved_at": time.time(), **run})
    return Snapshot(arrays(variables), text)


def arrays(variables: dict[str, Any]) -> dict[str, np.ndarray]:
    """What variables hold now, in host memory, by name; not to be written to.

    Nothing is copied on the CPU: TensorFlow copies a variable before it updates one whose value
    somebody holds.
    """
    return {name: _array(variable) for name, variable in variables.items()}


def write(path: str | os.PathLike[str], state: Snapshot) -> None:
    """Write a checkpoint beside its final name and rename it: readers see a whole one or none.

    Args:
        path: The directory to make; one that is there is replaced.
        state: What to write.

    Raises:
        OSError: The disk refuses; what stood at `path` is untouched.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with AtomicDirectory(Path(path)) as beside:
        try:
            save_file(state.tensors, beside / TENSORS)  # lets other threads run meanwhile
        except SafetensorError as error:
            raise OSError(f"{beside / TENSORS} could not be written: {error}") from error
        head = json.dumps({"format": FORMAT, "sha256": digests_while_syncing(beside / TENSORS)})
        above = f"{head[:-1]}, {state.run[1:-1]}".encode()
        seal = f', "sha256_above": "{hashlib.sha256(above).hexdigest()}"}}'
        (beside / RUN).write_bytes(above + seal.encode())


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint and verify it; runs no code of its author.

    Returns:
        The tensors by name, and the run's plain data.

    Raises:
        CheckpointError: It is missing, damaged, or of another format; the message names the file
            and the reason.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    run = load_run(path)
    file = standing(Path(path)) / TENSORS
    tensors = _read(file)
    if digests(tensors) != run.get("sha256"):
        raise CheckpointError(f"{file} is damaged: its sha256 is not the one in {RUN}.")
    try:
        named = from_bytes(tensors)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{file} holds no tensors: {error}") from error
    for name in named:
        if _leads_elsewhere(name):  # no name is a path here, but whoever exports may make it one
            raise CheckpointError(f"{file} holds a tensor named {name!r}, which no task has.")
    return named, run


def load_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and verify only a checkpoint's plain data.

    Raises:
        CheckpointError: As for `load`.
    """
    folder = standing(Path(path))
    if not folder.is_dir():
        raise CheckpointError(f"{path} is no checkpoint: there is no such directory.")
    file = folder / RUN
    content = _read(file, LONGEST_RUN)
    try:
        run = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is damaged: {error}") from error
    version = run.get("format") if isinstance(run, dict) else None
    # A newer format may be sealed in another way, so it is refused before the seal is looked at.
    if not isinstance(version, int) or (version <= FORMAT and not _is_sealed(content)):
        raise CheckpointError(f"{file} is damaged: it is not what was written.")
    if version != FORMAT:
        raise CheckpointError(
            f"{file} has format {version}, written by {run.get('versions')}; this version reads "
            f"format {FORMAT} alone: install the lightning_tf that wrote it."
        )
    return dict(run)


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
    tensor = tensorflow_variable(variable).read_value()
    if tensor.dtype == tf.bfloat16:  # the file format has it, its reader for NumPy has not
        tensor = tf.cast(tensor, tf.float32)
    return np.asarray(memoryview(tensor))  # tensor.numpy() would copy


def _versions() -> dict[str, str]:
    return {
        "lightning_tf": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _leads_elsewhere(name: str) -> bool:
    """Whether a name, taken for a path, leaves the folder that it stands in."""
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or "\0" in name


def _is_sealed(content: bytes) -> bool:
    above, seal = content[:-SEAL_LENGTH], content[-SEAL_LENGTH:]
    match = SEAL.fullmatch(seal)
    return match is not None and hashlib.sha256(above).hexdigest().encode() == match[1]


def _read(file: Path, longest: int | None = None) -> bytes:
    """A regular file's content: a pipe or a device under the name would never end."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{file} is no regular file.")
        if longest is not None and status.st_size > longest:
            raise CheckpointError(f"{file} is damaged: {status.st_size} bytes are no run's data.")
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
