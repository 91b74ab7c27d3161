"""The conv net of benchmarks/conv_net.py: a plain torch loop, and Lightning."""

from __future__ import annotations

import time

import lightning_run
import torch
from torch.nn.functional import cross_entropy

CHANNELS, CLASSES = (32, 32, 64, 64, 128, 128), 10


def network() -> torch.nn.Module:
    """Return six convolutions, each with normalization and relu, pooling after every second."""
    layers: list[torch.nn.Module] = []
    before = 3
    for index, channels in enumerate(CHANNELS):
        layers.append(torch.nn.Conv2d(before, channels, 3, padding=1, bias=False))
        layers += [torch.nn.BatchNorm2d(channels), torch.nn.ReLU()]
        if index % 2:
            layers.append(torch.nn.MaxPool2d(2))
        before = channels
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, CLASSES)]
    return torch.nn.Sequential(*layers, *head)


def _data(steps: int, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    count = steps * batch
    return torch.rand(count, 3, 32, 32), torch.randint(0, CLASSES, (count,))


def fit(steps: int, epochs: int, batch: int, bf16: bool) -> list[float]:
    """Fit with Lightning's defaults, images in torch's default layout."""
    loader = lightning_run.batches(*_data(steps, batch), batch)
    precision = "bf16-mixed" if bf16 else "32-true"
    return lightning_run.fit(network(), loader, epochs, precision=precision)


def loop(steps: int, epochs: int, batch: int, bf16: bool, compiled: bool = False) -> list[float]:
    """Train in a plain loop with channels last, torch's fastest layout; no callbacks."""
    x, y = _data(steps, batch)
    x = x.to(memory_format=torch.channels_last)
    model = network().to(memory_format=torch.channels_last)
    forward = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    starts = []
    for _ in range(epochs):
        starts.append(time.perf_counter())
        total = torch.zeros(2)
        for images, labels in zip(x.split(batch), y.split(batch), strict=True):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = forward(images)
            loss = cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()
            right = (logits.argmax(1) == labels).float().mean()
            total += torch.stack([loss.detach(), right])
        total.tolist()
    return [*starts, time.perf_counter()]
