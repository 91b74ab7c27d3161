"""What W&B shows besides numbers, made of arrays, rows and figures.

Each function copies its arguments and returns a function of the module wandb, which makes the
object: that is slow (a PNG of 512x512 takes 38 ms) and happens in the background.
"""

import html
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from lightning_tf.callbacks.loggers.image_annotations import check_annotations
from lightning_tf.callbacks.loggers.pixels import to_pixels
from lightning_tf.checks import checked_cells
from lightning_tf.exceptions import DataError
from lightning_tf.save_figure import save_figure

log = logging.getLogger("lightning_tf")

Maker = Callable[[Any], Any]  # takes the module wandb

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
    """Return a maker of images; W&B takes floats for bytes, so they become bytes here.

    Args:
        images: uint8 in [0, 255] or float in [0, 1], shape (n, height, width, 1 or 3).
        captions: One for each.
        masks: See `Logger.log_images`.
        boxes: See `Logger.log_images`.

    Raises:
        DataError: Another shape, dtype or range, or not one of everything for each image.
    """
    pixels = np.array(to_pixels(images))  # (n, height, width, 3)
    check_annotations(pixels, masks, boxes, captions)

    if len(pixels) > MOST_IMAGES:
        log.info("W&B: the first %d of %d images are logged.", MOST_IMAGES, len(pixels))
    shown = pixels[:MOST_IMAGES]
    # JPEG loses detail: only where a PNG would take long.
    file_type = "jpg" if min(shown.shape[1:3]) >= SMALLEST_JPEG else "png"
    texts = [str(text) for text in captions] if captions is not None else [None] * len(shown)
    annotations = [
        {name: deepcopy(sets[i]) for name, sets in (("masks", masks), ("boxes", boxes)) if sets}
        for i in range(len(shown))
    ]

    def make(wandb: Any) -> Any:
        return [
            wandb.Image(image, caption=text, file_type=file_type, **annotation)
            for image, text, annotation in zip(shown, texts, annotations, strict=False)
        ]

    return make


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Maker:
    """Return a maker of a table; a cell of shape (height, width, 1 or 3) becomes an image.

    Raises:
        DataError: A row has not a cell for each column.
    """
    names = [str(c) for c in columns]
    cells = [[_cell(cell) for cell in row] for row in checked_cells(name, columns, rows)]

    def make(wandb: Any) -> Any:
        data = [[wandb.Image(c) if isinstance(c, np.ndarray) else c for c in row] for row in cells]
        return wandb.Table(columns=names, data=data)  # a new one: W&B freezes a table that it sent

    return make


def _cell(cell: Any) -> Any:
    if isinstance(cell, np.ndarray) and cell.ndim == 3:
        return to_pixels(cell[np.newaxis])[0]
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def figure(drawing: Any) -> Maker:
    """Return a maker of a matplotlib figure, drawn at once: its owner closes it."""
    file = io.BytesIO()
    save_figure(drawing, file, dpi=120)

    def make(wandb: Any) -> Any:
        from PIL import Image

        return wandb.Image(Image.open(file))

    return make


def text(content: str) -> Maker:
    """Return a maker of plain text, shown as it is."""
    page = f"<pre>{html.escape(content)}</pre>"
    return lambda wandb: wandb.Html(page, inject=False)


def histogram(values: Any) -> Maker:
    """Return a maker of a histogram of numbers of any shape; NaN and infinity are left out."""
    numbers = np.asarray(values, np.float64).ravel()
    counted = np.histogram(numbers[np.isfinite(numbers)], bins=HISTOGRAM_BINS)
    return lambda wandb: wandb.Histogram(np_histogram=counted)


def confusion_matrix(
    y_true: Any, predictions: Any, class_names: Sequence[str] | None = None
) -> Maker:
    """Return a maker of W&B's own chart of a confusion matrix.

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
    """Return a maker of the receiver operating characteristic of each class against the others.

    Args:
        y_true: Integers of shape (n,).
        scores: Of shape (n, classes), or (n,) for the second of two classes.
        class_names: One for each class.
    """
    true, class_scores = np.array(y_true).ravel(), np.array(scores, np.float64)
    if class_scores.ndim == 1:
        class_scores = np.stack([1.0 - class_scores, class_scores], axis=-1)  # (n, 2)
    if class_scores.shape[:1] != true.shape:
        raise DataError(f"{len(true)} labels for {len(class_scores)} scores; give one for each.")

    names = class_names or [str(index) for index in range(class_scores.shape[1])]
    points = [
        [str(name), float(x), float(y)]
        for index, name in enumerate(names)
        for x, y in _roc(true == index, class_scores[:, index])
    ]
    # Thinned evenly: cut at its end, the table would lack the last classes.
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
    """Return pairs of false and true positive rate over all thresholds, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.diff(scores[order]) != 0.0, True)  # equal scores fall together
    true, false = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    rates = [false / max(int((~positive).sum()), 1), true / max(int(positive.sum()), 1)]
    return np.concatenate([np.zeros((1, 2)), np.stack(rates, axis=-1)])  # (thresholds + 1, 2)
