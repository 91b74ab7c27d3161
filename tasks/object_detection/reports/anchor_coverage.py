"""AnchorCoverage: how many of the training objects a detector's anchors cover."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.tasks.object_detection.anchors import GOOD_IOU, Anchors
from lightning_tf.tasks.object_detection.detection_spec import training_objects
from lightning_tf.trainer import Trainer

log = logging.getLogger(__name__)

GOOD_COVERAGE = 0.95
MOST_DRAWN = 5000  # boxes: more make no other picture, only a slower one


class AnchorCoverage(Callback):
    """Tells before training how many objects have an anchor that overlaps them by half.

    An object without one is hard to learn, and the loss does not show it. A share below 0.95 is a
    warning. Loggers get a figure of the name ``train/anchor_coverage``. A resumed run tells
    nothing again. Anchors of a checkpoint are measured on the data they are trained on now.

    Works with every task that has `anchors` and data as `training_objects` takes.
    """

    logs_metrics = False

    def on_fit_start(self, trainer: Trainer, task: Any) -> None:
        """Tell the share and log the figure; of several workers the chief alone."""
        if trainer.global_step or not trainer.is_global_zero:
            return

        boxes, _ = training_objects(task.data)
        if len(boxes):
            tell_coverage(task.anchors, boxes)
            if trainer.loggers:
                figure = coverage_figure(task.anchors, boxes)
                trainer.log_figure("train/anchor_coverage", figure)


def tell_coverage(anchors: Anchors, boxes: NDArray[np.float32]) -> None:
    """Log the share of boxes that anchors cover, as a warning where it is below 0.95.

    Args:
        anchors: Of a detector.
        boxes: Of the training data, in pixels of the input image, shape (boxes, 4), at least one.
    """
    is_covered = anchors.best_overlaps(boxes) >= GOOD_IOU
    share = float(is_covered.mean())
    text = f"Anchors cover {share:.3f} of {len(boxes)} training objects (IoU of 0.5 and more)"
    if share >= GOOD_COVERAGE:
        log.info("%s.", text)
        return

    missed = boxes[~is_covered]
    width, height = np.median(missed[:, 2:] - missed[:, :2], axis=0)
    log.warning(
        "%s; the others, %.0f x %.0f pixels at the median, are hard to learn: give anchors='auto', "
        "or {'scales': ..., 'ratios': ...} for them, other levels= or a larger image_size=.",
        text,
        width,
        height,
    )


def coverage_figure(anchors: Anchors, boxes: NDArray[np.float32]) -> Any:
    """Draw widths and heights of objects and anchors over each other.

    Args:
        anchors: Of a detector.
        boxes: Of the training data, in pixels of the input image, shape (boxes, 4).

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    is_covered = anchors.best_overlaps(boxes) >= GOOD_IOU
    figure = Figure(figsize=(5.6, 5.2), layout=PanelLayout())
    axes = figure.add_subplot()
    sides = boxes[:, 2:] - boxes[:, :2]  # (boxes, 2)
    drawn = np.zeros(len(boxes), np.bool_)
    drawn[:: -(-len(boxes) // MOST_DRAWN)] = True
    for name, color, kind in (
        ("objects with an anchor", "tab:blue", is_covered),
        ("objects without", "tab:red", ~is_covered),
    ):
        points = sides[kind & drawn]
        label = f"{name}: {kind.sum():,}"
        axes.scatter(points[:, 0], points[:, 1], s=9, alpha=0.5, color=color, label=label)
    for level, sizes in zip(anchors.levels, anchors.sizes, strict=True):
        name, marker = f"anchors of level {level}, stride {2**level}", f"${level}$"
        width, height = np.transpose(sizes)
        axes.scatter(width, height, s=45, lw=0.5, color="black", marker=marker, label=name)

    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="width in the input, pixels", ylabel="height in the input, pixels")
    axes.set_title(f"Anchors cover {is_covered.mean():.3f} of {len(boxes):,} training objects")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
