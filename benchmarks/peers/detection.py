"""torchvision's RetinaNet of benchmarks/object_detection.py, in a plain torch loop."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch
from torch import nn
from torchvision.models import mobilenet_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

WIDTH, GROUPS, DEPTH = 96, 8, 2
# Of MobileNetV2's blocks, the last of the strides 8, 16 and 32, and their channels.
MAPS = {"6": 32, "13": 96, "18": 1280}
STRIDES = (8, 16, 32, 64)
OCTAVES, RATIOS = (1.0, 2 ** (1 / 3), 2 ** (2 / 3)), (0.5, 1.0, 2.0)


def separable(channels: int) -> nn.Sequential:
    """Return a 3x3 separable convolution to `channels`."""
    depthwise = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(WIDTH, channels, 1))


def tower() -> nn.Sequential:
    """Return the convolutions before a head's outputs."""
    units = [(separable(WIDTH), nn.GroupNorm(GROUPS, WIDTH), nn.SiLU()) for _ in range(DEPTH)]
    return nn.Sequential(*(layer for unit in units for layer in unit))


def network(side: int, classes: int, scale: float) -> RetinaNet:
    """Return torchvision's model with the feature maps, widths and convolutions of ours."""
    features = mobilenet_v2(weights=None).features
    names = {name: str(k) for k, name in enumerate(MAPS)}
    backbone = BackboneWithFPN(features, names, list(MAPS.values()), WIDTH, LastLevelMaxPool())
    for k in range(len(MAPS)):
        backbone.fpn.layer_blocks[k] = separable(WIDTH)

    per_cell = len(OCTAVES) * len(RATIOS)
    head = RetinaNetHead(WIDTH, per_cell, classes, norm_layer=partial(nn.GroupNorm, GROUPS))
    bias = head.classification_head.cls_logits.bias.detach()
    for part in (head.classification_head, head.regression_head):
        part.conv = tower()
    head.classification_head.cls_logits = separable(per_cell * classes)
    head.classification_head.cls_logits[1].bias = nn.Parameter(bias)
    head.regression_head.bbox_reg = separable(per_cell * 4)
    head.regression_head._loss_type = "giou"

    sizes = tuple(tuple(scale * stride * octave for octave in OCTAVES) for stride in STRIDES)
    anchors = AnchorGenerator(sizes, (RATIOS,) * len(sizes))
    # The images have their size already.
    sized = {"min_size": side, "max_size": side, "_skip_resize": True}
    return RetinaNet(backbone, classes, anchor_generator=anchors, head=head, **sized)


def _data(count: int, side: int, classes: int, most: int) -> tuple[torch.Tensor, Any]:
    random = torch.Generator().manual_seed(0)
    targets = []
    for _ in range(count):
        objects = int(torch.randint(1, most + 1, (1,), generator=random))
        sides = 16 + 64 * torch.rand(objects, 2, generator=random)
        corners = torch.rand(objects, 2, generator=random) * (side - sides)
        labels = torch.randint(0, classes, (objects,), generator=random)
        targets.append({"boxes": torch.cat([corners, corners + sides], 1), "labels": labels})
    images = torch.randint(0, 256, (count, 3, side, side), generator=random, dtype=torch.uint8)
    return images, targets


def loop(
    steps: int, epochs: int, batch: int, side: int, classes: int, most: int, scale: float
) -> list[float]:
    """Train in a plain loop with channels last, torch's fastest layout; no callbacks."""
    images, targets = _data(steps * batch, side, classes, most)
    model = network(side, classes, scale).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    starts = []
    for _ in range(epochs):
        starts.append(time.perf_counter())
        total = torch.zeros(())
        for k in range(0, len(images), batch):
            optimizer.zero_grad()
            x = (images[k : k + batch] / 255.0).to(memory_format=torch.channels_last)
            loss = sum(model(list(x), targets[k : k + batch]).values())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            total += loss.detach()
        total.item()
    return [*starts, time.perf_counter()]
