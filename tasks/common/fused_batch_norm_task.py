"""FusedBatchNormTask: a Task whose BatchNormalization layers compute fused inside a run."""

import keras

from lightning_tf.layers import BatchNormalizationSwap
from lightning_tf.task import Task
from lightning_tf.variables import components


class FusedBatchNormTask(Task):
    """Base of tasks on models of others, whose BatchNormalization layers it computes fused.

    While an entry point runs, Keras' layers are `FusedBatchNormalization`, in place; before and
    after they are Keras' own, so that files written after a fit name Keras' layer. Numbers stay
    the same up to rounding, frozen layers use their moving statistics, and `synchronized` does not
    change. A subclass calls `fuse_batch_norm` at the end of its `configure_model`.

    Attributes:
        fused_batch_norm: False leaves the layers as they are.

    Example:
        >>> class Classifier(FusedBatchNormTask):
        ...     def configure_model(self):
        ...         self.model = keras.applications.MobileNetV2(weights=None, classes=5)
        ...         self.fuse_batch_norm()
    """

    fused_batch_norm: bool = True
    _swap: BatchNormalizationSwap | None = None

    def fuse_batch_norm(self) -> None:
        """Swap the layers of all models, if an entry point is running."""
        if self._swap is None:  # outside of an entry point nothing would put the layers back
            return
        for _, part in components(self):
            if isinstance(part, keras.Layer):
                self._swap.fuse(part)

    def setup(self, stage: str) -> None:
        """Swap the layers of models that are already made."""
        if self.fused_batch_norm:
            self._swap = BatchNormalizationSwap()
            self.fuse_batch_norm()

    def teardown(self, stage: str) -> None:
        """Put Keras' layers back."""
        self._restore()

    def on_exception(self, exception: BaseException) -> None:
        """Put Keras' layers back also where an entry point fails."""
        self._restore()

    def _restore(self) -> None:
        if self._swap is not None:
            self._swap.restore()
            self._swap = None
