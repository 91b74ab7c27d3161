"""What W&B shows beside numbers, made of arrays, rows and figures.

Each function copies what it is given and returns a function of the module wandb, which makes the
object: that is slow (a PNG of 512x512 takes 38 ms) and happens in the background.
"""

from __future__ import annotations

import html
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from lightning_tf.callbacks.loggers.image_annotations import check_annotations
from lightning_tf.callbacks.loggers.image_grid import as_pixels
from lightning_tf.exceptions import DataError
from collections.abc import Mapping, Sequence
from typing import Any
import numpy as np
from lightning_tf.callbacks.wandb import media as wandb_media
from lightning_tf.logger import Logger



log = logging.getLogger("lightning_tf")

Maker = Callable[[Any], Any]

MOST_IMAGES = 100  # W&B cuts a list at 108 without a word
SMALLEST_JPEG = 256  # pixels of a side; from there on a PNG takes twelve times as long
HISTOGRAM_BINS = 64
MOST_CURVE_POINTS = 10_000


def images(
    images: np.ndarray,
    captions: Sequence[str] | None = None,
    masks: Sequence[Mapping[str, Any]] | None = None,
    boxes: Sequence[Mapping[str, Any]] | None = None,
) -> Maker:
    """Images; W&B takes floats for bytes, so they are made bytes here.

    Args:
        images: uint8 in [0, 255] or float in [0, 1], shape (n, height, width, 1 or 3).
        captions: One for each.
        masks: See `Logger.log_images`.
        boxes: See `Logger.log_images`.

    Raises:
        DataError: Another shape, dtype or range, or not one of everything for each image.
    """
    pixels = np.array(as_pixels(images))
    if captions is not None and len(captions) != len(pixels):
        raise DataError(f"{len(captions)} captions for {len(pixels)} images; give one for each.")
    check_annotations(pixels, masks, boxes)
    if len(pixels) > MOST_IMAGES:
        log.info("W&B: the first %d of %d images are logged.", MOST_IMAGES, len(pixels))
    shown = pixels[:MOST_IMAGES]
    kind = "jpg" if min(shown.shape[1:3]) >= SMALLEST_JPEG else "png"
    texts = [str(text) for text in captions] if captions is not None else [None] * len(shown)
    marks = [
        {name: deepcopy(given[i]) for name, given in (("masks", masks), ("boxes", boxes)) if given}
        for i in range(len(shown))
    ]

    def make(wandb: Any) -> Any:
        return [
            wandb.Image(image, caption=text, file_type=kind, **mark)
            for image, text, mark in zip(shown, texts, marks, strict=False)
        ]

    return make


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Maker:
    """A table; a cell of shape (height, width, 1 or 3) becomes an image."""
    names, cells = [str(c) for c in columns], [[_cell(cell) for cell in row] for row in rows]

    def make(wandb: Any) -> Any:
        made = [[wandb.Image(c) if isinstance(c, np.ndarray) else c for c in row] for row in cells]
        return wandb.Table(columns=names, data=made)  # a new one: W&B freezes a table it has seen

    return make


def _cell(cell: Any) -> Any:
    if isinstance(cell, np.ndarray) and cell.ndim == 3:
        return np.array(as_pixels(cell[np.newaxis])[0])
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    return cell.item() if isinstance(cell, np.generic) else cell


def figure(drawn: Any) -> Maker:
    """A matplotlib figure, drawn at once: whoever made it closes it."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=120, bbox_inches="tight")

    def make(wandb: Any) -> Any:
        from PIL import Image

        return wandb.Image(Image.open(file))

    return make


def text(content: str) -> Maker:
    """Plain text, shown as it is."""
    page = f"<pre>{html.escape(content)}</pre>"
    return lambda wandb: wandb.Html(page, inject=False)


def histogram(values: Any) -> Maker:
    """A histogram of numbers of any shape; NaN and infinity are left out."""
    numbers = np.asarray(values, np.float64).ravel()
    counted = np.histogram(numbers[np.isfinite(numbers)], bins=HISTOGRAM_BINS)
    return lambda wandb: wandb.Histogram(np_histogram=counted)


def confusion_matrix(
    y_true: Any, predictions: Any, class_names: Sequence[str] | None = None
) -> Maker:
    """W&B's own chart of a confusion matrix.

    Args:
        y_true: Integers of shape (n,).
        predictions: Integers of shape (n,), or scores of shape (n, classes).
        class_names: One for each class.
    """
    true, predicted = np.array(y_true).ravel(), np.array(predictions)
    if predicted.ndim == 2:
        predicted = predicted.argmax(axis=-1)
    if len(true) != len(predicted):
        raise DataError(f"{len(true)} labels for {len(predicted)} predictions; give one for each.")
    names = None if class_names is None else [str(name) for name in class_names]
    return lambda wandb: wandb.plot.confusion_matrix(
        y_true=true.tolist(), preds=predicted.tolist(), class_names=names
    )


def roc_curves(y_true: Any, scores: Any, class_names: Sequence[str] | None = None) -> Maker:
    """Receiver operating characteristic of each class against the others.

    Args:
        y_true: Integers of shape (n,).
        scores: Of shape (n, classes), or (n,) for the second of two classes.
        class_names: One for each class.
    """
    true, given = np.array(y_true).ravel(), np.array(scores, np.float64)
    if given.ndim == 1:
        given = np.stack([1.0 - given, given], axis=-1)
    if given.shape[:1] != true.shape:
        raise DataError(f"{len(true)} labels for {len(given)} scores; give one for each.")
    names = class_names or [str(index) for index in range(given.shape[1])]
    points = [
        [str(name), float(x), float(y)]
        for index, name in enumerate(names)
        for x, y in _roc(true == index, given[:, index])
    ]
    every = max(1, len(points) // MOST_CURVE_POINTS + 1)

    def make(wandb: Any) -> Any:
        return wandb.plot_table(
            vega_spec_name="wandb/area-under-curve/v0",
            data_table=wandb.Table(columns=["class", "fpr", "tpr"], data=points[::every]),
            fields={"x": "fpr", "y": "tpr", "class": "class"},
            string_fields={"title": "ROC"},
        )

    return make


def _roc(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Pairs of false and true positive rate over all thresholds, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.diff(scores[order]) != 0.0, True)  # equal scores fall together
    true, false = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    rates = [false / max(int((~positive).sum()), 1), true / max(int(positive.sum()), 1)]
    return np.concatenate([np.zeros((1, 2)), np.stack(rates, axis=-1)])



class WandbMediaLogger(Logger):
    """Makes W&B's objects of images, tables, figures, texts and predictions.

    A subclass sends them in `show`.

    Example:
        >>> logger.log_images("val/streets", images, trainer.global_step, masks=masks)
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
        """Send images, whose masks and boxes W&B shows and hides."""
        self.show(name, wandb_media.images(images, captions, masks, boxes), step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Send a table; a cell that is an array (height, width, 1 or 3) is shown as an image."""
        self.show(name, wandb_media.table(columns, rows), step)

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Send a matplotlib figure as an image."""
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
