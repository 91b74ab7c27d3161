"""Data that come in streams, and a task that remembers the batches it was trained on."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import quiet

from lightning_tf import Callback, DataModule, Task, Trainer

RECORDS = 96


class Records:
    """A source of random access, as Grain wants it."""

    def __len__(self):
        return RECORDS

    def __repr__(self):  # by which a DataLoader of Grain knows it again
        return "Records()"

    def __getitem__(self, place):
        return {"x": np.float32([place, 1.0]), "y": np.float32(place % 7)}


def by_index(epoch, seed=0):
    """Return a grain.MapDataset of batches, of an order of its own in every epoch."""
    import grain

    return grain.MapDataset.source(Records()).seed(100 * seed + epoch).shuffle().batch(8)


def as_stream(epoch, seed=0):
    """Return a grain.IterDataset with a shuffled window, of which some records are left out."""
    import grain

    records = grain.MapDataset.source(Records()).seed(100 * seed + epoch).shuffle()
    kept = records.to_iter_dataset().filter(lambda record: record["x"][0] % 5 != 0)
    return grain.experimental.WindowShuffleIterDataset(kept, window_size=20, seed=epoch).batch(8)


def shuffled_files(epoch, seed=0):
    """Return a tf.data pipeline of no known length, with a shuffle buffer."""
    numbers = tf.data.Dataset.range(RECORDS).filter(lambda place: place % 5 != 0)
    numbers = numbers.shuffle(30, seed=100 * seed + epoch, reshuffle_each_iteration=False)
    cast = lambda place: tf.cast(place, tf.float32)  # noqa: E731
    records = numbers.map(lambda n: {"x": tf.stack([cast(n), 1.0]), "y": cast(n % 7)})
    return records.batch(8).prefetch(4)


class Streams(DataModule):
    """What `make(epoch, seed)` returns."""

    def __init__(self, make, resume_by="skip"):
        super().__init__(batch_size=8)
        self.make, self.resume_by = make, resume_by

    def train_dataset(self, epoch):
        return self.make(epoch, self.order_seed)


class Fitted(Task):
    """A line, by a momentum that remembers the order of the batches."""

    def __init__(self, data):
        self.data = data

    def configure_model(self):
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def configure_optimizers(self):
        return keras.optimizers.SGD(1e-4, momentum=0.9)

    def training_step(self, batch):
        return tf.reduce_mean((self.model(batch["x"])[:, 0] - batch["y"]) ** 2)

    def validation_step(self, batch):
        return self.training_step(batch)


def fitted(data, ckpt_path=None, **arguments):
    """Fit and return the Trainer and the weights."""
    task = Fitted(data)
    options = {"max_epochs": 3, "seed": 0, "accelerator": "cpu", "limit_val_batches": 0}
    trainer = Trainer(**quiet(**{**options, **arguments}))
    trainer.fit(task, ckpt_path=ckpt_path)
    return trainer, np.concatenate([w.numpy().reshape(-1) for w in task.model.weights])


def stopped_and_resumed(make_data, folder, max_steps=17, **arguments):
    """Return the weights of a run of three epochs, and of one that stopped on its way."""
    _, whole = fitted(make_data(), **arguments)
    trainer, _ = fitted(make_data(), max_steps=max_steps, **arguments)
    path = f"{folder}/checkpoint"
    trainer.save_checkpoint(path)
    _, resumed = fitted(make_data(), ckpt_path=path, **arguments)
    return whole, resumed


class Saves(Callback):
    """Writes a checkpoint after an update, in the midst of a fit."""

    logs_metrics = False

    def __init__(self, path, step):
        self.path, self.every_n_steps = path, step
        self.is_saved = False

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer) and not self.is_saved:
            trainer.save_checkpoint(self.path)
            self.is_saved = True


def saved_and_resumed(make_data, folder, step=17, **arguments):
    """Return the weights of a run of three epochs, and of one from a checkpoint on its way."""
    path = f"{folder}/checkpoint"
    _, whole = fitted(make_data(), callbacks=[Saves(path, step)], **arguments)
    _, resumed = fitted(make_data(), ckpt_path=path, **arguments)
    return whole, resumed
