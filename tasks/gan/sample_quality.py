"""SampleQuality: how near generated images are to real ones, and how many classes they show."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.exceptions import DataError
from lightning_tf.tasks.common.prediction_grid import take_examples
from lightning_tf.tasks.gan.fid_kid import frechet_distance, kernel_distance
from lightning_tf.tasks.gan.image_features import ImageFeatures
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

FEWEST = 16  # images of which moments say anything


class SampleQuality(Callback):
    """Logs FID and KID every few epochs, beside what real images have, and the classes covered.

    The training images give two sets that share none. ``fid`` and ``kid`` are the distances of as
    many fake images from the first set, ``fid_floor`` and ``kid_floor`` those of the second set:
    no generator can be expected to come below. ``classes_covered`` counts the classes to which at
    least a tenth of their fair share of the fake images is assigned; a generator that has
    collapsed covers few, and a warning says so.

    The features are those of a classifier of the same data, not of the network that published
    figures are measured with: compare only with values of the same classifier and number.

    Works with every task that has `sample`, `normalize` and ``data.images``; see `GAN`.

    Args:
        features: Of a trained classifier.
        count: Generated images, or as many as half of the training images.
        every_n_epochs: How often.
    """

    logs_metrics = ("fid", "kid", "fid_floor", "kid_floor", "classes_covered")

    def __init__(self, features: ImageFeatures, count: int, every_n_epochs: int = 1) -> None:
        self.features, self.count, self.every_n_epochs = features, count, every_n_epochs
        self._real: NDArray[Any] | None = None
        self._floor: dict[str, float] = {}
        self._warned = False

    def on_fit_start(self, trainer: Trainer, task: Any) -> None:
        """Measure the real images, so that an unsuitable classifier is refused before training."""
        examples = take_examples(task.data.images, "train", 2 * self.count)
        images = task.normalize(examples[0]) if examples is not None else np.zeros((0,))
        half = len(images) // 2
        if half < FEWEST:
            raise DataError(
                f"quality needs {2 * FEWEST} training images, of which there are "
                f"{len(images)}; leave quality=None."
            )

        # Every other one, because the images may be in the order of their classes.
        self._real, _ = self.features(images[: 2 * half : 2])
        other_real, _ = self.features(images[1 : 2 * half : 2])
        self._floor = {
            "fid_floor": frechet_distance(self._real, other_real),
            "kid_floor": kernel_distance(self._real, other_real),
        }

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Measure where it is time."""
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            trainer.log_metrics(self.measure(task))

    def measure(self, task: Any) -> dict[str, float]:
        """Return the metrics of a generator as it is now."""
        if self._real is None:
            raise RuntimeError("measure is called inside fit")
        fake = task.normalize(task.sample(len(self._real)))
        features, classes = self.features(fake)

        total = self.features.num_classes
        counts = np.bincount(classes, minlength=total)
        # A tenth of what each class would have of equally many.
        covered = int((counts >= len(fake) / (10.0 * total)).sum())
        if 2 * covered <= total and not self._warned:
            self._warned = True
            log.warning(
                "the generated images show %d of %d classes: the generator may have collapsed.",
                covered,
                total,
            )

        return {
            "fid": frechet_distance(self._real, features),
            "kid": kernel_distance(self._real, features),
            **self._floor,
            "classes_covered": float(covered),
        }
