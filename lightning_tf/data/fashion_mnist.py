"""FashionMnist: 70,000 small pictures of clothes."""

from __future__ import annotations

import os
from typing import Any

from lightning_tf.data.idx_pictures import IdxPictures


class FashionMnist(IdxPictures):
    """70,000 pictures of clothes, 28 x 28 pixels, uint8, one channel, ten classes.

    Debian and Ubuntu install the files with ``apt-get install dataset-fashion-mnist``, where they
    are found by themselves. Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747.

    Args:
        data_dir: The folder that holds the four idx files, plain or gzipped.
        **options: Those of `PictureArrays`: classes, val_fraction, batch_size, seed, split_seed.

    Raises:
        DataError: A file is missing or is no idx file; raised by `setup`.
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(
            data_dir,
            folder="fashion_mnist",
            usual="/usr/share/datasets/fashion-mnist",
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
