"""Small images and cheap style transfers, for tests."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lightning_tf.tasks import StyleTransfer

WIDTH, HEIGHT = 32, 24
CHEAP = {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1", "block2_conv1"]}


def pixels(seed, height=HEIGHT, width=WIDTH, channels=3):
    """Soft blobs: noise of few pixels, enlarged."""
    random = np.random.default_rng(seed)
    few = Image.fromarray(random.integers(0, 256, (4, 5, channels)).astype("uint8"))
    return np.asarray(few.resize((width, height), Image.Resampling.BICUBIC))


def optimized(vgg, **options):
    """An image whose pixels train; `vgg` is a file of weights, None for random ones."""
    given = {"image_size": WIDTH, "steps_per_epoch": 5, "progress_every": 0, **CHEAP, **options}
    return StyleTransfer(pixels(0), pixels(1), weights=vgg, **given)


def fast(vgg, count=9, **options):
    """A network that learns a style from `count` photos."""
    photos = np.stack([pixels(seed) for seed in range(2, 2 + count)])
    given = {"batch_size": 3, "filters": 4, "residual_blocks": 0, "image_size": WIDTH}
    given |= {"progress_every": 0, "style_size": WIDTH, **CHEAP, **options}
    return StyleTransfer(photos, pixels(1), "fast", weights=vgg, **given)
