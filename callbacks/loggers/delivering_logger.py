"""DeliveringLogger: what loggers that send a run to a tracker, by way of this disk, have alike."""

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lightning_tf.callbacks.loggers.delivery import RECORD, Delivery
from lightning_tf.callbacks.loggers.image_annotations import draw_annotations
from lightning_tf.callbacks.loggers.image_grid import draw_image_grid
from lightning_tf.callbacks.loggers.run_lock import lock_run
from lightning_tf.callbacks.loggers.run_receiver import RunReceiver
from lightning_tf.callbacks.loggers.tracker_logger import TrackerLogger, new_run_id
from lightning_tf.checks import checked_cells, checked_local_path, checked_row
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import plain
from lightning_tf.save_figure import save_figure
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

RUN_ID = re.compile(r"\w[\w-]{0,127}", re.ASCII)


class DeliveringLogger(TrackerLogger):
    """Writes a run into a folder on this disk, from where a `Delivery` sends it to a tracker.

    The folder is ``<root>/<package>_runs/<project>/<id>``; the id is this package's own, because a
    tracker that is away gives none. A subclass names its receiver and what that needs.

    Args:
        project: What the tracker groups runs by.
        root: Holds the folders; the Trainer's `default_root_dir` where it is None.
        run_id: The id of a run to go on with.
        prefix: Put before the name of everything that is logged.
        finish_timeout: Seconds that the end of an entry point waits for a tracker that answers.

    Raises:
        ConfigurationError: The tracker's package is missing, or an argument cannot work.
    """

    receiver: ClassVar[type[RunReceiver]]

    def __init__(
        self,
        project: str,
        root: str | os.PathLike[str] | None,
        run_id: str | None,
        prefix: str,
        finish_timeout: float,
    ) -> None:
        name = type(self).__name__
        if find_spec(self.package) is None:
            raise ConfigurationError(
                f"{name} needs the package {self.package}: "
                f"pip install 'lightning-tf[{self.package}]'"
            )
        if finish_timeout < 1.0:
            raise ConfigurationError(
                f"{name}: finish_timeout is {finish_timeout!r}; give at least 1 second."
            )
        if run_id is not None:
            _check_run_id(run_id)

        super().__init__(run_id)
        self.project = project
        name = f"{type(self).__name__}: save_dir"
        self.root = None if root is None else Path(checked_local_path(name, root))
        self.prefix, self.finish_timeout = prefix, finish_timeout
        self._record: dict[str, Any] = {}
        self._delivery: Delivery | None = None
        self._enabled, self._stage = True, ""

    # ---- what a user reads and calls

    @classmethod
    def send(cls, folder: str | os.PathLike[str], timeout: float = 600.0) -> bool:
        """Send what waits in a run's folder, and return whether all of it was sent.

        Args:
            folder: A run's folder, which no run writes to.
            timeout: Seconds that it may take.

        Raises:
            ConfigurationError: It is no folder of a run of this logger.
            RuntimeError: A run writes to it.
        """
        folder = Path(folder).expanduser()
        path = folder / RECORD
        if not path.is_file():
            raise ConfigurationError(
                f"{cls.__name__}.send({os.fspath(folder)!r}): there is no {RECORD}; give a run's "
                "folder, which log_dir names."
            )
        lock = lock_run(path.parent)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            delivery = Delivery(path.parent, cls.receiver(record), timeout, _advice(cls, folder))
            delivery.begin(None)
            return delivery.close(record["status"]) == 0
        finally:
            if lock is not None:
                lock.release()

    # ---- an entry point

    def _record_of_run(self, trainer: Trainer, run_id: str) -> dict[str, Any]:
        """Return what the receiver needs to open a new run: its ``settings`` among others."""
        raise NotImplementedError

    def continue_run(self, run_id: str) -> None:
        """Go on with the run of an earlier process, unless the user names another one.

        Raises:
            ValueError: It is no id; as one it would name the run's folder.
        """
        self._checkpoint_id = _check_run_id(run_id)

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the run; the tracker learns of it in fit, or with the first row."""
        self._enabled, self._stage = trainer.is_global_zero, stage

        if self._begins_run(task):
            self._id = self._user_id or self._checkpoint_id or new_run_id()
            self._checkpoint_id = None
            self._folder = self._runs(trainer) / _file_name(self.project) / self._id
            self._start_run()
            self._record = {}
        if self._enabled and stage != "predict":
            self._lock_folder()
        if not self._record and self._folder is not None:
            self._record = self._whole_record(trainer, self._folder)

    def _whole_record(self, trainer: Trainer, folder: Path) -> dict[str, Any]:
        record = self._record_of_run(trainer, folder.name)
        path = folder / RECORD
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        # What the tracker gave the run stays; where it is and how it is called may change.
        return {**record, **known, "settings": record["settings"]}

    def _start_run(self) -> None:
        """Forget what was of an earlier run."""

    def _root(self, trainer: Trainer) -> Path:
        return (self.root or Path(trainer.default_root_dir)).resolve()

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Open the run in fit; otherwise the first row opens it."""
        self._record["config"] = _flat(plain(hparams))
        if self._enabled and self._stage == "fit":
            self._open()

    def _open(self) -> Delivery:
        """Return the delivery of this entry point; a thread opens the run meanwhile."""
        if self._delivery is None:
            if self._folder is None:
                raise ConfigurationError(
                    f"{type(self).__name__} logs only while a Trainer runs with it."
                )
            receiver = self.receiver(self._record)
            advice = _advice(type(self), self._folder)
            self._delivery = Delivery(self._folder, receiver, self.finish_timeout, advice)
            self._delivery.save()
            if self._stage != "fit":
                self._delivery.begin(None)
        return self._delivery

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Learn from which update on rows are measured again."""
        if self._enabled:
            self._open().begin(trainer.global_step if trainer.resumed else None)

    def save(self) -> None:
        """Write what was collected to the disk."""
        if self._delivery is not None:
            self._delivery.save()

    def finalize(self, status: str) -> None:
        """Send the rest and close the run."""
        delivery, self._delivery = self._delivery, None
        try:
            if delivery is not None:
                delivery.close(status)
        finally:
            self._unlock_folder()

    # ---- what a run reports

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add a row."""
        if self._enabled:
            row = checked_row(metrics)
            self._open().add_row(step, {self._name_of(name): row[name] for name in row})

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Send one grid with all images and their captions, masks and boxes."""
        grid = draw_image_grid(*draw_annotations(images, captions, masks, boxes))
        self._add_file(step, "image", name, grid.save, ".png")

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Send a figure as PNG."""
        from io import BytesIO

        content = BytesIO()  # drawn at once: its owner closes it
        save_figure(figure, content, dpi=120)
        data = content.getvalue()
        self._add_file(step, "figure", name, lambda path: path.write_bytes(data), ".png")

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Send a table; of an image in a cell, its shape."""
        cells = [[_cell(cell) for cell in row] for row in checked_cells(name, columns, rows)]
        text = json.dumps({"columns": [str(column) for column in columns], "rows": cells})
        self._add_file(step, "table", name, lambda path: path.write_text(text, "utf-8"), ".json")

    def log_text(self, name: str, text: str, step: int) -> None:
        """Send plain text."""
        self._add_file(step, "text", name, lambda path: path.write_text(text, "utf-8"), ".txt")

    def log_file(self, name: str, path: str, step: int) -> None:
        """Send a copy of a file."""
        source = os.path.abspath(path)

        def write(folder: Path) -> str:
            shutil.copyfile(source, folder / os.path.basename(source))
            return os.path.basename(source)

        if self._enabled:
            self._open().add_file(step, "file", self._name_of(name), write, source=source)

    def _add_file(
        self, step: int, kind: str, name: str, write: Callable[[Path], Any], suffix: str
    ) -> None:
        if not self._enabled:
            return
        file = f"{_file_name(self._name_of(name))}_{step:08d}{suffix}"

        def write_into(folder: Path) -> str:
            write(folder / file)
            return file

        self._open().add_file(step, kind, self._name_of(name), write_into)

    def _name_of(self, name: str) -> str:
        return name if name == "epoch" else f"{self.prefix}{name}"


def _check_run_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise ConfigurationError(
            f"{run_id!r} is no id of a run: it names a folder, so give letters, digits, _ and -."
        )
    return run_id


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


def _advice(cls: type[DeliveringLogger], folder: str | os.PathLike[str]) -> str:
    return (
        "A resumed run sends it, or in Python: from lightning_tf.callbacks import "
        f"{cls.__name__}; {cls.__name__}.send({os.fspath(folder)!r})"
    )


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested dicts as one, with names such as ``trainer/seed``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{before}{key}/")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _cell(cell: Any) -> Any:
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape}" if cell.ndim >= 2 else cell.tolist()
    return cell if cell is None or isinstance(cell, bool | int | float | str) else str(cell)
