"""WandbMediaLogger: what a logger is given beside numbers, as objects that W&B shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lightning_tf.callbacks import wandb_media
from lightning_tf.logger import Logger


class WandbMediaLogger(Logger):
    """Makes W&B's objects of pictures, tables, figures, texts and predictions.

    A subclass sends them in `show`.

    Example:
        >>> logger.log_images("val/streets", pictures, trainer.global_step, masks=masks)
        >>> logger.log_roc("val/roc", labels, scores, trainer.global_step, ["cat", "dog"])
    """

    def show(self, name: str, maker: wandb_media.Maker, step: int) -> None:
        """Send what a function of the module wandb makes, in a row of its own."""

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Send pictures, whose masks and boxes W&B shows and hides."""
        self.show(name, wandb_media.pictures(images, captions, masks, boxes), step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Send a table; a cell that is an array (height, width, 1 or 3) is shown as a picture."""
        self.show(name, wandb_media.table(columns, rows), step)

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Send a matplotlib figure as a picture."""
        self.show(name, wandb_media.figure(figure), step)

    def log_text(self, name: str, text: str, step: int) -> None:
        """Send plain text."""
        self.show(name, wandb_media.text(text), step)

    def log_histogram(self, name: str, values: Any, step: int) -> None:
        """Send a histogram of numbers of any shape."""
        self.show(name, wandb_media.histogram(values), step)

    def log_confusion_matrix(
        self,
        name: str,
        y_true: Any,
        predictions: Any,
        step: int,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Send W&B's chart: labels (n,), and classes (n,) or scores (n, classes)."""
        maker = wandb_media.confusion_matrix(y_true, predictions, class_names)
        self.show(name, maker, step)

    def log_roc(
        self,
        name: str,
        y_true: Any,
        scores: Any,
        step: int,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Send W&B's chart of a ROC: labels (n,), and scores (n, classes) or (n,)."""
        self.show(name, wandb_media.roc_curves(y_true, scores, class_names), step)
