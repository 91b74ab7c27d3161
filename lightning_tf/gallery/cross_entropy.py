"""cross_entropy: softmax, cross entropy and its gradient p - y, in numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf import Callback, Task, Trainer
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer

LOGITS = np.array([2.0, 1.0, 0.1])
TRUE_CLASS = 1  # not the one that the logits name
UPDATES = 30
SHOWN = np.array([0.01, 0.1, 0.5, 0.9])  # probabilities of the true class
STYLES = (("#1b5e9b", "o", "-"), ("#c2570c", "^", "--"), ("#2f7d32", "s", ":"))


class Logits(Task):
    """Three logits that are weights themselves; their cross entropy goes down by SGD of rate 1."""

    def __init__(self) -> None:
        self.data = tf.data.Dataset.from_tensors([TRUE_CLASS])

    def configure_model(self) -> None:
        """Make the logits."""
        self.logits = keras.Variable(LOGITS, name="logits")

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return SGD that subtracts the gradient as it is."""
        return keras.optimizers.SGD(1.0)

    def training_step(self, labels: Any) -> tf.Tensor:
        """Return the cross entropy of the true class."""
        losses = keras.ops.sparse_categorical_crossentropy(labels, self.logits[None], True)
        return tf.reduce_mean(losses)


class LogitsRecorder(Callback):
    """Keeps the logits at the start and after every epoch, which has one update."""

    logs_metrics = False

    def __init__(self) -> None:
        self.logits: list[NDArray[np.float32]] = []

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Keep the logits at the start."""
        self.logits.append(task.logits.numpy())

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Keep the logits after an update."""
        self.logits.append(task.logits.numpy())


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return probabilities that add up to 1; the largest exponent is 0, so that none overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.floating] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Compute the example by hand, and let the Trainer go down its gradient.

    Args:
        folder: For cross_entropy.png.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    probabilities = softmax(LOGITS)
    gradient = probabilities - np.eye(len(LOGITS))[TRUE_CLASS]

    recorder = LogitsRecorder()
    quiet_trainer(UPDATES, callbacks=[recorder]).fit(Logits())
    first_step = recorder.logits[0] - recorder.logits[1]

    _figure(probabilities, gradient, softmax(np.stack(recorder.logits))).savefig(
        folder / "cross_entropy.png", dpi=100
    )
    return {
        "cross entropy of the example": float(-np.log(probabilities[TRUE_CLASS])),
        "probability of the true class": float(probabilities[TRUE_CLASS]),
        f"probability after {UPDATES} updates": float(softmax(recorder.logits[-1])[TRUE_CLASS]),
        "distance of an update from p - y": float(np.abs(first_step - gradient).max()),
    }


def _figure(probabilities: NDArray[Any], gradient: NDArray[Any], by_update: NDArray[Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6.4), layout="constrained")
    (loss, slope), (bars, updates) = figure.subplots(2, 2)
    _draw_loss(loss)
    _draw_slope(slope)
    _draw_example(bars, probabilities, gradient)

    for number, (color, marker, line) in enumerate(STYLES):
        label = f"class {number}" + " (true)" * (number == TRUE_CLASS)
        style = {"color": color, "marker": marker, "linestyle": line, "markevery": 5}
        updates.plot(by_update[:, number], label=label, **style)
    updates.set(xlabel="updates by the Trainer", ylabel="probability", ylim=(0, 1))
    updates.set_title("going down the gradient, rate 1")
    updates.legend(fontsize=9, loc="center right")
    return figure


def _draw_loss(axes: Any) -> None:
    p = np.linspace(0.005, 1, 300)
    axes.plot(p, -np.log(p), color=STYLES[0][0])
    axes.plot(SHOWN, -np.log(SHOWN), "o", color=STYLES[0][0])
    for value in SHOWN:
        offset = {"textcoords": "offset points", "xytext": (8, 3)}
        axes.annotate(f"{value:g}: {-np.log(value):.2f}", (value, -np.log(value)), **offset)
    axes.set(xlabel="probability of the true class", ylabel="loss", title="the loss: -log p")
    axes.set(xlim=(-0.02, 1.3), ylim=(-0.2, 5.4), xticks=[0, 0.25, 0.5, 0.75, 1])


def _draw_slope(axes: Any) -> None:
    z = np.linspace(-8, 8, 200)
    p = 1 / (1 + np.exp(-z))
    axes.plot(z, p - 1, "-", color=STYLES[0][0], label="cross entropy: p - y")
    axes.plot(z, 2 * (p - 1) * p * (1 - p), "--", color=STYLES[1][0], label="squared error of p")
    axes.set(xlabel="logit of a true example (y = 1)", ylabel="gradient by the logit")
    axes.set_title("a wrong answer is pushed hard")
    axes.legend(fontsize=9, loc="lower right")


def _draw_example(axes: Any, probabilities: NDArray[Any], gradient: NDArray[Any]) -> None:
    names = [f"class {number}\nlogit {logit:g}" for number, logit in enumerate(LOGITS)]
    shown = {"y": gradient * 0 + np.eye(len(LOGITS))[TRUE_CLASS], "p": probabilities}
    shown["p - y"] = gradient
    for offset, (name, values), hatch in zip(
        (-0.27, 0, 0.27), shown.items(), ("", "//", "xx"), strict=True
    ):
        look = {"hatch": hatch, "edgecolor": "black", "color": "0.9" if not hatch else "white"}
        drawn = axes.bar(np.arange(3) + offset, values, 0.27, label=name, **look)
        axes.bar_label(drawn, fmt="%.2f", fontsize=7, padding=2)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(3), names)
    axes.set(ylim=(-1.1, 1.3), title="the example: true is class 1")
    axes.legend(fontsize=9, loc="lower right")
