"""Train a small net on photos of 64 pixels, for lightning_fit.py to load."""

import sys
from pathlib import Path

import lightning
from lightning_network import Classifier, to_image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

data = Path(sys.argv[1])
lightning.seed_everything(0)
photos = DataLoader(ImageFolder(data / "photos/train", to_image), batch_size=32, shuffle=True)
trainer = lightning.Trainer(
    max_epochs=int(sys.argv[2]), accelerator="cpu", logger=False, enable_checkpointing=False
)
trainer.fit(Classifier(), photos)
trainer.save_checkpoint(data / "lightning.ckpt")
