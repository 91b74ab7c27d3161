"""check_folders: where runs, data and caches lie, whether they can be written, their free space."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_tf.checks import why_unwritable
from lightning_tf.data.sources.data_folder import VARIABLE
from lightning_tf.doctor.finding import Finding, ok, problem, warning

GIB = 2**30
LEAST_FREE = 2 * GIB  # of one network's checkpoints and one small data set


@dataclass(frozen=True)
class Folder:
    """A folder that a run may use, and the variable that moves it."""

    name: str
    path: str
    variable: str = ""


def folders_of(environment: Mapping[str, str]) -> list[Folder]:
    """Return the folders that this package and the libraries below it write to.

    Args:
        environment: Such as ``os.environ``.
    """
    home = environment.get("HOME", os.path.expanduser("~"))
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    defaults = (
        ("Keras' weights and settings", "KERAS_HOME", os.path.join(home, ".keras")),
        ("tensorflow-datasets", "TFDS_DATA_DIR", os.path.join(home, "tensorflow_datasets")),
        ("TF-Hub", "TFHUB_CACHE_DIR", os.path.join(tempfile.gettempdir(), "tfhub_modules")),
        ("keras-hub (kagglehub)", "KAGGLEHUB_CACHE", os.path.join(cache, "kagglehub")),
        ("W&B's cache", "WANDB_CACHE_DIR", os.path.join(cache, "wandb")),
        ("temporary files", "TMPDIR", tempfile.gettempdir()),
    )
    return [
        Folder(name, environment.get(variable) or default, variable)
        for name, variable, default in defaults
    ]


def check_folders(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield for each folder whether it can be written, and how much is free.

    Args:
        environment: Such as ``os.environ``.
    """
    yield from check_folder(Folder("runs", os.getcwd()))
    data = environment.get(VARIABLE)
    if data and not os.path.isdir(data):
        yield problem("folder", f"{VARIABLE}={data} is no folder", f"unset {VARIABLE}, or make it")
    elif data:
        yield ok("folder", f"data files ({VARIABLE}): {data}, {len(os.listdir(data))} entries")
    for folder in folders_of(environment):
        yield from check_folder(folder)


def check_folder(folder: Folder) -> Iterator[Finding]:
    """Yield what is wrong with a folder, or its free space."""
    path = os.path.expanduser(folder.path)
    what = f"{folder.name}: {path}"
    move = f"export {folder.variable}=FOLDER" if folder.variable else "start in another folder"
    refusal = why_unwritable(path)
    if refusal:
        text = f"{what} cannot be written ({refusal})"
        finding = warning if folder.variable else problem
        yield finding("folder", text, f"{move}, or change its owner")
        return

    free = shutil.disk_usage(_nearest(path)).free
    text = f"{what}, {free / GIB:.1f} GiB free"
    if free < LEAST_FREE:
        yield warning("folder", text, f"free some, or {move} on a larger disk")
    else:
        yield ok("folder", text)


def _nearest(path: str) -> Path:
    folder = Path(path).absolute()
    return next(each for each in (folder, *folder.parents) if each.exists())
