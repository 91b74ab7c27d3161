"""FolderLogger: what loggers that write files into a run's folder have in common."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.callbacks.loggers.image_annotations import draw_annotations
from lightning_tf.callbacks.loggers.image_grid import draw_image_grid
from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.checks import checked_integer
from lightning_tf.logger import Logger
from lightning_tf.save_figure import save_figure
from lightning_tf.storage.location import portable
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class FolderLogger(Logger):
    """Writes into a `RunFolder`; in a resumed run it continues in the folder of the run before.

    Images and figures become PNG files.

    Args:
        folder: Chosen when an entry point begins, and shared with loggers of other kinds.
        flush_every_n_steps: How many updates' rows a killed process can lose.

    Raises:
        ConfigurationError: `flush_every_n_steps` is below 1.

    Example:
        >>> class Notes(FolderLogger):
        ...     def __init__(self):
        ...         super().__init__(RunFolder("Notes", taken_by="notes.txt"))
        ...
        ...     def log_metrics(self, metrics, step):
        ...         (self.folder.make() / "notes.txt").open("a").write(f"{step} {metrics}")
    """

    def __init__(self, folder: RunFolder, flush_every_n_steps: int = 100) -> None:
        self.folder = folder
        self.flush_every_n_steps = checked_integer(
            f"{folder.owner}: flush_every_n_steps", flush_every_n_steps, least=1
        )
        self._stage = ""
        self._run: tuple[RunFolder, int] | None = None
        self._saved_step = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counted_step = -1
        self._enabled = True

    @property
    def name(self) -> str:
        """Return the folder between root and version, or the class's name."""
        return self.folder.name or type(self).__name__

    @property
    def log_dir(self) -> str | None:
        """Return the run's folder; None before the first run."""
        return None if self.folder.path is None else str(self.folder.path)

    @property
    def run_id(self) -> str | None:
        """Return the run's folder, or its URL."""
        return None if self.folder.path is None else portable(str(self.folder.path))

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Return the folders of all versions."""
        return self.folder.versions(trainer)

    def continue_run(self, run_id: str) -> None:
        """Continue in an earlier process's folder, if it is one that this logger would make."""
        self.folder.continue_in(run_id)

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the folder; it is made when something is written."""
        self._stage, self._enabled = stage, trainer.is_global_zero
        self.folder = self.folder.find_shared(trainer, self)
        self.folder.choose(trainer, task)

        # A logger that shares the folder may have chosen it already: count its runs.
        run = (self.folder, self.folder.runs)
        if self._run != run:
            self._run = run
            self._start_run()

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Write one grid with all images and their captions, masks and boxes."""
        if self._enabled:
            # Drawn first: images that are refused leave no folder.
            grid = draw_image_grid(*draw_annotations(images, captions, masks, boxes))
            path = self._path("images", name, step)
            grid.save(path)
            texts = None if captions is None else list(captions)
            self._note_file("images", name, step, path, captions=texts)

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Write a figure as PNG."""
        if self._enabled:
            path = self._path("figures", name, step)
            save_figure(figure, path, dpi=120)
            self._note_file("figure", name, step, path)

    def _path(self, kind: str, name: str, step: int, suffix: str = ".png") -> Path:
        # Forgotten with the next step: what a resumed run logs again replaces what there was.
        if step != self._counted_step:
            self._counts, self._counted_step = Counter(), step
        self._counts[kind, name] += 1
        return self.folder.file(kind, name, step, suffix, self._counts[kind, name])

    def _note_file(self, kind: str, name: str, step: int, path: Path, **content: Any) -> None:
        """Take note of a file that was written."""

    def _start_run(self) -> None:
        """Forget the files of an earlier run."""

    def _save_when_due(self, metrics: Iterable[str], step: int) -> None:
        """Save after a row of validation, and whenever enough updates have passed."""
        unsaved = step - self._saved_step
        if unsaved >= self.flush_every_n_steps or any(name.startswith("val/") for name in metrics):
            self.save()
            self._saved_step = step
