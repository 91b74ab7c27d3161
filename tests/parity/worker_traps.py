"""The same fit by Keras and by the Trainer; `on_workers` runs it in every worker."""

from __future__ import annotations

import keras
import tensorflow as tf
from helpers.boring import quiet
from parity.traps import batches, data, net, problem, weights

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask


def by_keras(folder):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = net()
        model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(batches(*problem(), 4), verbose=0)
    return weights(model)


def by_trainer(folder):
    trainer = Trainer(**quiet(max_epochs=1, accelerator="cpu", devices=1))
    model = net()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    trainer.fit(KerasTask(model, data=data(*problem(), 4)))
    return weights(model)
