"""Plain torch loops beside benchmarks/gpu.py, on CUDA where there is one."""

from __future__ import annotations

import time

import conv_net
import torch
from torch.nn.functional import cross_entropy

CLASSES, FEATURES, HIDDEN = 10, 32, 64


def make_network(name: str) -> torch.nn.Module:
    """Return ``mlp``, ``conv`` or ``resnet50``."""
    if name == "mlp":
        first, last = torch.nn.Linear(FEATURES, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
        return torch.nn.Sequential(first, torch.nn.ReLU(), last)
    if name == "conv":
        return conv_net.network()
    import torchvision

    return torchvision.models.resnet50(num_classes=CLASSES)


def loop(
    network: str,
    steps: int,
    epochs: int,
    batch: int,
    side: int = 32,
    bf16: bool = False,
) -> list[float]:
    """Train with Adam, each batch copied from pinned memory while the one before is computed."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = (batch, FEATURES) if network == "mlp" else (batch, 3, side, side)
    x, y = torch.rand(shape), torch.randint(0, CLASSES, (batch,))
    model = make_network(network).to(device)
    if network != "mlp":
        x, model = (each.to(memory_format=torch.channels_last) for each in (x, model))
    if device == "cuda":
        x, y = x.pin_memory(), y.pin_memory()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    starts = []
    for _ in range(epochs):
        starts.append(time.perf_counter())
        total = torch.zeros((), device=device)
        for _ in range(steps):
            optimizer.zero_grad()
            inputs, labels = (each.to(device, non_blocking=True) for each in (x, y))
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                logits = model(inputs)
            loss = cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()  # waits for the device
    return [*starts, time.perf_counter()]
