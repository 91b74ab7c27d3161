"""UnlabeledImages: an array of images alone, and `generation_data`, which takes one too."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.checks import checked_images, value_range_of
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.image_spec import ImageSpec, image_spec
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.pipeline.array_source import ArraySource


class UnlabeledImages(IndexedData):
    """Images to learn to make, without classes; all of them train.

    Batches are pairs as everywhere, with the label 0.

    Args:
        images: uint8 or float, shape (images, height, width, channels).
        batch_size: Images in a global batch.
        seed: Decides the order; None follows the Trainer's seed.

    Raises:
        DataError: Wrong rank or dtype, or none at all; raised by `setup`.

    Example:
        >>> data = UnlabeledImages(np.zeros((40, 8, 8, 1), "uint8"))
        >>> data.setup("fit")
        >>> [len(labels) for _, labels in data.train_dataset(0)]
        [32, 8]
    """

    def __init__(
        self, images: NDArray[Any], *, batch_size: int = 32, seed: int | None = None
    ) -> None:
        """Keep the arguments."""
        super().__init__(batch_size, seed)
        self.array = images

    def load(self) -> dict[str, Split]:
        """Check the images."""
        images = checked_images("training", self.array)
        self.input_shape = images.shape[1:]
        self.value_range = value_range_of(images)
        # With a label, so that a GAN's step takes the same pairs from every source.
        source = ArraySource(images, np.zeros(len(images), np.int32))
        return {"train": Split(source, np.arange(len(images), dtype=np.int64))}


def generation_spec(data: DataModule) -> ImageSpec:
    """Return what `image_spec` does, which asks for two classes; images alone are of one."""
    if not isinstance(data, UnlabeledImages):
        return image_spec(data)
    data.setup("fit")
    height, width, channels = data.input_shape
    return ImageSpec((height, width, channels), 1, ["image"], data.value_range)


def generation_data(data: Any, **options: Any) -> DataModule:
    """Make a DataModule of what `image_data` takes, or of an array of images alone.

    Args:
        data: See `image_data`; or one array.
        **options: See `image_data`; None leaves the default.

    Raises:
        ConfigurationError: See `image_data`.
    """
    if not isinstance(data, np.ndarray):
        return image_data(data, **options)
    return UnlabeledImages(data, **{k: v for k, v in options.items() if v is not None})
