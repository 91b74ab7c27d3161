"""feature_maps: what a convolutional network sees in a photo, asked in four ways.

Zeiler, M. D. and Fergus, R. (2014). Visualizing and Understanding Convolutional Networks. ECCV,
https://arxiv.org/abs/1311.2901 (filters, feature maps, occlusion). Selvaraju, R. R. et al. (2017).
Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV,
https://arxiv.org/abs/1610.02391.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callbacks import FeatureMaps
from lightning_tf.callbacks.common.feature_figures import tiles_of
from lightning_tf.gallery.common.animal_photos import (
    Photo,
    animals_table,
    raccoon_photos,
    unseen_photos,
)
from lightning_tf.gallery.common.mobilenet_weights import mobilenet_weights
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
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
    task = TransferLearning(
        animals_table(root, raccoons),
        BACKBONE,
        weights=mobilenet_weights(data_dir),
        image_size=SIDE,
        cache_features=True,
    )
    quiet_trainer(15).fit(task)

    photos = unseen_photos(raccoons)
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
    _show(panels[1, 0], tiles_of(kernel, 8), f"the {len(kernel)} filters of layer 1")
    for axes, (name, what) in zip(panels[1, 1:], LAYERS.items(), strict=True):
        shown = np.moveaxis(maps[name][0, ..., :MAPS], -1, 0)[..., np.newaxis]
        title = f"{MAPS} maps {what}, {shown.shape[1]} x {shown.shape[2]}"
        _show(axes, tiles_of(shown, 4)[..., 0], title)
    return figure


def _show(axes: Any, pixels: NDArray[Any], title: str, boxes: Any = ()) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(pixels, cmap="gray")
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    for left, top, right, bottom in boxes:
        place: Any = {"fill": False, "edgecolor": "white", "linewidth": 2, "linestyle": "--"}
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, **place))
