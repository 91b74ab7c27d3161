"""A small run, for tests of stores."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer
from lightning_tf.callbacks import ModelCheckpoint

QUIET = {
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
    "log_every_n_steps": 4,
    "seed": 0,
}


class Line(Task):
    """Four weights to a number; 8 batches an epoch."""

    def __init__(self):
        numbers = np.random.default_rng(0)
        x = numbers.normal(size=(256, 4)).astype("float32")
        self.data = (x, x[:, :1])

    def configure_model(self):
        self.model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])

    def configure_optimizers(self):
        return keras.optimizers.Adam(0.01)

    def training_step(self, batch):
        x, y = batch
        return tf.reduce_mean((self.model(x) - y) ** 2)

    def predict_step(self, batch):
        return self.model(batch)


def every(steps=4, **arguments):
    """Checkpoints at every few updates: the two newest, and the last."""
    wanted = {"monitor": "step", "mode": "max", "save_top_k": 2, "save_last": True, **arguments}
    return ModelCheckpoint(every_n_train_steps=steps, **wanted)


def fitted(root, steps, *callbacks, ckpt_path=None, checkpoints=None, **arguments):
    """A Trainer and a task after a fit."""
    trainer = Trainer(
        max_steps=steps,
        default_root_dir=root,
        callbacks=[checkpoints or every(), *callbacks],
        **{**QUIET, **arguments},
    )
    task = Line()
    trainer.fit(task, ckpt_path=ckpt_path)
    return trainer, task


def weights(task):
    return [weight.tobytes() for weight in task.model.get_weights()]
