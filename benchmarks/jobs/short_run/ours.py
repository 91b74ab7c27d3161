"""100 steps of a small convolutional net on the digits, and its test."""

# ruff: noqa: I001 (lightning_tf first: it imports TensorFlow without what Keras may never use)
import sys
from pathlib import Path

from lightning_tf import Task, Trainer
from lightning_tf.data import ImageArrays

import keras
import numpy as np
from network import digits_net

digits = np.load(Path(sys.argv[1], "digits.npz"))


class Classifier(Task):
    def __init__(self):
        splits = [
            (digits[f"x_{split}"], digits[f"y_{split}"]) for split in ("train", "val", "test")
        ]
        self.data = ImageArrays(*splits, batch_size=32)
        self.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def configure_model(self):
        self.model = digits_net()

    def configure_optimizers(self):
        return keras.optimizers.Adam()

    def configure_metrics(self):
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch):
        return self.step(batch, training=True)

    def validation_step(self, batch):
        return self.step(batch, training=False)

    def step(self, batch, training):
        images, labels = batch
        logits = self.model(images, training=training)
        self.update_metrics(labels, logits)
        return self.cross_entropy(labels, logits)


trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
task = Classifier()
trainer.fit(task)
print("accuracy", trainer.test(task)["test_accuracy"])
