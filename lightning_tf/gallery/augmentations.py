"""augmentations: one photo, and what every augmentation makes of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lightning_tf import seed_everything
from lightning_tf.data import ImageArrays
from lightning_tf.tasks import ImageClassification

CLASSES = ("temple", "flower")
SIDE, DRAWS, SEED = 128, 4, 6
FLOAT32 = {"dtype": "float32"}  # Keras' own layers for images fail under mixed precision

# What is written over the draws, and what `augmentation=` takes.
NAMED: dict[str, Any] = {
    '"flip": left and right mirrored': "flip",
    '("crop", {"padding": 24}): shifted': ("crop", {"padding": 24}),
    '("brightness", {"factor": 0.4})': ("brightness", {"factor": 0.4}),
    '("contrast", {"factor": (0.7, 0.7)})': ("contrast", {"factor": (0.7, 0.7)}),
    '"rand_augment": two of many': "rand_augment",
    '("mixup", {"alpha": 1}): photo and label blended': ("mixup", {"alpha": 1.0}),
    '"cutmix": a rectangle of another, its label too': "cutmix",
}


def keras_layers() -> dict[str, Any]:
    """Return layers of Keras that `augmentation=` takes as they are."""
    layers = keras.layers
    return {
        "RandomRotation(0.1)": layers.RandomRotation(0.1, **FLOAT32),
        "RandomZoom((-0.5, 0))": layers.RandomZoom((-0.5, 0.0), **FLOAT32),
        "RandomShear(0.3, 0.3)": layers.RandomShear(0.3, 0.3, **FLOAT32),
        "RandomPerspective(1, 0.5)": layers.RandomPerspective(1.0, 0.5, **FLOAT32),
        "RandomErasing(1): cutout": layers.RandomErasing(1.0, **FLOAT32),
        "RandomHue(0.3)": layers.RandomHue(0.3, **FLOAT32),
        "RandomGrayscale(0.5)": layers.RandomGrayscale(0.5, **FLOAT32),
    }


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Write the sheet, ``augmentations.png``.

    Args:
        folder: Exists.
        full: The same.
        data_dir: Not needed: the photos come with scikit-learn.

    Returns:
        How many augmentations the sheet shows.
    """
    seed_everything(SEED)
    photos = load_photos()
    draws = {title: draw(photos, item) for title, item in {**NAMED, **keras_layers()}.items()}
    sheet(photos, draws).savefig(folder / "augmentations.png", dpi=100)
    return {"augmentations": len(draws)}


def load_photos() -> NDArray[np.uint8]:
    """Return a temple and flowers, cut out of the two photos that scikit-learn brings along.

    Returns:
        A batch of shape (4, SIDE, SIDE, 3); the first is the temple.
    """
    from PIL import Image
    from sklearn.datasets import load_sample_image

    squares = []
    for name, left in (
        ("china.jpg", 20),
        ("flower.jpg", 0),
        ("flower.jpg", 130),
        ("flower.jpg", 213),
    ):
        photo = Image.fromarray(load_sample_image(name)).crop((left, 0, left + 427, 427))
        squares.append(np.asarray(photo.resize((SIDE, SIDE))))
    return np.stack(squares)


def draw(photos: NDArray[np.uint8], augmentation: Any) -> list[tuple[NDArray[np.uint8], str]]:
    """Return the first photo as several epochs of training would see it, and its label each time.

    Args:
        photos: A batch, whose other photos MixUp and CutMix take from.
        augmentation: One item of what `augmentation=` of a task takes.
    """
    labels = np.minimum(np.arange(len(photos)), 1)
    data = ImageArrays((photos, labels), class_names=list(CLASSES), val_fraction=0, test_fraction=0)
    task = ImageClassification(data, "linear", augmentation=[augmentation])
    data.setup("fit")
    task.make_models()  # as a Trainer does; without weights nothing here would be random

    draws = []
    for _ in range(DRAWS):
        one_hot = np.eye(len(CLASSES), dtype="float32")[labels]
        images, targets = task.augmentation(photos.astype("float32"), one_hot, training=True)
        image = np.clip(np.asarray(images)[0], 0, 255).astype("uint8")
        draws.append((image, label_text(np.asarray(targets)[0])))
    return draws


def label_text(shares: NDArray[np.floating]) -> str:
    """Return a label in two lines where two are mixed, such as ``0.70 temple``, ``0.30 flower``."""
    named = [(share, name) for share, name in zip(shares, CLASSES, strict=True) if share]
    if len(named) == 1:
        return named[0][1]
    return "\n".join(f"{share:.2f} {name}" for share, name in named)


def sheet(
    photos: NDArray[np.uint8], draws: Mapping[str, list[tuple[NDArray[np.uint8], str]]]
) -> Any:
    """Draw the photos in the first row, then two augmentations in each row."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8.0, 1.3 * (1 + len(draws) / 2)), layout="constrained")
    top, *panels = figure.subfigures(1 + len(draws) // 2, 2).flat
    # The second panel of the first row stays empty.
    strip(top, "the photo, and what it is mixed with", [(photo, "") for photo in photos])
    for panel, (title, images) in zip(panels[1:], draws.items(), strict=True):
        strip(panel, title, images)
    return figure


def strip(panel: Any, title: str, images: list[tuple[NDArray[np.uint8], str]]) -> None:
    """Draw images beside each other, each with its label below."""
    panel.suptitle(title, fontsize=8, family="monospace")
    for axes, (image, label) in zip(panel.subplots(1, len(images)), images, strict=True):
        axes.imshow(image)
        axes.set_xlabel(label, fontsize=7)
        axes.set(xticks=[], yticks=[])
