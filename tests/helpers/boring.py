"""The smallest tasks and data that train, and callbacks and loggers that record in memory."""

from __future__ import annotations

import re

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Callback, DataModule, Logger, Task, Trainer

EXAMPLES, FEATURES, CLASSES = 64, 32, 2


class BoringData(DataModule):
    """64 examples of 32 features; the label is the sign of the first one."""

    def __init__(self, batch_size=16, known_length=True):
        self.batch_size, self.known_length = batch_size, known_length
        self.x = np.random.default_rng(7).normal(size=(EXAMPLES, FEATURES)).astype("float32")
        self.y = (self.x[:, 0] > 0).astype("int32")

    def _batches(self):
        dataset = tf.data.Dataset.from_tensor_slices((self.x, self.y)).batch(self.batch_size)
        return dataset if self.known_length else dataset.filter(lambda x, y: True)

    def train_dataset(self, epoch):
        return self._batches()

    def val_dataset(self):
        return self._batches()

    def test_dataset(self):
        return self._batches()

    def predict_dataset(self):
        return self._batches().map(lambda x, y: x)


class BoringTask(Task):
    """One Dense layer."""

    def __init__(self, data=None):
        self.data = data or BoringData()

    def configure_model(self):
        self.model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES)])

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.1)

    def configure_metrics(self):
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch):
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return tf.reduce_mean(losses)

    def validation_step(self, batch):
        return self.training_step(batch)

    def predict_step(self, batch):
        return self.model(batch, training=False)


class Recorder(Callback):
    """Records the name of every hook that is called; those of batches only with `batches`."""

    logs_metrics = False

    def __init__(self, batches=False):
        self.names = []
        for name in vars(Callback):
            is_hook = name.startswith("on_") or name in ("setup", "teardown")
            if is_hook and (batches or "_batch_" not in name):
                setattr(self, name, self._record(name))

    def _record(self, name):
        return lambda *args: self.names.append(name)


def named(value):
    """Return a test id for a parameter, without addresses: the same in every process."""
    return re.sub(r" object at 0x\w+", "", str(value))


def quiet(**arguments):
    """Return Trainer arguments that switch off all that writes or prints."""
    off = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "logger": False,
    }
    return {**off, **arguments}


class NumberData(DataModule):
    """Batches of plain numbers, for which the updates of one weight can be worked out by hand.

    ``length`` is known, unknown or endless; with ``shuffled`` the order of epoch e is (seed, e)'s.
    """

    def __init__(self, numbers, batch_size=1, length="known", shuffled=False, held_out=None):
        super().__init__(batch_size)
        self.numbers = np.asarray(numbers, "float32")
        self.length, self.shuffled = length, shuffled
        self.held_out = None if held_out is None else np.asarray(held_out, "float32")

    def train_dataset(self, epoch):
        numbers = self.numbers
        if self.shuffled:
            numbers = np.random.RandomState([self.order_seed, epoch]).permutation(numbers)
        dataset = tf.data.Dataset.from_tensor_slices(numbers).batch(self.batch_size)
        if self.length == "unknown":
            return dataset.filter(lambda x: True)
        return dataset.repeat() if self.length == "endless" else dataset

    def val_dataset(self):
        if self.held_out is None:
            return None
        return tf.data.Dataset.from_tensor_slices(self.held_out).batch(self.batch_size)

    def test_dataset(self):
        return self.val_dataset()

    def predict_dataset(self):
        return self.val_dataset()


class NumberTask(Task):
    """One weight w, initially 0; the loss ``mean(x) * (1 + w)`` has the gradient ``mean(x)``."""

    brings_weights = True  # not what they would learn

    def __init__(self, data, optimizer=None):
        self.data = data
        self.optimizer = optimizer
        self.traced = {"training": 0, "validation": 0}

    def configure_model(self):
        self.weight = keras.Variable(0.0, name="weight")

    def configure_optimizers(self):
        return self.optimizer or keras.optimizers.SGD(1.0)

    def training_step(self, batch):
        self.traced["training"] += 1
        return tf.reduce_mean(batch) * (1.0 + self.weight)

    def validation_step(self, batch):
        self.traced["validation"] += 1
        return tf.reduce_mean(batch)

    def predict_step(self, batch):
        return batch * 2.0


class Rows(Logger):
    """Keeps everything that is logged in memory."""

    def __init__(self):
        self.rows, self.hparams, self.ends, self.sent = [], [], [], []

    def log_metrics(self, metrics, step):
        self.rows.append((step, metrics))

    def log_hparams(self, hparams):
        self.hparams.append(hparams)

    def log_images(self, name, images, step, captions=None, masks=None, boxes=None):
        self.sent.append(("images", name, step, captions))

    def log_table(self, name, columns, rows, step):
        self.sent.append(("table", name, step, rows))

    def log_text(self, name, text, step):
        self.sent.append(("text", name, step, text))

    def log_figure(self, name, figure, step):
        self.sent.append(("figure", name, step, figure))

    def log_file(self, name, path, step):
        self.sent.append(("file", name, step, path))

    def finalize(self, status):
        self.ends.append(status)

    def column(self, name):
        """Return pairs of step and value of one name."""
        return [(step, row[name]) for step, row in self.rows if name in row]


def fitted(task, **arguments):
    """Fit a task quietly and return the Trainer."""
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(task)
    return trainer
