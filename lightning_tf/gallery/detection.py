"""detection: anchors, non-maximum suppression and RoI pooling, on photos of raccoons.

Girshick, R. (2015). Fast R-CNN. ICCV, https://arxiv.org/abs/1504.08083. Ren, S. et al. (2015).
Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks. NeurIPS,
https://arxiv.org/abs/1506.01497. Lin, T.-Y. et al. (2017). Focal Loss for Dense Object Detection.
ICCV, https://arxiv.org/abs/1708.02002.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lightning_tf.callbacks import FeatureMaps
from lightning_tf.gallery.common.animal_photos import raccoon_photos, unseen_photos
from lightning_tf.gallery.common.mobilenet_weights import mobilenet_weights
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.layers import RoIAlign
from lightning_tf.tasks import ObjectDetection

EPOCHS, SIDE = 6, 160
SHOWN = "raccoon-164"
LEARNS = 0.5  # IoU from which on an anchor learns an object
ALL = 400  # candidates of a photo
LAYER, STRIDE, CELLS = "block_13_expand_relu", 16, 7  # whose maps are pooled, and to what
Boxes = NDArray[np.floating]  # x0, y0, x1, y1 in pixels of the input, shape (boxes, 4)


@dataclass(frozen=True)
class Stages:
    """What stands between a photo and its detections.

    Attributes:
        photo: The input image, uint8 of shape (SIDE, SIDE, 3).
        objects: What a person has drawn.
        anchors: All of the detector, place by place.
        per_place: How many each place has.
        overlaps: IoU of each anchor with the object that it overlaps most, shape (anchors,).
        before: Boxes above the threshold.
        after: Those of them that non-maximum suppression leaves.
        scores: Of these, shape (boxes,).
        maps: Features of the photo, shape (rows, columns, channels).
        pooled: Those inside the first object, shape (CELLS, CELLS, channels).
    """

    photo: NDArray[np.uint8]
    objects: Boxes
    anchors: Boxes
    per_place: int
    overlaps: NDArray[np.floating]
    before: Boxes
    after: Boxes
    scores: NDArray[np.floating]
    maps: NDArray[np.floating]
    pooled: NDArray[np.floating]


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train a detector of raccoons, take one photo through its stages; draw ``detection.png``.

    Args:
        folder: For the image.
        full: Nothing takes longer.
        data_dir: Holds the photos, see `raccoon_photos`; and MobileNetV2's weights as
            keras.applications names their file, which are downloaded otherwise.
    """
    data = raccoon_photos(data_dir, image_size=SIDE)
    task = ObjectDetection(
        data,
        backbone="MobileNetV2",
        weights=mobilenet_weights(data_dir),
        image_size=SIDE,
        augmentation="flip",
    )
    trainer = quiet_trainer(EPOCHS, gradient_clip_val=10.0, limit_val_batches=0)
    trainer.fit(task)
    has_test = "test" in (data.splits or {})
    measured = trainer.test(task) if has_test else trainer.validate(task)

    photos = unseen_photos(data)
    _, photo, objects = next((each for each in photos if each[0] == SHOWN), photos[0])
    stages = stages_of(task, photo, objects)
    draw(stages).savefig(folder / "detection.png", dpi=90)
    mean = by_numpy(stages.maps, stages.objects[0])
    return {
        "mAP50": measured["test_map_50" if has_test else "val_map_50"],
        "anchors": len(stages.anchors),
        "anchors that learn the object": int((stages.overlaps >= LEARNS).sum()),
        "IoU of the best anchor": float(stages.overlaps.max()),
        "boxes before non-maximum suppression": len(stages.before),
        "boxes after it": len(stages.after),
        "IoU of the best box": float(overlaps(stages.after[:1], stages.objects).max()),
        "distance of RoIAlign from NumPy": float(np.abs(mean - stages.pooled).max()),
    }


def stages_of(task: ObjectDetection, photo: NDArray[np.uint8], objects: Boxes) -> Stages:
    """Take a photo through a trained detector."""
    raw = task.raw_outputs(photo[np.newaxis])
    every = replace(task.detections, iou=1.0, most=ALL)  # nothing overlaps by more than all
    before, after = (find(raw, task.score_threshold) for find in (every, task.detections))

    maps = FeatureMaps(LAYER).feature_maps(task, photo[np.newaxis])[LAYER]
    pooled = RoIAlign(CELLS, stride=STRIDE)(maps, objects[np.newaxis, :1])
    anchors = task.anchors.boxes
    count = int(after["count"][0])
    return Stages(
        photo=photo,
        objects=objects,
        anchors=anchors,
        per_place=task.anchors.per_cell,
        overlaps=overlaps(anchors, objects).max(axis=1),
        before=before["boxes"][0, : int(before["count"][0])].numpy(),
        after=after["boxes"][0, :count].numpy(),
        scores=after["scores"][0, :count].numpy(),
        maps=maps[0],
        pooled=np.asarray(pooled)[0, 0],
    )


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.floating]:
    """Return intersection over union of each box with each other, shape (boxes, others)."""
    return np.asarray(keras.utils.bounding_boxes.compute_iou(one, other, "xyxy"))


def by_numpy(maps: NDArray[np.floating], box: Any) -> NDArray[np.floating]:
    """Return what RoIAlign gives, point by point: interpolated twice, a mean of 2 x 2 a cell."""
    left, top, right, bottom = np.asarray(box) / STRIDE
    shares = (np.arange(2 * CELLS) + 0.5) / (2 * CELLS)
    rows = np.clip(top + (bottom - top) * shares - 0.5, 0, maps.shape[0] - 1)
    columns = np.clip(left + (right - left) * shares - 0.5, 0, maps.shape[1] - 1)

    points = np.empty((2 * CELLS, 2 * CELLS, maps.shape[2]))
    for i, j in np.ndindex(2 * CELLS, 2 * CELLS):
        (below, y), (beside, x) = np.modf(rows[i]), np.modf(columns[j])
        ys = np.minimum([int(y), int(y) + 1], maps.shape[0] - 1)
        xs = np.minimum([int(x), int(x) + 1], maps.shape[1] - 1)
        corners = maps[np.ix_(ys, xs)]  # (2, 2, channels)
        points[i, j] = np.einsum("a,b,abc->c", [1 - below, below], [1 - beside, beside], corners)
    cells: NDArray[np.floating] = points.reshape(CELLS, 2, CELLS, 2, -1).mean(axis=(1, 3))
    return cells


def draw(stages: Stages) -> Any:
    """Draw the photo at each stage."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.8), layout="constrained")
    panels = figure.subplots(2, 3)
    best = int(stages.overlaps.argmax())
    start = best // stages.per_place * stages.per_place
    title = f"{stages.per_place} of {len(stages.anchors):,} anchors, of one place"
    _show(panels[0, 0], stages, title, stages.anchors[start : start + stages.per_place])

    learns = stages.anchors[stages.overlaps >= LEARNS]
    _show(panels[0, 1], stages, f"{len(learns)} learn the raccoon: IoU >= {LEARNS}", learns)
    _show(panels[0, 2], stages, f"found: {len(stages.before)} boxes", stages.before)
    title = f"non-maximum suppression: {len(stages.after)}, {stages.scores[0]:.0%}"
    _show(panels[1, 0], stages, title, stages.after)

    left, top, right, bottom = stages.objects[0]
    xs, ys = np.linspace(left, right, CELLS + 1), np.linspace(top, bottom, CELLS + 1)
    cells = np.concatenate([_corners(xs[:-1], ys[:-1]), _corners(xs[1:], ys[1:])], axis=1)
    _show(panels[1, 1], stages, f"RoI pooling: {CELLS} x {CELLS} cells of the box", cells)
    panels[1, 2].imshow(stages.pooled.mean(axis=-1), cmap="viridis")
    channels = stages.pooled.shape[-1]
    panels[1, 2].set_title(f"the features there, mean of {channels}", fontsize=10)
    panels[1, 2].set_axis_off()
    return figure


def _corners(xs: Any, ys: Any) -> Any:
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def _show(axes: Any, stages: Stages, title: str, boxes: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(stages.photo)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    looks: list[tuple[Any, dict[str, Any]]] = [(boxes, {"edgecolor": "#ffb000", "linewidth": 1})]
    looks.append((stages.objects, {"edgecolor": "white", "linewidth": 1.8, "linestyle": "--"}))
    for chosen, look in looks:
        for left, top, right, bottom in chosen:
            corner, sides = (left, top), (right - left, bottom - top)
            axes.add_patch(Rectangle(corner, *sides, fill=False, **look))
    axes.set(xlim=(0, SIDE), ylim=(SIDE, 0))
