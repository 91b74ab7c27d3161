"""DetectionGrid: images with their objects beside what a detector has found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.tasks.object_detection.detected_image import DetectedImage
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.box_matches import NOTHING, match_boxes
from lightning_tf.tasks.object_detection.reports.detection_report import (
    DetectionReport,
    use_threshold,
)
from lightning_tf.tasks.object_detection.reports.draw_boxes import (
    Color,
    DrawnBox,
    draw_boxes,
    pad_to_square,
)
from lightning_tf.tasks.object_detection.reports.example_images import ExampleImage, example_images
from lightning_tf.trainer import Trainer

SIDE = 384  # pixels, as wide as a panel is drawn
PANEL, GAP, TITLE, HEADING = 3.2, 0.12, 0.25, 0.4  # inches; the heading is a legend
MATCHED: Color = (0, 158, 115)
MISSED: Color = (255, 176, 0)
WRONG: Color = (220, 38, 60)
IGNORED: Color = (150, 150, 150)
LEGEND = {"matched": MATCHED, "missed": MISSED, "wrong": WRONG, "ignored": IGNORED}


class DetectionGrid(DetectionReport):
    """Logs images with their objects, each beside itself with what has been found.

    Objects that are found and detections that have found one are green, missed objects yellow,
    wrong detections red; ignored objects, and what lies in them, are gray and dashed. Loggers get
    a figure of the name ``val/detections`` or ``test/detections``, and the same images with sets of
    boxes, ``truth`` and ``prediction``, as ``val/detection_boxes`` or ``test/detection_boxes``: W&B
    shows them as overlays that can be switched on, off and filtered by class.

    Works with every task that has a `MeanAveragePrecision` among its host metrics and data as
    `example_images` takes.

    Args:
        count: How many images, evenly spread over the data.
        score_threshold: Detections below it are left out; None takes the task's.
        iou: From here on a detection has found an object.
    """

    def __init__(
        self, count: int = 8, score_threshold: float | None = None, iou: float = 0.5
    ) -> None:
        super().__init__()
        self.count = checked_integer("DetectionGrid: count", count, least=1)
        self.score_threshold, self.iou = score_threshold, iou

    def report_metric(
        self, trainer: Trainer, task: Any, stage: str, metric: MeanAveragePrecision
    ) -> None:
        """Log the figure and the images."""
        threshold = use_threshold(task, self.score_threshold)
        images = {index: image.above(threshold) for index, image in metric.images.items()}
        examples = example_images(task.data, stage, images, self.count, SIDE)
        if not examples:
            return

        figure = detection_figure(examples, metric.class_names, self.iou)
        trainer.log_figure(f"{stage}/detections", figure)
        trainer.log_images(
            f"{stage}/detection_boxes",
            np.stack([pad_to_square(example.pixels) for example in examples]),
            captions=[f"image {example.image.index}" for example in examples],
            boxes=[box_sets(example.image, metric.class_names) for example in examples],
        )


def box_sets(image: DetectedImage, class_names: Sequence[str]) -> dict[str, Any]:
    """Return an image's objects and detections as `Logger.log_images` takes boxes.

    Args:
        image: With boxes in pixels of the logged image.
        class_names: A name for each label.
    """
    labels = dict(enumerate(class_names))
    truth = [
        _box_data(box, label, labels[label] + " (ignored)" * ignored)
        for box, label, ignored in zip(
            image.boxes.tolist(), image.labels.tolist(), image.ignored.tolist(), strict=True
        )
    ]
    found = [
        {**_box_data(box, label, f"{labels[label]} {score:.2f}"), "scores": {"score": score}}
        for box, label, score in zip(
            image.found_boxes.tolist(),
            image.found_labels.tolist(),
            image.scores.tolist(),
            strict=True,
        )
    ]
    return {
        "truth": {"box_data": truth, "class_labels": labels},
        "prediction": {"box_data": found, "class_labels": labels},
    }


def _box_data(box: list[float], label: int, caption: str) -> dict[str, Any]:
    position = dict(zip(("minX", "minY", "maxX", "maxY"), box, strict=True))
    return {
        "position": position,
        "domain": "pixel",
        "class_id": label,
        "box_caption": caption,
    }


def detection_figure(
    examples: Sequence[ExampleImage], class_names: Sequence[str], iou: float = 0.5
) -> Any:
    """Draw images in pairs: objects at the left, detections at the right.

    Args:
        examples: With the detections that are to be shown.
        class_names: A name for each label.
        iou: From here on a detection has found an object.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from lightning_tf.panel_layout import PanelLayout

    columns = 1 if len(examples) == 1 else 2
    rows = [examples[begin : begin + columns] for begin in range(0, len(examples), columns)]
    heights = [TITLE + PANEL * max(e.pixels.shape[0] for e in row) / SIDE + GAP for row in rows]
    width, height = columns * (2 * PANEL + 3 * GAP), HEADING + sum(heights)
    figure = Figure(figsize=(width, height), layout=PanelLayout())
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))  # in inches; one for all is drawn soonest

    top = HEADING
    for row, row_height in zip(rows, heights, strict=True):
        for column, example in enumerate(row):
            _draw_pair(axes, example, class_names, iou, column * width / columns, top + TITLE)
        top += row_height
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    patches = [
        Patch(color=f"#{red:02x}{green:02x}{blue:02x}", label=name)
        for name, (red, green, blue) in LEGEND.items()
    ]
    figure.legend(handles=patches, loc="upper center", ncols=len(patches), frameon=False)
    return figure


def _draw_pair(
    axes: Any,
    example: ExampleImage,
    class_names: Sequence[str],
    iou: float,
    left: float,
    top: float,
) -> None:
    image, match = example.image, match_boxes(example.image, iou)
    missed = int((~match.is_found & ~image.ignored).sum())
    wrong = int(((match.object_of == NOTHING) & ~match.is_ignored).sum())
    objects = int((~image.ignored).sum())
    titles = (
        f"image {image.index}, truth: {objects}" + (f", {missed} missed" if missed else ""),
        f"found: {len(image.scores)}" + (f", {wrong} wrong" if wrong else ""),
    )
    drawn = (truth_boxes(image, match.is_found, class_names), found_boxes(image, iou, class_names))

    high, wide = (PANEL * side / SIDE for side in example.pixels.shape[:2])
    for place, (boxes, title) in enumerate(zip(drawn, titles, strict=True)):
        middle = left + GAP + place * (PANEL + GAP) + PANEL / 2
        extent = (middle - wide / 2, middle + wide / 2, top + high, top)
        axes.imshow(draw_boxes(example.pixels, boxes), extent=extent, aspect="auto", origin="upper")
        axes.text(middle, top - 0.05, title, fontsize=10, ha="center")


def truth_boxes(
    image: DetectedImage, is_found: NDArray[np.bool_], class_names: Sequence[str]
) -> list[DrawnBox]:
    """Return an image's objects as they are drawn."""
    boxes = []
    for place, (x0, y0, x1, y1) in enumerate(image.boxes.tolist()):
        ignored = bool(image.ignored[place])
        color = IGNORED if ignored else MATCHED if is_found[place] else MISSED
        text = class_names[image.labels[place]]
        boxes.append(DrawnBox((x0, y0, x1, y1), text, color, dashed=ignored))
    return boxes


def found_boxes(image: DetectedImage, iou: float, class_names: Sequence[str]) -> list[DrawnBox]:
    """Return an image's detections as they are drawn, the best first."""
    match, boxes = match_boxes(image, iou), []
    for place, (x0, y0, x1, y1) in enumerate(image.found_boxes.tolist()):
        ignored = bool(match.is_ignored[place])
        color = IGNORED if ignored else MATCHED if match.object_of[place] != NOTHING else WRONG
        text = f"{class_names[image.found_labels[place]]} {image.scores[place]:.2f}"
        boxes.append(DrawnBox((x0, y0, x1, y1), text, color, dashed=ignored))
    return boxes
