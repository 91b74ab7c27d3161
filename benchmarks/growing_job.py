"""One process of `job_growth.py`: a short training whose size is an argument.

python benchmarks/growing_job.py layers|epochs|series|columns|logged SIZE ours|keras_fit
"""

# ruff: noqa: I001 (lightning_tf first: it imports TensorFlow without what Keras may never use)
import sys

from lightning_tf import Task, Trainer
from lightning_tf.tasks import KerasTask, Regression, TimeSeriesForecast

import keras
import numpy as np
import pandas as pd
from tiny_network import TinyNetwork, noise

UPDATES = 20


def fit(task: Task, **options: object) -> None:
    Trainer(**{"max_epochs": 1, "seed": 0, **options}).fit(task)


def layers(count: int, contender: str) -> None:
    x, y = noise(32 * UPDATES)
    hidden = [keras.layers.Dense(16, activation="relu") for _ in range(count)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    if contender == "ours":
        fit(KerasTask(model, data=(x, y), batch_size=32))
    else:
        callbacks = [keras.callbacks.ModelCheckpoint("model.keras")]
        model.fit(x, y, batch_size=32, validation_split=0.1, callbacks=callbacks)


def epochs(count: int, contender: str) -> None:
    fit(TinyNetwork(4 * 32), max_epochs=count)


def series(count: int, contender: str) -> None:
    values = np.random.default_rng(0).normal(size=(200, count)).cumsum(axis=0)
    table = pd.DataFrame(values, columns=[f"series_{number}" for number in range(count)])
    table.insert(0, "day", pd.date_range("2020-01-01", periods=200))
    table.to_csv("series.csv", index=False)
    fit(
        TimeSeriesForecast(
            "series.csv", "mlp", history=20, data_options={"target": [*table.columns[1:]]}
        )
    )


def columns(count: int, contender: str) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.choice(list("abcdefgh"), (2_000, count)))
    table.columns = [f"column_{number}" for number in range(count)]
    table["target"] = random.normal(size=2_000)
    table.to_csv("table.csv", index=False)
    fit(Regression("table.csv", target="target"))


def logged(count: int, contender: str) -> None:
    fit(TinyNetwork(32 * UPDATES, logged=count - 1), max_epochs=3)


if __name__ == "__main__":
    name, size, contender = sys.argv[1:]
    jobs = {job.__name__: job for job in (layers, epochs, series, columns, logged)}
    jobs[name](int(size), contender)
