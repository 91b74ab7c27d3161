"""NotebookLogger: curves that grow while a cell runs, and each figure once, below it."""

from __future__ import annotations

import io
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.callbacks.loggers.curves import Panels, add_row, curves_figure
from lightning_tf.callbacks.loggers.image_annotations import draw_annotations
from lightning_tf.callbacks.loggers.image_grid import draw_image_grid
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger
from lightning_tf.notebook import CellOutput, in_notebook, png_contents
from lightning_tf.save_figure import save_figure
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SHARE = 0.02  # of the time, for drawing
DPI = 72  # a column of text is some 900 pixels wide


class NotebookLogger(Logger):
    """Shows curves and figures in the cell that runs a Trainer; does nothing outside a notebook.

    While `fit` runs, one image of all metrics over the updates is replaced in place. It is drawn of
    rows that were written anyway, at most every `refresh_seconds` and for at most a fiftieth of the
    time; at the end it has all of them. Images and figures that callbacks and tasks log are shown
    when the entry point ends, the last one of each name.

    A Trainer adds one by itself in a notebook; the folds of a cross-validation show none.

    Args:
        refresh_seconds: The least time between two drawings of the curves.

    Raises:
        ConfigurationError: `refresh_seconds` is negative.

    Example:
        >>> Trainer(max_epochs=20, logger=[CSVLogger(), NotebookLogger(refresh_seconds=10)])
    """

    def __init__(self, refresh_seconds: float = 2.0) -> None:
        if refresh_seconds < 0:
            raise ConfigurationError(
                f"NotebookLogger(refresh_seconds={refresh_seconds!r}): give seconds of at least 0."
            )
        self.refresh_seconds = refresh_seconds
        self._in_group = self._is_shown = self._is_stale = False
        self._panels: Panels = {}
        self._curves: CellOutput | None = None
        self._next_drawing = 0.0
        self._images: dict[str, bytes | Figure] = {}
        self._logged: weakref.WeakSet[Figure] = weakref.WeakSet()

    def join_group(self, group: str, name: str) -> None:
        """Show nothing: a cell would fill with images that are nearly alike."""
        self._in_group = True

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Begin an output; a second fit of a task goes on with its curves."""
        self._is_shown = trainer.is_global_zero and in_notebook() and not self._in_group
        self._images = {}
        self._curves = CellOutput() if stage == "fit" and self._is_shown else None
        if stage == "fit" and trainer.global_step == 0:
            self._panels = {}
        self._next_drawing = time.perf_counter() + self.refresh_seconds

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add a row to the curves, and draw them when it is time."""
        if self._curves is None:
            return
        add_row(self._panels, metrics, step)
        self._is_stale = True
        if time.perf_counter() >= self._next_drawing:
            self._draw(self._curves)

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Keep a grid of the images, in the place of an earlier one of the name."""
        if self._is_shown:
            # At once: whoever gave the arrays may go on to write into them.
            file = io.BytesIO()
            grid = draw_image_grid(*draw_annotations(images, captions, masks, boxes))
            grid.save(file, format="png")
            self._images[name] = file.getvalue()

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Keep a figure, in the place of an earlier one of the name."""
        if self._is_shown:
            self._images[name] = figure
            self._logged.add(figure)

    def finalize(self, status: str) -> None:
        """Draw the curves as they ended, and show the images."""
        if self._curves is not None and self._is_stale and self._panels:
            self._draw(self._curves)
        self._curves = None

        images, self._images = self._images, {}
        for name, image in images.items():
            file = image if isinstance(image, bytes) else _figure_png(image)
            CellOutput().show({"text/markdown": f"`{name}`", "text/plain": name})
            CellOutput().show(png_contents(file, name))
        self._close_figures()

    def _draw(self, output: CellOutput) -> None:
        began = time.perf_counter()
        file = io.BytesIO()
        curves_figure(self._panels).savefig(file, format="png", dpi=DPI)
        output.show(png_contents(file.getvalue(), "curves"))
        now = time.perf_counter()
        self._next_drawing = now + max(self.refresh_seconds, (now - began) / LARGEST_SHARE)
        self._is_stale = False

    def _close_figures(self) -> None:
        """Close figures of pyplot, or Jupyter would show all of them again when the cell ends."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            for figure in list(self._logged):
                pyplot.close(figure)  # of a figure that is none of pyplot's nothing happens
        self._logged = weakref.WeakSet()


def _figure_png(figure: Any) -> bytes:
    file = io.BytesIO()
    save_figure(figure, file, DPI)
    return file.getvalue()
