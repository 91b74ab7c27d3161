"""networks: the networks for images, what each has in it, and what its idea buys.

Accuracies are those of the CIFAR-10 ladder, `docs/cifar10_ladder.md`; the rest is counted here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lightning_tf.tasks import ImageClassification

SHAPE = (32, 32, 3)  # CIFAR's images


@dataclass(frozen=True)
class Network:
    """One of the networks of ImageClassification.

    Attributes:
        year: Of the paper.
        paper: Its authors and address.
        accuracy: Of the ladder's 10,000 test images after 10,000 steps of 20.
    """

    year: int
    paper: str
    accuracy: float


NETWORKS = {
    "logistic": Network(1958, "Cox, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x", 0.8315),
    "linear": Network(1990, "Bridle, https://doi.org/10.1007/978-3-642-76153-9_28", 0.4112),
    "mlp": Network(1986, "Rumelhart et al., https://doi.org/10.1038/323533a0", 0.5419),
    "lenet5": Network(1998, "LeCun et al., https://doi.org/10.1109/5.726791", 0.5913),
    "convnet": Network(2012, "AlexNet: Krizhevsky et al., https://doi.org/10.1145/3065386", 0.8054),
    "vgg": Network(2014, "Simonyan and Zisserman, https://arxiv.org/abs/1409.1556", 0.8327),
    "inception": Network(2014, "Szegedy et al., https://arxiv.org/abs/1409.4842", 0.8065),
    "resnet": Network(2015, "He et al., https://arxiv.org/abs/1512.03385", 0.8146),
    "mobilenet": Network(2017, "Howard et al., https://arxiv.org/abs/1704.04861", 0.8068),
}
FIRST = "mobilenet"  # whose weights are the figure
TWO_CLASSES = "logistic"  # it tells airplanes from automobiles: another problem
LABELS = {  # where they would lie over each other: points from the middle, and the side
    "vgg": ((12, 5), "left"),
    "resnet": ((12, -8), "left"),
    "inception": ((-9, 2), "right"),
    "mobilenet": ((4, -13), "center"),
}
CROSSED = {"mlp", "lenet5", "linear"}  # without normalization; drawn as crosses


@dataclass(frozen=True)
class Size:
    """What a network costs.

    Attributes:
        layers: With a kernel.
        weights: All of them.
        products: Multiplications for one image.
    """

    layers: int
    weights: int
    products: int


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Build each network for 32 x 32 pixels and count; draw ``networks.png``, write a table.

    Args:
        folder: For the image, and for networks_table.md.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    sizes = {name: size_of(built(name)) for name in NETWORKS}
    draw(sizes).savefig(folder / "networks.png", dpi=100)
    (folder / "networks_table.md").write_text(markdown_table(sizes), encoding="utf-8")
    return {
        f"thousand weights of {FIRST}": sizes[FIRST].weights / 1e3,
        **{f"thousand weights of {n}": size.weights / 1e3 for n, size in sizes.items()},
        **{f"million products of {n}": size.products / 1e6 for n, size in sizes.items()},
    }


def built(name: str) -> keras.Model:
    """Return a network as it is for CIFAR's images and classes."""
    count = 2 if name == TWO_CLASSES else 10
    images = np.zeros((count, *SHAPE), np.uint8)
    options = {"val_fraction": 0.0, "test_fraction": 0.0}
    task = ImageClassification((images, np.arange(count)), name, data_options=options)
    task.make_models()
    return task.model


def size_of(model: keras.Model) -> Size:
    """Count layers with a kernel, weights, and the products of a kernel with each place."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    products = 0
    for layer in layers:
        places = prod(layer.output.shape[1:-1])  # 1 for a dense layer
        products += places * prod(layer.kernel.shape)
    return Size(len(layers), model.count_params(), products)


def markdown_table(sizes: Mapping[str, Size]) -> str:
    """Return the table of the page."""
    head = "| network | year | source | layers | weights | million products | accuracy |\n"
    lines = [head, "|---|---|---|--:|--:|--:|--:|\n"]
    for name, network in NETWORKS.items():
        size = sizes[name]
        accuracy = f"{network.accuracy:.4f}" + (" of 2 classes" if name == TWO_CLASSES else "")
        numbers = f"{size.layers} | {size.weights:,} | {size.products / 1e6:.3g} | {accuracy}"
        lines.append(f"| `{name}` | {network.year} | {network.paper} | {numbers} |\n")
    return "".join(lines)


def draw(sizes: Mapping[str, Size]) -> Any:
    """Draw accuracy over products, and the blocks of four networks."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 6.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    _draw_accuracies(above.subplots(), sizes)
    panels = below.subplots(1, 4)
    for axes, (title, boxes, arrows) in zip(panels, BLOCKS, strict=True):
        _draw_block(axes, title, boxes, arrows)
    return figure


def _draw_accuracies(axes: Any, sizes: Mapping[str, Size]) -> None:
    for name, network in NETWORKS.items():
        if name == TWO_CLASSES:
            continue
        size = sizes[name]
        marker = "X" if name in CROSSED else "o"
        x, y = size.products, network.accuracy
        axes.scatter(x, y, s=size.weights / 4000 + 25, marker=marker, alpha=0.6, color="#1f5fa8")
        shift, side = LABELS.get(name, ((0, 13), "center"))
        text = f"{name}, {size.weights:,}"
        place = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": 8}
        axes.annotate(text, (x, y), shift, **place)
    axes.set_xscale("log")
    axes.set(xlabel="products for one image of 32 x 32", ylabel="test accuracy, CIFAR-10")
    axes.set_ylim(0.35, 0.93)
    axes.set_xlim(1.2e4, 3e8)
    axes.set_title("10,000 steps of 20 images; areas and numbers are weights", fontsize=10)
    axes.grid(alpha=0.3)


Box = tuple[str, float, float]  # text, and the middle in units of the panel
Block = tuple[str, Sequence[Box], Sequence[tuple[int, int]]]  # arrows from box to box
BLOCKS: tuple[Block, ...] = (
    (
        "VGG: two of 3 x 3",
        [("input", 0.5, 0.92), ("3 x 3", 0.5, 0.62), ("3 x 3", 0.5, 0.36), ("pool", 0.5, 0.08)],
        [(0, 1), (1, 2), (2, 3)],
    ),
    (
        "Inception: four views",
        [
            ("input", 0.5, 0.92),
            ("1x1", 0.1, 0.36),
            ("1x1", 0.37, 0.64),
            ("3x3", 0.37, 0.36),
            ("1x1", 0.63, 0.64),
            ("5x5", 0.63, 0.36),
            ("pool", 0.9, 0.64),
            ("1x1", 0.9, 0.36),
            ("concat", 0.5, 0.08),
        ],
        [(0, 1), (0, 2), (2, 3), (0, 4), (4, 5), (0, 6), (6, 7), (1, 8), (3, 8), (5, 8), (7, 8)],
    ),
    (
        "ResNet: a way past",
        [("input", 0.5, 0.92), ("3 x 3", 0.3, 0.62), ("3 x 3", 0.3, 0.36), ("add", 0.5, 0.08)],
        [(0, 1), (1, 2), (2, 3), (0, 3)],
    ),
    (
        "MobileNet: by channel",
        [
            ("input", 0.5, 0.92),
            ("1 x 1, wider", 0.36, 0.71),
            ("3 x 3 each", 0.36, 0.5),
            ("1 x 1, narrow", 0.36, 0.29),
            ("add", 0.5, 0.08),
        ],
        [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)],
    ),
)


def _draw_block(axes: Any, title: str, boxes: Sequence[Box], arrows: Any) -> None:
    for start, end in arrows:
        (_, x, y), (_, to_x, to_y) = boxes[start], boxes[end]
        # The way past the layers leaves them at the right.
        bend = "arc3,rad=-0.55" if len(boxes) < 6 and end - start > 1 else "arc3"
        look = {"arrowstyle": "->", "connectionstyle": bend, "shrinkA": 9, "shrinkB": 9}
        axes.annotate("", (to_x, to_y), (x, y), arrowprops=look)
    for text, x, y in boxes:
        look = {"boxstyle": "round,pad=0.25", "facecolor": "#fdf3dc", "edgecolor": "#555555"}
        axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=look)
    axes.set(xlim=(-0.05, 1.05), ylim=(0, 1))
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
