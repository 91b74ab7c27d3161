"""FusedTask: a Task that computes Keras' BatchNormalization faster while a Trainer drives it."""

from __future__ import annotations

import keras

from lightning_tf.layers import BatchNormalizationSwap
from lightning_tf.task import Task
from lightning_tf.variables import components


class FusedTask(Task):
    """A Task for models that others made, whose BatchNormalization layers compute fused.

    From an entry point's beginning to its end Keras' layers are `FusedBatchNormalization`, in
    place, and Keras' own before and after, so that files written after a fit name Keras' layer.
    Numbers stay the same up to rounding, frozen layers keep to their moving statistics, and
    `synchronized` is what it was. A subclass calls `fuse` at the end of its `configure_model`.

    Attributes:
        fused_batch_norm: False leaves the layers as they are.

    Example:
        >>> class Classifier(FusedTask):
        ...     def configure_model(self):
        ...         self.model = keras.applications.MobileNetV2(weights=None, classes=5)
        ...         self.fuse()
    """

    fused_batch_norm: bool = True

    def fuse(self) -> None:
        """Swap the layers of all models, if an entry point is under way."""
        if self._swap is None:
            return
        for _, part in components(self):
            if isinstance(part, keras.Layer):
                self._swap.fuse(part)

    def setup(self, stage: str) -> None:
        """Swap the layers of models that are there already."""
        if self.fused_batch_norm:
            self._swap = BatchNormalizationSwap()
            self.fuse()

    def teardown(self, stage: str) -> None:
        """Give the layers back."""
        self._restore()

    def on_exception(self, exception: BaseException) -> None:
        """Give the layers back also where an entry point fails."""
        self._restore()

    _swap: BatchNormalizationSwap | None = None

    def _restore(self) -> None:
        if self._swap is not None:
            self._swap.restore()
            self._swap = None
