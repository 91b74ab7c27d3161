"""A classifier under Lightning's Trainer with its defaults, and the clock of its epochs."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.nn.functional import cross_entropy
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, TensorDataset


class EpochClock(lightning.Callback):
    """The times at which each epoch starts and the last one ends."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())


class Classifier(lightning.LightningModule):
    """A network with Adam, cross-entropy and accuracy; both are logged, as Keras logs them."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with Keras' default rate, which is torch's too."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Return the cross-entropy."""
        x, y = batch
        logits = self.network(x)
        loss = cross_entropy(logits, y)
        self.log("loss", loss, on_step=True, on_epoch=True)
        accuracy = (logits.argmax(1) == y).float().mean()
        self.log("accuracy", accuracy, on_step=True, on_epoch=True)
        return loss


def batches(x: torch.Tensor, y: torch.Tensor, size: int) -> DataLoader:
    """Load whole batches at once, which costs less than collating example by example."""
    data = TensorDataset(x, y)
    sampler = BatchSampler(SequentialSampler(data), size, drop_last=False)
    return DataLoader(data, sampler=sampler, batch_size=None)


def fit(network: torch.nn.Module, loader: DataLoader, epochs: int, **arguments: Any) -> list[float]:
    """Fit with Lightning's default callbacks and rows every 50 steps in a CSV file."""
    clock = EpochClock()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            default_root_dir=folder,
            logger=CSVLogger(folder),
            callbacks=[clock],
            **arguments,
        ).fit(Classifier(network), loader)
    return clock.starts
