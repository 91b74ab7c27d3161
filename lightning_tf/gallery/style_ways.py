"""style_ways: one photo painted in three ways, the weight of the style as a slider, and a film."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf import Callback
from lightning_tf.gallery.common.film import write_film
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.step_recorder import StepRecorder
from lightning_tf.gallery.common.style_files import StyleFiles
from lightning_tf.tasks import StyleTransfer

SIDE, UPDATES, EVERY = 144, 100, 5
DRAWN = (0, 10, 25, 50, 100)  # updates
SLIDER = (0.05, 0.5, 5.0, 50.0, 500.0)  # weight of the style, where the content's is 1
SLIDER_UPDATES, FAST_UPDATES = 40, 450
OPTIMIZED: dict[str, Any] = {"image_size": SIDE, "learning_rate": 0.04}
SLID = {**OPTIMIZED, "image_size": 96, "style_size": SIDE}
FAST: dict[str, Any] = {
    "image_size": 64,
    "style_size": SIDE,
    "style_weight": 0.3,
    "batch_size": 1,
    "val_fraction": 0.0,
    "filters": 16,
    "residual_blocks": 2,
    "learning_rate": 2e-3,
}


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Paint scikit-learn's photo of a Chinese temple in three ways, like a painting.

    Args:
        folder: For style_ways.png and style_ways.gif.
        full: Nothing takes longer.
        data_dir: See `StyleFiles`.

    Raises:
        ConfigurationError: The photos are missing.
    """
    from sklearn.datasets import load_sample_image

    files = StyleFiles(data_dir)
    photo = load_sample_image("china.jpg")
    recorder = StepRecorder(lambda task: task.preview()[0], EVERY, from_start=True)
    task = trained(files, photo, "optimize", UPDATES, [recorder], **OPTIMIZED)
    fast = trained(files, files.photos, "fast", FAST_UPDATES, **FAST)
    hub = StyleTransfer(photo, files.painting, "hub", image_size=SIDE, **files.hub)
    painted = {
        "optimize": task.stylize(),
        "fast": fast.stylize(photo, image_size=SIDE),
        "hub": hub.stylize(),
    }
    slider = {
        f"style weight {weight:g}": trained(
            files, photo, "optimize", SLIDER_UPDATES, style_weight=weight, **SLID
        ).stylize()
        for weight in SLIDER
    }

    start = recorder.by_step[0]
    losses = {name: losses_of(task, image / 255.0, start) for name, image in painted.items()}
    style_of_photo = losses_of(task, start, start)["style_loss"]
    left = {name: each["style_loss"] / style_of_photo for name, each in losses.items()}
    content = {name: each["content_loss"] for name, each in losses.items()}

    first = {"photo": start, "painting": pixels(files.painting)}
    for name, image in painted.items():
        first[f"{name}\nstyle {left[name]:.2f}, content {content[name]:.2f}"] = image
    steps = {f"update {step}": recorder.by_step[step] for step in DRAWN}
    _figure([first, steps, slider]).savefig(folder / "style_ways.png", dpi=100)
    write_film(folder / "style_ways.gif", _frames(recorder.by_step), seconds=0.3, dpi=80)
    return {
        **{f"style loss left, {name}": value for name, value in left.items()},
        **{f"content loss, {name}": value for name, value in content.items()},
    }


def trained(
    files: StyleFiles,
    content: Any,
    method: Any,
    updates: int,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> StyleTransfer:
    """Return a style transfer after so many updates."""
    task = StyleTransfer(
        content,
        files.painting,
        method,
        weights=files.weights,
        schedule="cosine",
        progress_every=0,
        **options,
    )
    quiet_trainer(1, max_steps=updates, callbacks=list(callbacks)).fit(task)
    return task


def pixels(painting: Path | NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of an image, shape (height, width, 3), of a file where it is one."""
    if not isinstance(painting, Path):
        return painting
    from PIL import Image

    with Image.open(painting) as image:
        return np.asarray(image.convert("RGB"))


def losses_of(task: StyleTransfer, image: NDArray[Any], photo: NDArray[Any]) -> dict[str, float]:
    """Measure any image by the losses of a task: how far from the photo and from the style.

    Args:
        task: Trained with ``optimize``, so that it has losses.
        image: In [0, 1], shape (height, width, 3).
        photo: The same; the content.
    """
    losses = task.method.losses
    targets = losses.content_targets(tf.constant(photo[None], tf.float32))
    values = losses(tf.constant(image[None], tf.float32), targets)
    return {name: float(value) for name, value in values.items()}


def _figure(rows: list[dict[str, NDArray[Any]]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.9, wspace=0.04, hspace=0.25)
    panels = figure.subplots(len(rows), len(SLIDER))
    for line, row in zip(panels, rows, strict=True):
        for axes, (title, image) in zip(line, row.items(), strict=True):
            axes.imshow(image, interpolation="bicubic")
            axes.set_title(title, fontsize=8)
            axes.axis("off")
    return figure


def _frames(by_step: Mapping[int, NDArray[Any]]) -> Iterator[Any]:
    from matplotlib.figure import Figure

    for step, image in by_step.items():
        figure = Figure(figsize=(3, 2.3))
        axes = figure.add_axes((0.0, 0.0, 1.0, 0.87))
        axes.imshow(image, interpolation="bicubic")
        axes.axis("off")
        axes.set_title(f"update {step}", fontsize=10)
        yield figure
