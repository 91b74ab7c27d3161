"""100 steps of a small convolutional net on the digits, and its test."""

import sys
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

digits = np.load(Path(sys.argv[1], "digits.npz"))


def loader(split, shuffle=False):
    x = torch.tensor(digits[f"x_{split}"]).permute(0, 3, 1, 2) / 8 - 1
    y = torch.tensor(digits[f"y_{split}"])
    return DataLoader(TensorDataset(x, y), batch_size=32, shuffle=shuffle)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 4 * 64, 10),
        )

    def training_step(self, batch, batch_idx):
        return self.step(batch, "train")

    def validation_step(self, batch, batch_idx):
        return self.step(batch, "val")

    def test_step(self, batch, batch_idx):
        return self.step(batch, "test")

    def step(self, batch, stage):
        x, y = batch
        logits = self.network(x)
        loss = cross_entropy(logits, y)
        accuracy = (logits.argmax(1) == y).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_accuracy": accuracy}, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


lightning.seed_everything(0)
trainer = lightning.Trainer(max_epochs=int(sys.argv[2]), accelerator="cpu", logger=CSVLogger("."))
module = Classifier()
trainer.fit(module, loader("train", shuffle=True), loader("val"))
(results,) = trainer.test(module, loader("test"))
print("accuracy", results["test_accuracy"])
