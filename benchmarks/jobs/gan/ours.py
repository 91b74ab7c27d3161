"""Handwritten digits out of random numbers; a sheet of samples after every epoch."""

# ruff: noqa: I001 (lightning_tf first: it imports TensorFlow without what Keras may never use)
import sys

from lightning_tf import Trainer, seed_everything
from lightning_tf.tasks import GAN

import numpy as np
from networks import discriminator, generator

seed_everything(0)  # the network is made before the Trainer
task = GAN(
    "mnist5k",
    networks=(generator(), discriminator()),
    batch_size=64,
    ema=0.0,
    learning_rate=5e-4,
    num_samples=16,
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
trainer.fit(task)
np.save("samples.npy", task.sample(1000))
