"""ConfusionMatrix: which classes are predicted as which, as a figure and a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.common.stage_report import StageReport
from lightning_tf.trainer import Trainer

MOST_CONFUSED_CLASSES = 100  # a larger matrix can neither be read nor drawn
MOST_WRITTEN_CLASSES = 20  # beyond that the numbers in the cells cannot be read


class ConfusionMatrix(StageReport):
    """Logs the confusion matrix of the last validation when training ends, and of every test.

    The task counts in the graph, in its `confusion_counts`; the host reads nothing before the end.
    Loggers get a figure and a table named ``val/confusion_matrix`` or ``test/confusion_matrix``:
    rows are true classes, columns predicted ones; a cell's colour is its share of the row.

    Of data that say of which superclass each class is (`Cifar100.superclass_of`, a dict of names)
    there is a second one, ``superclass_confusion_matrix``, of these.

    Works with every task that has `confusion_counts` (a `ConfusionCounts`, or None for none) and
    `class_names`.
    """

    def on_validation_epoch_start(self, trainer: Trainer, task: Any) -> None:
        """Count each validation and each test by itself, and the sanity check nowhere."""
        if task.confusion_counts is not None:
            task.confusion_counts.reset_state()

    on_test_epoch_start = on_sanity_check_end = on_validation_epoch_start

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the matrix of the last validation, or of the test."""
        if task.confusion_counts is None:
            return
        counts = np.rint(np.asarray(task.confusion_counts.result())).astype(int)
        if not counts.any():  # no validation has run
            return

        self._log(trainer, f"{stage}/confusion_matrix", counts, task.class_names)
        superclass_of = getattr(getattr(task, "data", None), "superclass_of", None)
        if superclass_of:
            counts, names = merged_counts(
                counts, [superclass_of[each] for each in task.class_names]
            )
            self._log(trainer, f"{stage}/superclass_confusion_matrix", counts, names)

    def _log(
        self, trainer: Trainer, name: str, counts: NDArray[np.integer], class_names: Sequence[str]
    ) -> None:
        trainer.log_figure(name, confusion_figure(counts, class_names))
        rows = [[true, *row] for true, row in zip(class_names, counts.tolist(), strict=True)]
        trainer.log_table(name, ["true", *class_names], rows)


def merged_counts(
    counts: NDArray[np.integer], superclasses: Sequence[str]
) -> tuple[NDArray[np.integer], list[str]]:
    """Return the counts of superclasses, and their names in order.

    Args:
        counts: Integers of shape (classes, classes); rows are true classes.
        superclasses: The superclass of each class.

    Example:
        >>> merged_counts(np.array([[1, 2, 0], [0, 3, 1], [0, 0, 5]]), ["pet", "pet", "car"])[0]
        array([[5, 0],
               [1, 6]])
    """
    names, places = np.unique(superclasses, return_inverse=True)
    merged = np.zeros((len(names), len(names)), counts.dtype)
    np.add.at(merged, (places[:, None], places[None]), counts)
    return merged, names.tolist()


def confusion_figure(counts: NDArray[np.integer], class_names: Sequence[str]) -> Any:
    """Draw a confusion matrix.

    Args:
        counts: Integers of shape (classes, classes); rows are true classes.
        class_names: A name for each class.

    Returns:
        A matplotlib Figure that belongs to no window.

    Example:
        >>> figure = confusion_figure(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
        >>> figure.savefig("confusion.png")
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    size = len(class_names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # of each true class
    side = min(4.0 + 0.4 * size, 16.0)
    figure = Figure(figsize=(side + 0.8, side), layout=PanelLayout())
    axes = figure.add_subplot()

    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    beside = axes.inset_axes((1.05, 0.1, 0.05, 0.8))
    figure.colorbar(image, cax=beside, label="share of the true class")

    right, total = int(np.trace(counts)), int(counts.sum())
    axes.set_title(f"{right:,} of {total:,} right ({right / total:.1%})")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")

    font = 9 if size <= MOST_WRITTEN_CLASSES else 5
    upright = all(len(name) <= 2 for name in class_names)
    axes.set_xticks(range(size), class_names, rotation=0 if upright else 90, fontsize=font)
    axes.set_yticks(range(size), class_names, fontsize=font)

    if size <= MOST_WRITTEN_CLASSES:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                axes.text(
                    column, row, f"{count}", ha="center", va="center", color=color, fontsize=font
                )
    return figure
