"""feature_maps: what a convolutional network sees in a photo, asked in four ways.

Zeiler, M. D. and Fergus, R. (2014). Visualizing and Understanding Convolutional Networks. ECCV,
https://arxiv.org/abs/1311.2901 (filters, feature maps, occlusion). Selvaraju, R. R. et al. (2017).
Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV,
https://arxiv.org/abs/1610.02391.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callbacks import FeatureMaps
from lightning_tf.data import VocFolder
from lightning_tf.gallery.animal_photos import WEIGHTS, animals_table, raccoon_photos
from lightning_tf.gallery.quiet_trainer import quiet_trainer
from lightning_tf.tasks import TransferLearning

BACKBONE, SIDE = "MobileNetV2", 224
FILTERS = "Conv1"
LAYERS = {  # those whose maps are drawn, and what they are called
    "block_6_expand_relu": "of a middle layer",
    "out_relu": "of the last layer",
}
MAPS = 16  # of a layer
SMALL = 0.5  # of the photo: what lies outside of a larger box is hardly anything
SHOWN = "raccoon-192"
Photo = tuple[str, NDArray[np.uint8], NDArray[np.floating]]  # stem, pixels, boxes in pixels


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Teach a head raccoons, cats and dogs, and look for raccoons; draw ``feature_maps.png``.

    Args:
        folder: For the image.
        full: Nothing takes longer.
        data_dir: Holds the photos, see `raccoon_photos` and `animals_table`; and the backbone's
            weights as keras.applications names their file, which are downloaded otherwise.
    """
    raccoons = raccoon_photos(data_dir, image_size=SIDE, resize="stretch")
    raccoons.setup("fit")
    root = Path(data_dir or ".").expanduser()
    weights = root / WEIGHTS
    task = TransferLearning(
        animals_table(root, raccoons),
        BACKBONE,
        weights=weights if weights.exists() else "imagenet",
        image_size=SIDE,
        cache_features=True,
    )
    quiet_trainer(15).fit(task)

    photos = list(test_photos(raccoons))
    pixels = np.stack([photo for _, photo, _ in photos])
    accuracy = (task.predict(pixels)["label"] == "raccoon").mean()
    small = [photo for photo in photos if mask(photo).mean() < SMALL]
    shares: dict[str, list[float]] = {"occlusion": [], "Grad-CAM": [], "photo": []}
    for photo in small:
        for name, heat in (*seen(task, photo[1]).items(), ("photo", np.ones((SIDE, SIDE)))):
            shares[name].append(float((heat * mask(photo)).sum() / max(heat.sum(), 1e-9)))

    shown = next((photo for photo in small if photo[0] == SHOWN), small[0])
    draw(task, shown).savefig(folder / "feature_maps.png", dpi=100)
    return {
        "share of occlusion's drop inside the boxes": float(np.mean(shares["occlusion"])),
        "share of Grad-CAM inside the boxes": float(np.mean(shares["Grad-CAM"])),
        "share of the photos inside the boxes": float(np.mean(shares["photo"])),
        "photos": len(small),
        "test photos of raccoons that are recognized": float(accuracy),
    }


def test_photos(raccoons: VocFolder) -> Iterator[Photo]:
    """Yield the photos that nobody has learned from, of SIDE x SIDE."""
    stage = "test" if "test" in (raccoons.splits or {}) else "val"
    dataset: Any = raccoons.dataset_for(stage)
    for images, objects in dataset.as_numpy_iterator():
        rows = zip(images, objects["index"], objects["boxes"], objects["labels"], strict=True)
        for image, index, boxes, labels in rows:
            yield raccoons.annotations[index].path.stem, image, boxes[labels >= 0]


def mask(photo: Photo) -> NDArray[np.bool_]:
    """Return which pixels are in a box, shape (SIDE, SIDE)."""
    inside = np.zeros((SIDE, SIDE), bool)
    for left, top, right, bottom in photo[2].round().astype(int):
        inside[top:bottom, left:right] = True
    return inside


def seen(task: Any, photo: NDArray[np.uint8]) -> dict[str, NDArray[np.floating]]:
    """Return where there is a raccoon in a photo, in [0, 1], shape (SIDE, SIDE), by each method."""
    raccoon = [task.class_names.index("raccoon")]
    occlusion = task.heat_maps(photo[np.newaxis], raccoon, "occlusion")[0]
    coarse = task.heat_maps(photo[np.newaxis], raccoon, "grad_cam")[0]  # (7, 7)
    times = SIDE // len(coarse)
    return {"occlusion": occlusion, "Grad-CAM": coarse.repeat(times, 0).repeat(times, 1)}


def draw(task: Any, photo: Photo) -> Any:
    """Draw a photo, what is seen of it, and what the layers make of it."""
    from matplotlib.figure import Figure

    _, pixels, boxes = photo
    callback = FeatureMaps([FILTERS, *LAYERS])
    kernel = np.moveaxis(callback.filters(task)[FILTERS], -1, 0)  # (filters, 3, 3, 3)
    maps = callback.feature_maps(task, pixels[np.newaxis])
    heats = seen(task, pixels)
    row = task.predict(pixels[np.newaxis]).frame.iloc[0]

    figure = Figure(figsize=(8, 5.9), layout="constrained")
    panels = figure.subplots(2, 3)
    _show(panels[0, 0], pixels, f"{row['label']} {row['probability']:.0%}", boxes)
    for axes, name in zip(panels[0, 1:], ("Grad-CAM", "occlusion"), strict=True):
        _show(axes, pixels, f"where it is one: {name}", boxes)
        axes.imshow(heats[name], cmap="inferno", alpha=0.65)
    _show(panels[1, 0], tiles(kernel, 8), f"the {len(kernel)} filters of layer 1")
    for axes, (name, what) in zip(panels[1, 1:], LAYERS.items(), strict=True):
        shown = np.moveaxis(maps[name][0, ..., :MAPS], -1, 0)[..., np.newaxis]
        title = f"{MAPS} maps {what}, {shown.shape[1]} x {shown.shape[2]}"
        _show(axes, tiles(shown, 4)[..., 0], title)
    return figure


def tiles(images: NDArray[np.floating], columns: int) -> NDArray[np.floating]:
    """Return images of shape (n, height, width, channels) side by side, each in [0, 1]."""
    axes = (1, 2, 3)
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    scaled = (images - low) / np.maximum(high - low, 1e-9)
    scale = math.ceil(28 / images.shape[1])
    large = scaled.repeat(scale, 1).repeat(scale, 2)
    gap = max(1, large.shape[1] // 14)
    cells = np.pad(large, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1.0)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)[:-gap, :-gap]


def _show(axes: Any, pixels: NDArray[Any], title: str, boxes: Any = ()) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(pixels, cmap="gray")
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    for left, top, right, bottom in boxes:
        place: Any = {"fill": False, "edgecolor": "white", "linewidth": 2, "linestyle": "--"}
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, **place))
