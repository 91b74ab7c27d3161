"""ImageDatasets: tf.data.Datasets of labeled images."""

import tensorflow as tf

from lightning_tf.data.images.image_spec import image_spec
from lightning_tf.data.sources.dataset_pair import DatasetPair


class ImageDatasets(DatasetPair):
    """Batched datasets of images, (batch, height, width, channels), and labels, (batch,).

    `setup` checks the first batch and fills in the attributes. Where neither `num_classes` nor
    `class_names` is given, or the images are not uint8, it reads the training data once.

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Labels are 0 to ``num_classes - 1``, after `setup`.
        class_names: A name for each label, after `setup`.
        value_range: Lowest and highest value of a pixel, after `setup`.

    Args:
        train: Batches to train on.
        val: Batches to validate on, or None.
        test: Batches to test on, or None.
        num_classes: Number of classes, if known.
        class_names: Their names, if known.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: list[str]
    value_range: tuple[float, float]

    def __init__(
        self,
        train: tf.data.Dataset,
        val: tf.data.Dataset | None = None,
        test: tf.data.Dataset | None = None,
        *,
        num_classes: int | None = None,
        class_names: list[str] | None = None,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(train, val, test)
        self._num_classes, self._names = num_classes, class_names

    def setup(self, stage: str) -> None:
        """Check the first batch and fill in the attributes, unless that is done."""
        if not hasattr(self, "input_shape"):
            spec = image_spec(self, self._num_classes, self._names)
            self.num_classes, self.class_names = spec.num_classes, spec.class_names
            self.value_range, self.input_shape = spec.value_range, spec.input_shape
