"""Small images and cheap style transfers."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lightning_tf.tasks import StyleTransfer

WIDTH, HEIGHT = 32, 24
CHEAP = {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1", "block2_conv1"]}


def pixels(seed, height=HEIGHT, width=WIDTH, channels=3):
    """Return soft blobs: noise of few pixels, enlarged."""
    random = np.random.default_rng(seed)
    few = Image.fromarray(random.integers(0, 256, (4, 5, channels)).astype("uint8"))
    return np.asarray(few.resize((width, height), Image.Resampling.BICUBIC))


def optimized_image(vgg, **options):
    """Return a task that optimizes an image; `vgg` is a weights file, None for random weights."""
    defaults = {"image_size": WIDTH, "steps_per_epoch": 5, "progress_every": 0, **CHEAP}
    return StyleTransfer(pixels(0), pixels(1), weights=vgg, **{**defaults, **options})


def fast_network(vgg, count=9, **options):
    """Return a task whose network learns a style from `count` photos."""
    photos = np.stack([pixels(seed) for seed in range(2, 2 + count)])
    defaults = {"batch_size": 3, "filters": 4, "residual_blocks": 0, "image_size": WIDTH}
    defaults |= {"progress_every": 0, "style_size": WIDTH, **CHEAP}
    return StyleTransfer(photos, pixels(1), "fast", weights=vgg, **{**defaults, **options})
