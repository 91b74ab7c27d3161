"""A GAN of a few weights on a few images, for tests."""

from __future__ import annotations

import numpy as np

from lightning_tf.tasks import GAN

SIDE, CLASSES = 8, 3


def few_images(count=36, seed=0, channels=1):
    """Return uint8 images whose class is a bright row, and their classes."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 60, (count, SIDE, SIDE, channels)).astype("uint8")
    y = np.arange(count) % CLASSES
    x[np.arange(count), y * 2] += 150
    return x, y


def small_gan(loss="minimax", **options):
    """Return a GAN that is built and trained in a moment."""
    defaults = {
        "networks": "mlp",
        "width": 8,
        "latent_dim": 6,
        "dropout": 0.0,
        "batch_size": 8,
        "num_samples": 9,
        "learning_rate": 2e-3,
    }
    data = options.pop("data", None)
    data = few_images() if data is None else data
    if not isinstance(options.get("networks", "mlp"), str):
        del defaults["width"], defaults["dropout"]
    return GAN(data, loss, **{**defaults, **options})
