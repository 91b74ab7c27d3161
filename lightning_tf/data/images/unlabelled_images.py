"""UnlabelledPictures: an array of pictures alone, and `generation_data`, which takes one too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.checks import checked_pictures, checked_value_range
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.spec import PictureFacts, picture_facts
from lightning_tf.data.indexed_data import IndexedData, Part
from lightning_tf.data.pipeline.array_source import ArraySource


class UnlabelledPictures(IndexedData):
    """Pictures to learn to make, without classes; all of them train.

    Batches are pairs as everywhere, with the label 0.

    Args:
        pictures: uint8 or float, shape (pictures, height, width, channels).
        batch_size: Pictures in a global batch.
        seed: Decides the order; None follows the Trainer's seed.

    Raises:
        DataError: Wrong rank or dtype, or none at all; raised by `setup`.

    Example:
        >>> data = UnlabelledPictures(np.zeros((40, 8, 8, 1), "uint8"))
        >>> data.setup("fit")
        >>> [len(labels) for _, labels in data.train_dataset(0)]
        [32, 8]
    """

    def __init__(
        self, pictures: NDArray[Any], *, batch_size: int = 32, seed: int | None = None
    ) -> None:
        """Keep the arguments."""
        super().__init__(batch_size, seed)
        self.array = pictures

    def load(self) -> dict[str, Part]:
        """Check the pictures."""
        pictures = checked_pictures("training", self.array)
        self.input_shape = pictures.shape[1:]
        is_bytes = pictures.dtype == np.uint8
        self.value_range = (
            (0.0, 255.0)
            if is_bytes
            else checked_value_range(float(pictures.min()), float(pictures.max()))
        )
        source = ArraySource(pictures, np.zeros(len(pictures), np.int32))
        return {"train": Part(source, np.arange(len(pictures), dtype=np.int64))}


def generation_facts(data: DataModule) -> PictureFacts:
    """As `picture_facts`, which asks for two classes; pictures alone are of one."""
    if not isinstance(data, UnlabelledPictures):
        return picture_facts(data)
    data.setup("fit")
    height, width, channels = data.input_shape
    return PictureFacts((height, width, channels), 1, ["picture"], data.value_range)


def generation_data(data: Any, **options: Any) -> DataModule:
    """Make a DataModule of what `image_data` takes, or of an array of pictures alone.

    Args:
        data: See `image_data`; or one array.
        **options: See `image_data`; None leaves the default.

    Raises:
        ConfigurationError: See `image_data`.
    """
    if not isinstance(data, np.ndarray):
        return image_data(data, **options)
    return UnlabelledPictures(data, **{k: v for k, v in options.items() if v is not None})
