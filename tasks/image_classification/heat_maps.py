"""HeatMaps: where in its images a task sees a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.prediction_table import HEAT_MAPS
from lightning_tf.task import Task
from lightning_tf.tasks.image_classification.occlusion import AT_ONCE, PATCHES, occlusion_drops


class HeatMaps(Task):
    """Base of a task with a prediction for each class, label or number of an image.

    Attributes:
        value_range: Lowest and highest value of a pixel.
    """

    value_range: tuple[float, float]

    def heat_maps(self, images: Any, classes: Any, method: str) -> NDArray[np.float32]:
        """Return where in each image a class is seen.

        Args:
            images: Of shape (batch, height, width, channels), in the data's range.
            classes: To look for, shape (batch,).
            method: ``grad_cam``, of a `TransferLearning` whose backbone gives maps; or
                ``occlusion``, of any network, see `occlusion`.

        Returns:
            Float32 in [0, 1] of shape (batch, rows, columns), to be stretched over the images; the
            hottest place of each is 1, or all are 0 where nothing speaks for the class.

        Raises:
            ConfigurationError: The method is unknown, or the network has no Grad-CAM.

        Example:
            >>> maps = task.heat_maps(photos, [0] * len(photos), "occlusion")
        """
        checked_choice("method", method, HEAT_MAPS)
        if method == "grad_cam":
            maps = self.grad_cam(images, classes)
            if maps is None:
                raise ConfigurationError(
                    "heat maps by 'grad_cam' need a TransferLearning whose backbone gives feature "
                    "maps; 'occlusion' goes with every network."
                )
            return maps
        drops = np.maximum(self.occlusion(images, classes), 0.0)
        hottest = drops.max(axis=(1, 2), keepdims=True)
        heat: NDArray[np.float32] = np.divide(
            drops, hottest, out=np.zeros_like(drops), where=hottest > 0.0
        )
        return heat

    def heat_maps_of_pixels(self, pixels: Any, classes: Any, method: str) -> NDArray[np.float32]:
        """Return `heat_maps` of images in [0, 1], as a table of predictions draws them."""
        low, high = self.value_range
        return self.heat_maps(low + pixels * (high - low), classes, method)

    def occlusion(
        self, images: Any, classes: Any, *, patch: int | None = None, stride: int | None = None
    ) -> NDArray[np.float32]:
        """Return how much the prediction of a class falls where a place of the image is covered.

        It takes a prediction for every place: by default some 100 an image. See `occlusion_drops`.

        Args:
            images: Of shape (batch, height, width, channels), in the data's range.
            classes: To look for, shape (batch,): numbers of classes, labels or targets.
            patch: Side of the gray square in pixels; None is a fifth of the image's shorter side.
            stride: Pixels from one square to the next; None is half of `patch`.

        Returns:
            Float32 of shape (batch, height, width): the mean drop of the probability (of a number,
            where the task predicts these) over the squares that cover a pixel.

        Raises:
            ConfigurationError: There is no model yet, or a number is out of range.

        Example:
            >>> drops = task.occlusion(photos, [0] * len(photos), patch=40, stride=20)
        """
        pixels = np.asarray(images)
        shorter = min(pixels.shape[1:3])
        patch = max(shorter // PATCHES, 1) if patch is None else patch
        patch = checked_integer("patch", patch, least=1, most=shorter)
        stride = max(patch // 2, 1) if stride is None else stride
        stride = checked_integer("stride", stride, least=1, most=patch)

        predictor = self.make_predictor(AT_ONCE)
        return occlusion_drops(
            lambda batch: predictor.outputs(NewExamples({}, arrays=batch)),
            pixels,
            np.asarray(classes),
            patch,
            stride,
        )

    def grad_cam(self, images: Any, classes: Any) -> NDArray[np.float32] | None:
        """Return Grad-CAM heat maps, as `heat_maps` does; None where the network has none."""
        return None
