"""TensorBoardLogger: a run as TensorBoard reads it."""

import io
import os
from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any

import numpy as np

from lightning_tf.callbacks.loggers.folder_logger import FolderLogger
from lightning_tf.callbacks.loggers.histogram_logger import HistogramLogger
from lightning_tf.callbacks.loggers.histograms import Histogram, Histograms
from lightning_tf.callbacks.loggers.image_annotations import draw_annotations
from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.callbacks.loggers.tensor_board_events import TensorBoardEvents, to_png
from lightning_tf.checks import checked_cells, checked_row
from lightning_tf.save_figure import save_figure
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

FOLDER = "tensorboard"
TABLE_ROWS = 100  # of a table in text; the others are counted


class TensorBoardLogger(HistogramLogger, FolderLogger):
    """Writes rows, images, figures, tables, histograms, the graph and hyperparameters.

    The files are in ``tensorboard/`` of the run's folder, which is that of `CSVLogger`, shared with
    every logger of the same root and name. Rows are scalars over `global_step`; tables are texts;
    hyperparameters, with the Trainer's settings, stand in the HPARAMS dashboard and as a text.
    Writing them needs no package but TensorFlow; looking at them, with ``tensorboard --logdir
    runs``, needs ``pip install 'lightning-tf[tensorboard]'``.

    A run that is resumed from a checkpoint continues in its folder, and TensorBoard forgets its
    rows of later updates. What came at the checkpoint's own update after it (a validation) stands
    there twice, with the same values. Rows are on the disk at every validation, before every
    checkpoint, at the end, and otherwise whenever `flush_every_n_steps` updates have passed.

    Args:
        root: See `CSVLogger`.
        name: See `CSVLogger`.
        version: See `CSVLogger`.
        flush_every_n_steps: How many updates' rows a killed process can lose.
        graph: Write the graph of the training step when training begins.
        histograms_every_n_steps: Updates from one histogram to the next; they are counted on the
            device. None writes none.
        histograms: Of ``weights``, of ``gradients`` (those that reach the optimizer), of ``all``
            for both, or of ``activations``: what each layer gives for a batch, with the share of
            ReLUs that give 0 for all of it, ``dead_units/<layer>``.
        resume: See `CSVLogger`.

    Raises:
        ConfigurationError: A number is below 1 or a name unknown; or, when a run begins, the folder
            of `version` holds a run and `resume` is False.

    Example:
        >>> trainer = Trainer(max_epochs=3, logger=[CSVLogger(), TensorBoardLogger(graph=True)])
        >>> trainer.fit(task)
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        name: str | None = None,
        version: int | str | None = None,
        flush_every_n_steps: int = 100,
        graph: bool = False,
        histograms_every_n_steps: int | None = None,
        histograms: str = "weights",
        resume: bool = False,
    ) -> None:
        every = 1 if histograms_every_n_steps is None else histograms_every_n_steps
        checked = Histograms(histograms, every)  # made also where unused: refuses a wrong name
        folder = RunFolder("TensorBoardLogger", root, name, version, resume, taken_by=FOLDER)
        super().__init__(folder, flush_every_n_steps)
        self.graph = graph
        self.histograms = None if histograms_every_n_steps is None else checked
        self._events: TensorBoardEvents | None = None

    # ---- the file

    def _open_events(self) -> TensorBoardEvents:
        """Return the file of this entry point: one that was closed is not opened again."""
        if self._events is None:
            folder = self.folder.make() / FOLDER
            folder.mkdir(exist_ok=True)
            self._events = TensorBoardEvents(folder)
        return self._events

    def save(self) -> None:
        """Write rows to the disk."""
        if self._events is not None:
            self._events.flush()

    def finalize(self, status: str) -> None:
        """Close the file."""
        if self._events is None:
            return

        if self._stage == "fit":
            # The HPARAMS dashboard knows fits only.
            self._events.end(status)
        self._events.close()
        self._events = None

    # ---- hooks

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Let TensorBoard forget the rows that a resumed run measures again."""
        if self._enabled and trainer.resumed:
            # The rows of the checkpoint's own update stay.
            self._open_events().forget_from(trainer.global_step + 1)
            self._saved_step = trainer.global_step

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Write the graph."""
        super().on_train_start(trainer, task)
        graph = trainer.step_graph()
        if self._enabled and self.graph and graph is not None:
            self._open_events().graph(graph)

    # ---- what a run reports

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Write them in fit, which also claims the folder."""
        if not self._enabled or self._stage != "fit":
            return

        arguments = {key: value for key, value in hparams.items() if key != "trainer"}
        settings = {f"trainer/{key}": value for key, value in hparams.get("trainer", {}).items()}
        values = {**arguments, **settings}

        events = self._open_events()
        events.hparams(values, self.folder.make().name)
        rows = [[key, value] for key, value in values.items()]
        events.text("hparams", _markdown(["name", "value"], rows), 0)
        self.save()

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Write a row, and save the rows when they are due."""
        if self._enabled:
            row = checked_row(metrics)
            self._open_events().scalars(row, step)
            self._save_when_due(row, step)

    def log_histograms(self, histograms: dict[str, Histogram], step: int) -> None:
        """Write histograms."""
        self._open_events().histograms(histograms, step)

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Write each image with its masks and boxes; captions as a text: images have none."""
        if not self._enabled:
            return
        from PIL import Image

        pixels, captions = draw_annotations(images, captions, masks, boxes)
        pngs = [to_png(Image.fromarray(image)) for image in pixels]
        height, width = pixels.shape[1:3]
        self._open_events().images(name, pngs, height, width, step)

        if captions is not None:
            # A tag belongs to one plugin; TensorBoard would drop a text under the images' tag.
            rows = [[caption] for caption in captions]
            self._open_events().text(f"{name}/captions", _markdown(["caption"], rows), step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Write a table as a text; of a long one, its first 100 rows."""
        if self._enabled:
            text = _markdown(columns, checked_cells(name, columns, rows))
            self._open_events().text(f"{name}/table", text, step)

    def log_text(self, name: str, text: str, step: int) -> None:
        """Write a text, indented, as TensorBoard takes texts for Markdown."""
        if self._enabled:
            self._open_events().text(f"{name}/text", indent(text, " " * 4, lambda _: True), step)

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Write a figure as an image."""
        if not self._enabled:
            return
        from PIL import Image

        content = io.BytesIO()
        save_figure(figure, content, dpi=120)
        with Image.open(content) as image:
            width, height = image.size
        self._open_events().images(name, [content.getvalue()], height, width, step)

    def log_file(self, name: str, path: str, step: int) -> None:
        """Write where the file stands."""
        if self._enabled:
            self._open_events().text(f"{name}/file", f"`{os.path.abspath(path)}`", step)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [list(columns), ["---"] * len(columns), *rows[:TABLE_ROWS]]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    more = len(rows) - TABLE_ROWS
    return f"{table}\n\nand {more} more rows" if more > 0 else table
