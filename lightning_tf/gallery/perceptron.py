"""perceptron: Rosenblatt's rule and logistic regression on and, or, xor; a layer cures xor.

Rosenblatt, F. (1958). The perceptron: A probabilistic model for information storage and
organization in the brain. Psychological Review 65(6), https://doi.org/10.1037/h0042519
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task
from lightning_tf.gallery.common.decision_regions import DecisionRegions
from lightning_tf.gallery.common.film import write_film
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = {
    "and": np.array([0, 0, 0, 1]),
    "or": np.array([0, 1, 1, 1]),
    "xor": np.array([0, 1, 1, 0]),
}
EPOCHS = 40
DRAWN = (0, 1, 2, 4, 8, 16, 40)  # those in the image; the film has all
ROWS = {  # the name of a row: the problem, the rule, the hidden units
    "and, Rosenblatt": ("and", "rosenblatt", 0),
    "and, logistic": ("and", "logistic", 0),
    "or, Rosenblatt": ("or", "rosenblatt", 0),
    "or, logistic": ("or", "logistic", 0),
    "xor, Rosenblatt": ("xor", "rosenblatt", 0),
    "xor, logistic": ("xor", "logistic", 0),
    "xor, a layer of 4": ("xor", "logistic", 4),
}


class Neuron(Task):
    """One neuron, or one behind a hidden layer, on a truth table, an example at a time.

    Args:
        problem: ``and``, ``or`` or ``xor``.
        rule: ``rosenblatt`` or ``logistic``.
        hidden: Units of the layer before it; 0 is none.
    """

    def __init__(self, problem: str, rule: str = "rosenblatt", hidden: int = 0) -> None:
        self.rule, self.hidden = rule, hidden
        pairs = (CORNERS, TRUTH[problem].astype(np.float32))
        self.data = tf.data.Dataset.from_tensor_slices(pairs).batch(1)

    def configure_model(self) -> None:
        """Make the neuron, at zero, behind its layer if it has one."""
        layers = [keras.layers.Dense(self.hidden, "tanh")] if self.hidden else []
        neuron = keras.layers.Dense(1, kernel_initializer="glorot_uniform" if layers else "zeros")
        self.model = keras.Sequential([keras.Input((2,)), *layers, neuron])

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return plain gradient descent; through a layer it needs smaller steps and momentum."""
        return keras.optimizers.SGD(0.1, momentum=0.9) if self.hidden else keras.optimizers.SGD(1.0)

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return a loss whose gradient is the rule's update."""
        x, y = batch
        z = self.model(x)[:, 0]  # (batch,)
        if self.rule == "rosenblatt":
            # By z the loss has the gradient fired - y: so w changes by rate * (y - fired) * x.
            fired = tf.cast(z > 0, tf.float32)
            return tf.reduce_mean((fired - y) * z)
        # By z the gradient is sigmoid(z) - y: the same rule with a probability for the step.
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, z))

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return probabilities of true, shape (batch,); Rosenblatt's neuron fires or does not."""
        z = self.model(batch)[:, 0]
        return tf.cast(z > 0, tf.float32) if self.rule == "rosenblatt" else tf.sigmoid(z)


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train each row of the image; draw them, and a film.

    Args:
        folder: For perceptron.png and perceptron.gif.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    accuracies, regions = {}, {}
    for name, (problem, rule, hidden) in ROWS.items():
        task = Neuron(problem, rule, hidden)
        regions[name] = DecisionRegions(-0.5, 1.5, Neuron.predict_step, range(EPOCHS + 1))
        quiet_trainer(EPOCHS, callbacks=[regions[name]]).fit(task)
        is_right = (task.predict_step(CORNERS).numpy() > 0.5) == TRUTH[problem]
        accuracies[name] = float(is_right.mean())

    _figure(regions).savefig(folder / "perceptron.png", dpi=100)
    write_film(folder / "perceptron.gif", _frames(regions))
    cured = accuracies.pop("xor, a layer of 4")
    others = {f"accuracy of {name}": value for name, value in accuracies.items()}
    return {"accuracy of xor with a layer": cured, **others}


def _figure(regions: Mapping[str, DecisionRegions]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8.4), layout="constrained")
    panels = figure.subplots(len(ROWS), len(DRAWN))
    for row, (name, region) in zip(panels, regions.items(), strict=True):
        row[0].set_ylabel(name.replace(", ", "\n"), fontsize=9)
        for axes, epochs in zip(row, DRAWN, strict=True):
            region.draw(axes, epochs, CORNERS, TRUTH[ROWS[name][0]], 36)
    for axes, epochs in zip(panels[0], DRAWN, strict=True):
        axes.set_title("untrained" if epochs == 0 else f"epoch {epochs}", fontsize=9)
    figure.suptitle("Where the neuron says true (dark); circles are true, crosses false", size=11)
    return figure


def _frames(regions: Mapping[str, DecisionRegions]) -> Iterator[Any]:
    from matplotlib.figure import Figure

    shown = ["and, Rosenblatt", "xor, Rosenblatt", "xor, logistic", "xor, a layer of 4"]
    for epochs in range(EPOCHS + 1):
        figure = Figure(figsize=(8, 2.5))
        # Room that is known costs nothing; to measure it takes longer than all else of a frame.
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.8, wspace=0.04)
        for axes, name in zip(figure.subplots(1, len(shown)), shown, strict=True):
            regions[name].draw(axes, epochs, CORNERS, TRUTH[ROWS[name][0]], 70)
            axes.set_title(name, fontsize=10)
        figure.suptitle(f"epoch {epochs}", fontsize=11)
        yield figure
