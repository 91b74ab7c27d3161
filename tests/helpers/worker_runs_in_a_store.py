"""Runs of several workers in a store that all of them see: a folder under a protocol of its own."""

import os
from pathlib import Path

import fsspec
from fsspec.implementations.dirfs import DirFileSystem
from helpers.runs_in_a_store import QUIET, Line, every, weights

from lightning_tf import Trainer
from lightning_tf.callbacks import PredictionWriter
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.exceptions import LightningTFError
from lightning_tf.storage.location import CACHE, file_system

RUN = "shelf://bucket/run"
FULL = "shelf://full/run"


class Shelf(DirFileSystem):
    """A folder of this disk as a store; it counts writes, and takes nothing below ``full``."""

    protocol = "shelf"
    root = None
    writes = 0

    def __init__(self, **options):
        local = fsspec.filesystem("file", auto_mkdir=True)
        super().__init__(path=str(self.root), fs=local, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("shelf://").strip("/")

    def pipe_file(self, path, value, mode="overwrite", **options):
        self._take(path)
        return super().pipe_file(path, value, mode=mode, **options)

    def open(self, path, mode="rb", **options):
        if "r" not in mode:
            self._take(path)
        return super().open(path, mode, **options)

    def rm_file(self, path):
        self._take(path)
        return super().rm_file(path)

    def _take(self, path):
        if path.startswith("full/"):
            raise PermissionError("the shelf is full")
        type(self).writes += 1


def use_shelf(folder, machine):
    """Put this worker on a machine of its own, before the store."""
    Shelf.root = Path(folder, "store")
    Shelf.root.mkdir(exist_ok=True)
    fsspec.register_implementation("shelf", Shelf, clobber=True)
    index = Cluster.from_environment().index
    os.environ[CACHE] = str(Path(folder, f"{machine}_{index}"))


def trains(folder, machine, steps):
    """Fit in the store to `steps`, from what it has, and return what this worker knows then."""
    use_shelf(folder, machine)
    trainer = Trainer(max_steps=steps, default_root_dir=RUN, callbacks=[every()], **QUIET)
    task = Line()
    trainer.fit(task, ckpt_path="last")
    [checkpoints] = (c for c in trainer.callbacks if hasattr(c, "best_model_path"))
    own = os.environ[CACHE]
    return {
        "resumed": trainer.resumed,
        "step": trainer.global_step,
        "weights": weights(task),
        "writes": Shelf.writes,
        "log_dir": os.path.relpath(trainer.log_dir, own),
        "best": os.path.relpath(checkpoints.best_model_path, own),
        "files": sorted(p.name for p in Path(own).rglob("*") if p.is_file() and p.name[0] != "."),
    }


def is_refused(folder):
    """Return what each way to a store that takes nothing ends with."""
    use_shelf(folder, "machine")
    ways = {
        "root": {"default_root_dir": FULL},
        "checkpoints": {"default_root_dir": folder, "callbacks": [every(dirpath=FULL)]},
        "predictions": {"default_root_dir": folder, "callbacks": [PredictionWriter(FULL)]},
    }
    said = {}
    for name, arguments in ways.items():
        trainer = Trainer(max_steps=4, logger=name == "root", **{**QUIET, **arguments})
        try:
            if name == "predictions":
                trainer.predict(Line(), Line().data[0])
            else:
                trainer.fit(Line())
        except LightningTFError as error:
            said[name] = (type(error).__name__, str(error))
    return said, file_system(FULL)[0].exists("full")
