"""What 5,000 images of CIFAR-10 show, mirrored and shifted at random."""

# ruff: noqa: I001 (lightning_tf first: it imports TensorFlow without what Keras may never use)
import sys
from pathlib import Path

from lightning_tf import Trainer, seed_everything
from lightning_tf.tasks import ImageClassification

import numpy as np
from network import convolutional_net

seed_everything(0)  # the network is made before the Trainer
cifar = np.load(Path(sys.argv[1], "cifar.npz"))
splits = [(cifar[f"x_{split}"], cifar[f"y_{split}"]) for split in ("train", "val", "test")]
task = ImageClassification(
    tuple(splits),
    convolutional_net(),
    batch_size=64,
    schedule="constant",
    augmentation=["flip", "crop"],
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
trainer.fit(task)
print("accuracy", trainer.test(task)["test_accuracy"])
