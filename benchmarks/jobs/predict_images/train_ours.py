"""Train a small net on photos of 64 pixels, for ours.py to load; resized as Keras' folders are."""

import sys
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification

data = Path(sys.argv[1])
task = ImageClassification(
    data / "photos",
    "convnet",
    image_size=64,
    resize="bilinear",
    batch_norm=False,
    schedule="constant",
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0, logger=False, enable_checkpointing=False)
trainer.fit(task)
trainer.save_checkpoint(data / "ours.ckpt")
