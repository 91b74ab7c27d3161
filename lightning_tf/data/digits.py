"""Digits: scikit-learn's handwritten digits, real pictures without a download."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_tf.data.picture_arrays import Pair, PictureArrays


class Digits(PictureArrays):
    """1,797 handwritten digits of 8 x 8 pixels, values 0 to 16, one channel, ten classes.

    Split 70/15/15 by `split_seed`, every class in proportion. The pictures come with scikit-learn
    and are float32, so nothing is downloaded. Source: Alpaydin and Kaynak 1998, Optical
    Recognition of Handwritten Digits, https://doi.org/10.24432/C50P49.

    Args:
        val_fraction: Share held out for validation.
        test_fraction: Share held out for testing.
        **options: Those of `PictureArrays`: classes, batch_size, seed, split_seed.

    Example:
        >>> data = Digits(batch_size=64)
        >>> data.setup("fit")
        >>> data.input_shape, data.num_classes, data.value_range
        ((8, 8, 1), 10, (0.0, 16.0))
    """

    def __init__(
        self, *, val_fraction: float = 0.15, test_fraction: float = 0.15, **options: Any
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(val_fraction=val_fraction, test_fraction=test_fraction, **options)

    def read(self) -> dict[str, Pair]:
        """The whole set, to be split."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        self.value_range = (0.0, 16.0)
        self.class_names = [str(digit) for digit in range(10)]
        return {"train": (digits.images[..., np.newaxis].astype(np.float32), digits.target)}
