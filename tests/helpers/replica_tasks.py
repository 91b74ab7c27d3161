"""Tasks whose numbers are compared between one device, several replicas and several workers."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberTask

from lightning_tf import DataModule, Task
from lightning_tf.layers import FusedBatchNormalization

BAD = -1000.0


class FewData(BoringData):
    """61 examples: in batches of 8 the last holds 5, in batches of 4 it holds 1."""

    def __init__(self, batch_size=8, **kwargs):
        super().__init__(batch_size, **kwargs)
        self.x, self.y = self.x[:61], self.y[:61]


class Example(NamedTuple):
    x: Any
    y: Any


class NamedData(FewData):
    """Batches that are named tuples."""

    def _batches(self):
        return super()._batches().map(Example)

    def predict_dataset(self):
        return self._batches().map(lambda batch: batch.x)


class Named(BoringTask):
    """A task that takes the parts of a batch by name."""

    def training_step(self, batch):
        return super().training_step((batch.x, batch.y))


class Normalized(BoringTask):
    """A task with batch normalization, synchronized by the layer or else by the Trainer."""

    layer = FusedBatchNormalization

    def __init__(self, data, synchronized=True):
        super().__init__(data)
        self.synchronized = synchronized

    def configure_model(self):
        hidden = keras.layers.Dense(8, activation="tanh")
        normalization = self.layer(synchronized=self.synchronized)
        self.model = keras.Sequential(
            [keras.Input((32,)), hidden, normalization, keras.layers.Dense(2)]
        )

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.1, momentum=0.9)


class KerasNormalized(Normalized):
    layer = keras.layers.BatchNormalization


class TwoOptimizers(BoringTask):
    """Two models, an optimizer for each, and losses that see both."""

    def configure_model(self):
        self.first = keras.Sequential([keras.Input((32,)), keras.layers.Dense(8)])
        self.second = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])

    def configure_optimizers(self):
        return {
            "first": keras.optimizers.AdamW(0.01, weight_decay=0.1),
            "second": keras.optimizers.SGD(0.1, momentum=0.9),
        }

    def training_step(self, batch):
        x, y = batch
        hidden = self.first(x)
        logits = self.second(hidden)
        self.update_metrics(y, logits)
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        )
        return {"first": loss + 0.1 * tf.reduce_mean(hidden**2), "second": loss}

    def validation_step(self, batch):
        return self.training_step(batch)["second"]

    def predict_step(self, batch):
        return self.second(self.first(batch))


class Minimizing(TwoOptimizers):
    """Several updates inside a step."""

    updates = 2

    def training_step(self, batch):
        x, y = batch

        def loss():
            logits = self.second(self.first(x))
            return tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
            )

        for _ in range(self.updates):
            self.minimize("second", loss)
        return {"first": loss()}

    def validation_step(self, batch):
        return None


class MinimizingOnce(Minimizing):
    updates = 1


class Words(DataModule):
    """Sentences of different lengths as ragged, sparse or dense tensors."""

    def __init__(self, kind):
        super().__init__(3)
        self.kind = kind
        random = np.random.default_rng(5)
        self.rows = [random.integers(1, 20, random.integers(1, 6)).tolist() for _ in range(23)]
        self.y = np.array([sum(row) % 2 for row in self.rows], "float32")

    def train_dataset(self, epoch):
        ragged = tf.ragged.constant(self.rows, dtype=tf.int32)
        if self.kind == "sparse":
            words = ragged.to_sparse()
        else:
            words = ragged if self.kind == "ragged" else ragged.to_tensor()
        return tf.data.Dataset.from_tensor_slices((words, self.y)).batch(self.batch_size)

    def val_dataset(self):
        return self.train_dataset(0)

    predict_dataset = val_dataset


class Reader(Task):
    """A recurrent layer on an embedding, whose gradient is sparse."""

    def __init__(self, data):
        self.data = data

    def configure_model(self):
        layers = [keras.layers.Embedding(20, 4), keras.layers.GRU(5), keras.layers.Dense(1)]
        self.model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])

    def configure_optimizers(self):
        return keras.optimizers.Adam(0.01)

    def _outputs(self, batch):
        words, y = batch
        if isinstance(words, tf.RaggedTensor):
            words = words.to_tensor(shape=[None, 5])
        elif isinstance(words, tf.SparseTensor):
            words = tf.sparse.to_dense(words)
        return self.model(words), y

    def training_step(self, batch):
        outputs, y = self._outputs(batch)
        return tf.reduce_mean(keras.losses.binary_crossentropy(y[:, None], outputs, True))

    def validation_step(self, batch):
        return self.training_step(batch)

    def predict_step(self, batch):
        return self._outputs(batch)[0]


class Overflows(NumberTask):
    """A task whose gradient is infinite where a batch holds `BAD`, with a finite loss."""

    def training_step(self, batch):
        factor = tf.where(tf.reduce_any(batch == BAD), np.float32(np.inf), 1.0)

        @tf.custom_gradient
        def break_gradient(weight):
            return tf.identity(weight), lambda upstream: upstream * factor

        weight = break_gradient(tf.convert_to_tensor(self.weight))
        return tf.reduce_mean(tf.abs(batch)) * (1.0 + weight)
