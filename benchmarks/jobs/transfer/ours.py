"""Cats and dogs: a new head on MobileNetV2, then its upper layers too, at a tenth of the rate."""

import sys
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.callbacks import BackboneFinetuning
from lightning_tf.tasks import TransferLearning

data, epochs = Path(sys.argv[1]), int(sys.argv[2])
task = TransferLearning(
    data / "photos",
    "MobileNetV2",
    weights=data / "mobilenet_v2.h5",
    train="all",
    image_size=160,
    augmentation="flip",
    schedule="constant",
)
finetuning = BackboneFinetuning("backbone", unfreeze_at_epoch=epochs, layers=30)
trainer = Trainer(max_epochs=2 * epochs, callbacks=[finetuning], seed=0)
trainer.fit(task)
print("accuracy", trainer.test(task)["test_accuracy"])
