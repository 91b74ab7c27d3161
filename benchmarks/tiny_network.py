"""TinyNetwork: a task so small that most of a step is overhead."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task
from lightning_tf.data import ArrayData

FEATURES, HIDDEN, CLASSES, BATCH = 32, 64, 10, 32

Batch = tuple[tf.Tensor, tf.Tensor]


def noise(examples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return random features (examples, 32) float32 and labels (examples,) int32."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((examples, FEATURES), np.float32)
    return x, random.integers(0, CLASSES, examples, np.int32)


def network() -> keras.Model:
    """Return an MLP of 32 features, 64 hidden units and 10 classes."""
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(HIDDEN, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )


def cross_entropy() -> keras.losses.Loss:
    """Return the cross-entropy of logits and integer labels."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class TinyNetwork(Task):
    """An MLP on noise, with Adam, cross-entropy and accuracy.

    Args:
        examples: To train on.
        held_out: To validate on, and to predict.
        batch_size: Examples in a batch.
        logged: Scalars that a training step logs besides its loss.
    """

    def __init__(
        self, examples: int, held_out: int = BATCH, batch_size: int = BATCH, logged: int = 0
    ) -> None:
        val = noise(held_out, seed=1)
        self.data = ArrayData(*noise(examples), val=val, predict=val[0], batch_size=batch_size)
        self.cross_entropy = cross_entropy()
        self.logged = logged

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = network()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: Batch) -> tf.Tensor:
        """Return the cross-entropy of features (B, 32) float32 and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        loss = self.cross_entropy(y, logits)
        for number in range(self.logged):
            self.log(f"logged_{number}", loss * number)
        return loss

    def validation_step(self, batch: Batch) -> tf.Tensor:
        """Return the cross-entropy of held-out examples."""
        x, y = batch
        logits = self.model(x, training=False)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)

    def predict_step(self, batch: tf.Tensor) -> tf.Tensor:
        """Return logits (B, 10) float32."""
        return self.model(batch, training=False)
