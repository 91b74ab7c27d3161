"""The LSTM of benchmarks/recurrent.py in a plain torch loop."""

from __future__ import annotations

import time

import torch
from torch.nn.functional import mse_loss


class Forecaster(torch.nn.Module):
    """Layers of LSTM and a forecast from the last state."""

    def __init__(self, units: int, depth: int) -> None:
        super().__init__()
        self.recurrent = torch.nn.LSTM(1, units, depth, batch_first=True)
        self.outputs = torch.nn.Linear(units, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map (batch, rows, 1) to (batch, 1)."""
        return self.outputs(self.recurrent(windows)[0][:, -1])


def loop(steps: int, epochs: int, batch: int, rows: int, units: int, depth: int) -> list[float]:
    """Train with Adam and mean squared error; no callbacks."""
    x, y = torch.randn(steps * batch, rows, 1), torch.randn(steps * batch, 1)
    model = Forecaster(units, depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    starts = []
    for _ in range(epochs):
        starts.append(time.perf_counter())
        total = torch.zeros([])
        for windows, following in zip(x.split(batch), y.split(batch), strict=True):
            optimizer.zero_grad()
            loss = mse_loss(model(windows), following)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        float(total)
    return [*starts, time.perf_counter()]
