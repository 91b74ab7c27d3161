"""AugmentationSettings: a task's augmentation arguments, and until when they hold."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.first_training_batch import first_training_batch
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.augmentation.box_augmentation import BoxAugmentation
from lightning_tf.tasks.object_detection.augmentation.mosaic import QUARTERS

MOSAIC_IMAGES = len(QUARTERS)


class AugmentationSettings:
    """What a user asks of augmentation, refused at once where it cannot work.

    Args:
        chosen: Names, as of `BoxAugmentation`.
        mosaic: As of `BoxAugmentation`.
        closing_epochs: The last epochs of a fit that go without mosaic, scale, shift and crop (Ge
            et al., "YOLOX", 2021, section 2.1, https://arxiv.org/abs/2107.08430).

    Raises:
        ConfigurationError: A name is unknown or a number out of range.

    Example:
        >>> settings = AugmentationSettings(["flip", "scale"], closing_epochs=3)
    """

    def __init__(
        self, chosen: str | Sequence[str] | None, mosaic: float = 0.0, closing_epochs: int = 0
    ) -> None:
        self.chosen, self.mosaic = chosen, mosaic
        self.closing_epochs = checked_integer("close_augmentation_epochs", closing_epochs, least=0)
        # Refused now, not after loading the data; in a scratch graph, because TensorFlow must not
        # start before a Trainer has chosen the devices.
        with tf.Graph().as_default():
            self.build()

    def build(self) -> BoxAugmentation:
        """Make the layer; its seed generators take their seed from the Trainer's."""
        return BoxAugmentation(self.chosen, self.mosaic)

    def check_epochs(self, max_epochs: int | None) -> None:
        """Refuse last epochs of a fit that nobody knows the end of.

        Raises:
            ConfigurationError: There are closing epochs and no `max_epochs`.
        """
        if self.closing_epochs and max_epochs is None:
            raise ConfigurationError(
                f"close_augmentation_epochs={self.closing_epochs} needs Trainer(max_epochs=...), "
                "which says what the last epochs are."
            )

    def check_batch(self, data: DataModule, replicas: int) -> None:
        """Refuse mosaics of batches that have no four images for a replica.

        Args:
            data: Whose first training batch counts.
            replicas: Which share a batch.

        Raises:
            ConfigurationError: There is mosaic and there are fewer.
        """
        if not self.mosaic:
            return

        count = len(first_training_batch(data)[0])
        if count < MOSAIC_IMAGES * replicas:
            shared = f" on {replicas} replicas" if replicas > 1 else ""
            raise ConfigurationError(
                f"mosaic={self.mosaic} makes an image of {MOSAIC_IMAGES}, and a training batch has "
                f"{count}{shared}; give batch_size={MOSAIC_IMAGES * replicas} or more (and as many "
                "images), or mosaic=0."
            )

    def is_open(self, trainer: Any) -> Any:
        """Return whether everything goes on in the epoch of a step: true, or a tensor."""
        if not self.closing_epochs:
            return True
        return trainer.current_epoch < trainer.max_epochs - self.closing_epochs
