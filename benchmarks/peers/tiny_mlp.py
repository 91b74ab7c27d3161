"""The tiny MLP of benchmarks/tiny_mlp.py under Lightning."""

from __future__ import annotations

import lightning_run
import torch

FEATURES, HIDDEN, CLASSES, BATCH = 32, 64, 10, 32


def fit(steps: int, epochs: int, bar: bool) -> list[float]:
    """Fit with Lightning's defaults, with or without its progress bar."""
    x = torch.randn(steps * BATCH, FEATURES)
    y = torch.randint(0, CLASSES, (steps * BATCH,))
    network = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES)
    )
    loader = lightning_run.batches(x, y, BATCH)
    return lightning_run.fit(network, loader, epochs, enable_progress_bar=bar)
