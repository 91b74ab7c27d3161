"""PredictionWindow: `predict_step` over several batches as one graph call."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.graph.graph_loop import GraphLoop, NextBatch

OPAQUE = (tf.variant, tf.resource)


class PredictionWindow:
    """Runs a traced step on many batches and reads their outputs from the device at once.

    A graph call and a read for each batch cost five times what a tiny network does; here both are
    paid once for a window.

    Args:
        step: `predict_step` as a concrete function of one batch, whose outputs `can_join`.
        element_spec: Of the data set's batches.

    Example:
        >>> window = PredictionWindow(step, dataset.element_spec)
        >>> for outputs in window(iter(dataset), 100):
        ...     print(len(outputs))
    """

    def __init__(self, step: Any, element_spec: Any) -> None:
        self._step = step
        self._structure = step.structured_outputs
        self._specs = tf.nest.flatten(self._structure)
        self._loop = GraphLoop(self._many_batches, element_spec, tf.TensorSpec([], tf.int32))
        self.batch_bytes = 1  # of the outputs, as the last window had them

    @staticmethod
    def can_join(step: Any) -> bool:
        """Whether all outputs are dense, and batches of them differ in their rows alone."""
        specs = tf.nest.flatten(step.structured_outputs)
        return bool(specs) and all(_has_rows(spec) for spec in specs)

    def __call__(self, iterator: Any, count: int) -> list[Any]:
        """Run `count` batches, which must be there.

        Args:
            iterator: Of the data set.
            count: Of batches.

        Returns:
            For each batch what `predict_step` gives, with host arrays for its tensors.
        """
        lengths, *columns = (tensor.numpy() for tensor in self._loop(iterator, tf.constant(count)))
        self.batch_bytes = 1 + sum(column.nbytes for column in columns) // count
        parts = [_pieces(column, lengths[:, i]) for i, column in enumerate(columns)]
        if not tf.nest.is_nested(self._structure):
            return parts[0]
        batches = zip(*parts, strict=True)
        return [tf.nest.pack_sequence_as(self._structure, list(batch)) for batch in batches]

    def _many_batches(
        self, next_batch: NextBatch, iterator: Any, count: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        def run(i: tf.Tensor, rows: Any, *arrays: Any) -> tuple[Any, ...]:
            outputs = tf.nest.flatten(self._step(next_batch(iterator)))
            written = (a.write(i, output) for a, output in zip(arrays, outputs, strict=True))
            return (i + 1, rows.write(i, tf.stack([tf.shape(o)[0] for o in outputs])), *written)

        rows = tf.TensorArray(tf.int32, count, element_shape=[len(self._specs)])
        arrays = (
            tf.TensorArray(
                spec.dtype, count, element_shape=[None, *spec.shape[1:]], infer_shape=False
            )
            for spec in self._specs
        )
        _, rows, *arrays = tf.while_loop(
            lambda i, *_: i < count,
            run,
            (tf.zeros([], tf.int32), rows, *arrays),
            parallel_iterations=1,
        )
        return (rows.stack(), *(array.concat() for array in arrays))


def _has_rows(spec: Any) -> bool:
    if not isinstance(spec, (tf.Tensor, tf.TensorSpec)) or spec.dtype in OPAQUE:
        return False
    return bool(spec.shape.rank) and spec.shape[1:].is_fully_defined()


def _pieces(column: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum(lengths).tolist()
    return [column[end - rows : end] for end, rows in zip(ends, lengths.tolist(), strict=True)]
