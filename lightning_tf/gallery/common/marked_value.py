"""marked_value: a GRU that must remember the value of the last mark, so that its gates switch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.layers import gate_activations
from lightning_tf.tasks import KerasTask

ROWS, UNITS, EPOCHS = 30, 4, 15
EXAMPLES, TESTED = 2000, 200
MARKS = 0.1  # of the rows


def switching_gates(path: Path) -> Mapping[str, float]:
    """Train it, draw its gates over one example, and return them at marks and elsewhere.

    Args:
        path: Of the image.
    """
    x, y = marked_values(EXAMPLES, seed=0)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((ROWS, 2)), keras.layers.GRU(UNITS), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    task = KerasTask(model, "mse", keras.optimizers.Adam(0.02), data=(x, y))
    quiet_trainer(EPOCHS).fit(task)

    x, y = marked_values(TESTED, seed=1)
    update = gate_activations(model.layers[0], x)["update"]  # (examples, rows, units)
    marked = x[:, :, 1] == 1
    at_marks, elsewhere = update[marked].mean(axis=0), update[~marked].mean(axis=0)
    unit = int(np.argmax(elsewhere - at_marks))
    answers = np.asarray(model(x))
    shown = int(np.argmax(marked[:, 10:].sum(axis=1) == 3))  # an example with enough of them
    _figure(x[shown], update[shown, :, unit], answers[shown, 0]).savefig(path, dpi=100)
    return {
        "toy: update gate at a mark": float(at_marks[unit]),
        "toy: update gate elsewhere": float(elsewhere[unit]),
        "toy: root mean squared error": float(np.sqrt(np.mean((answers - y) ** 2))),
    }


def marked_values(examples: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rows of (value, mark), shape (examples, 30, 2), and the values last marked.

    Example:
        >>> x, y = marked_values(5, seed=0)
        >>> x.shape, y.shape
        ((5, 30, 2), (5, 1))
    """
    random = np.random.default_rng(seed)
    values = random.uniform(-1, 1, (examples, ROWS))
    marks = random.random((examples, ROWS)) < MARKS
    marks[:, 0] = True  # so that there is one
    last = ROWS - 1 - marks[:, ::-1].argmax(axis=1)
    x = np.stack([values, marks], axis=-1).astype(np.float32)
    return x, x[np.arange(examples), last, :1]


def _figure(x: NDArray[np.float32], update: NDArray[np.floating], answer: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    rows = np.arange(1, ROWS + 1)
    marked = x[:, 1] == 1
    top.plot(rows, x[:, 0], ".-", color="silver", label="value")
    top.plot(rows[marked], x[marked, 0], "o", color="black", label="marked value")
    top.plot(ROWS + 1, answer, "x", color="tab:red", markersize=9, label="the network's answer")
    top.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    bottom.step(rows, update, where="mid", color="tab:blue")
    for axes in (top, bottom):
        for row in rows[marked]:
            axes.axvline(row, color="black", linewidth=0.6, linestyle=":")
    bottom.set_ylim(0, 1)
    bottom.set_xlabel("row")
    bottom.set_ylabel("update gate of a unit")
    top.set_ylabel("input")
    return figure
