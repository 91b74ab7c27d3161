"""PredictionWindow: `predict_step` over several batches as one graph call."""

from typing import Any

import tensorflow as tf

from lightning_tf.graph.batch_outputs import BatchOutputs
from lightning_tf.graph.graph_loop import GraphLoop, NextBatch
from lightning_tf.graph.moved_batches import cast_to


class PredictionWindow:
    """Runs a traced step on many batches and reads their outputs from the device at once.

    A graph call and a read for each batch cost five times what a tiny network does; here both are
    paid once a window.

    Args:
        step: `predict_step` as a concrete function of one batch, which `can_join`.
        element_spec: Of the data set's batches.
        device: As of `GraphLoop`.

    Example:
        >>> window = PredictionWindow(step, dataset.element_spec)
        >>> for outputs in window(iter(dataset), 100):
        ...     print(len(outputs))
    """

    def __init__(self, step: Any, element_spec: Any, device: str | None = None) -> None:
        self._step, self._element_spec, self._device = step, element_spec, device
        self._outputs = BatchOutputs(step.structured_outputs)
        self._loop = GraphLoop(
            self._run_batches, element_spec, tf.TensorSpec([], tf.int32), device=device
        )

    @staticmethod
    def can_join(step: Any) -> bool:
        """Return whether all outputs are dense and batches of them differ in their rows alone."""
        return BatchOutputs.can_hold(step.structured_outputs)

    @property
    def batch_bytes(self) -> int:
        """The size of a batch's outputs, as the last window had them."""
        return self._outputs.batch_bytes

    def __call__(self, iterator: Any, count: int) -> list[Any]:
        """Run the next `count` batches.

        Args:
            iterator: Of the data set.
            count: How many batches; the data must hold as many.

        Returns:
            For each batch what `predict_step` gives, with host arrays for its tensors.
        """
        return self._outputs.split(self._loop(iterator, tf.constant(count)))

    def _run_batches(
        self, next_batch: NextBatch, iterator: Any, count: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        def run_next(i: tf.Tensor, arrays: Any) -> tuple[Any, ...]:
            batch = next_batch(iterator)
            if self._device is not None:
                batch = cast_to(self._element_spec, batch)
            return i + 1, self._outputs.write(arrays, i, self._step(batch))

        _, arrays = tf.while_loop(
            lambda i, _: i < count,
            run_next,
            (tf.zeros([], tf.int32), self._outputs.begin()),
            parallel_iterations=1,  # batches are read in their order
        )
        return self._outputs.stack(arrays)
