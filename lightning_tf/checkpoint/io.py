"""Checkpoints: a whole run to disk and back; atomic, verified, no pickle.

A checkpoint is a directory with two files. ``state.safetensors`` holds every variable by a stable
name. ``run.json`` holds everything else as plain data, the sha256 of the tensors, and as its last
entry the sha256 of what stands before it: a changed bit in either file is noticed.
"""

import hashlib
import json
import os
import platform
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.checkpoint.atomic_directory import AtomicDirectory, locate
from lightning_tf.checkpoint.digests import digest, digest_while_syncing
from lightning_tf.checkpoint.host_copies import HostCopies
from lightning_tf.exceptions import CheckpointError
from lightning_tf.storage.remote_checkpoint import RUN_FILE, at_hand
from lightning_tf.storage.uploads import UPLOADS
from lightning_tf.version import __version__

FORMAT = 7  # the only one that is read; one more whenever what is written changes
TENSORS_FILE = "state.safetensors"
SEAL_LENGTH = 85  # bytes of what `_seal` returns
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

    @classmethod
    def of(
        cls,
        variables: dict[str, Any],
        run: dict[str, Any],
        arrays: Mapping[str, np.ndarray] | None = None,
        copies: HostCopies | None = None,
    ) -> Self:
        """Copy a run to host memory: all that training has to wait for.

        Args:
            variables: Keras or TensorFlow variables by name.
            run: JSON-able data.
            arrays: Further tensors by name, which nobody else writes to.
            copies: Reads the variables; one that is kept traces its call once.
        """
        known = {"versions": versions(), "machine": machine(), "saved_at": time.time()}
        text = json.dumps({**known, **run})
        return cls({**(copies or HostCopies())(variables), **(arrays or {})}, text)

    def including(self, **entries: Any) -> Self:
        """Return the same snapshot with more plain data, such as where it is to be written."""
        return replace(self, run=f"{self.run[:-1]}, {json.dumps(entries)[1:]}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and verified.

    Attributes:
        path: Its directory.
        tensors: Every variable by name.
        run: The plain data.
    """

    path: str
    tensors: dict[str, np.ndarray]
    run: dict[str, Any]


def read_values(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return what variables hold now, in host memory, by name; not to be written to."""
    return HostCopies()(variables)


def write_checkpoint(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Write a checkpoint beside its final name and rename it: readers see a whole one or none.

    Args:
        path: The directory to make; one that is there is replaced.
        snapshot: What to write.

    Raises:
        OSError: The disk refuses; what stood at `path` is untouched.
    """
    from safetensors import SafetensorError

    with AtomicDirectory(Path(path).expanduser()) as beside:
        try:
            write_tensors(snapshot.tensors, beside / TENSORS_FILE)
        except SafetensorError as error:
            raise OSError(f"{beside / TENSORS_FILE} could not be written: {error}") from error

        # One JSON object of three texts: the seal covers the bytes before it, as they stand.
        sums = digest_while_syncing(beside / TENSORS_FILE)
        head = json.dumps({"format": FORMAT, "sha256": sums})
        above = f"{head[:-1]}, {snapshot.run[1:-1]}".encode()
        (beside / RUN_FILE).write_bytes(above + _seal(above))
    UPLOADS.written()


def write_tensors(tensors: dict[str, np.ndarray], path: Path) -> None:
    """Write a new file of tensors; who may read it is what the umask says."""
    from safetensors.numpy import save_file

    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path)  # lets other threads run meanwhile; makes a file for its owner alone
    path.chmod(mode & 0o777)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and verify it; runs no code of its author.

    Raises:
        CheckpointError: It is missing, damaged, or of another format; the message names the file
            and the reason.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = at_hand(path)
    run = read_run(path)  # first: it is small, and says what the tensors must be
    file = locate(Path(path).expanduser()) / TENSORS_FILE
    content = _read(file)
    if digest(content) != run.get("sha256"):
        raise CheckpointError(f"{file} is damaged: its sha256 is not the one in {RUN_FILE}.")

    try:
        tensors = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{file} holds no tensors: {error}") from error
    for name in tensors:
        if _leads_elsewhere(name):  # no name is a path here, but whoever exports may make it one
            raise CheckpointError(f"{file} holds a tensor named {name!r}, which no task has.")
    return Checkpoint(os.fspath(path), tensors, run)


def read_run(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and verify only a checkpoint's plain data.

    Raises:
        CheckpointError: As for `read_checkpoint`.
    """
    folder = locate(Path(at_hand(path, whole=False)).expanduser())
    if not folder.is_dir():
        raise CheckpointError(f"{path} is no checkpoint: there is no such directory.")

    file = folder / RUN_FILE
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


def assign_tensors(variables: dict[str, Any], tensors: dict[str, np.ndarray], where: str) -> None:
    """Put tensors into variables of the same names; nothing moves unless everything fits.

    Raises:
        CheckpointError: A name is missing or a shape differs.
    """
    check_tensors(variables, tensors, where)
    for name, variable in variables.items():
        variable.assign(tf.cast(tensors[name], variable.dtype))


def check_tensors(variables: dict[str, Any], tensors: dict[str, np.ndarray], where: str) -> None:
    """Refuse tensors that do not fit variables of the same names.

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


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    return {
        "lightning_tf": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@cache
def machine() -> dict[str, str]:
    """Return what of a machine decides in which order numbers are added."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "?") for gpu in gpus]
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": str(threads or _processors()),
        "GPUs": ", ".join(names) or "none",
    }


def _processors() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _leads_elsewhere(name: str) -> bool:
    """Return whether a name, taken for a path, leaves the folder that it stands in."""
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or "\0" in name


def _seal(above: bytes) -> bytes:
    return f', "sha256_above": "{hashlib.sha256(above).hexdigest()}"}}'.encode()


def _is_sealed(content: bytes) -> bool:
    return content[-SEAL_LENGTH:] == _seal(content[:-SEAL_LENGTH])


def _read(file: Path, longest: int | None = None) -> bytes:
    """Return a regular file's content: a pipe or a device under the name would never end."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{file} is no regular file.")
        if longest is not None and status.st_size > longest:
            raise CheckpointError(f"{file} is damaged: {status.st_size} bytes are no run's data.")
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
