"""PredictionWindow: `predict_step` over several batches as one graph call."""

from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.graph.graph_loop import GraphLoop, NextBatch

OPAQUE = (tf.variant, tf.resource)  # dtypes whose values no host array can hold


class PredictionWindow:
    """Runs a traced step on many batches and reads their outputs from the device at once.

    A graph call and a read for each batch cost five times what a tiny network does; here both are
    paid once a window.

    Args:
        step: `predict_step` as a concrete function of one batch, which `can_join`.
        element_spec: Of the data set's batches.

    Attributes:
        batch_bytes: Of a batch's outputs, as the last window had them.

    Example:
        >>> window = PredictionWindow(step, dataset.element_spec)
        >>> for outputs in window(iter(dataset), 100):
        ...     print(len(outputs))
    """

    def __init__(self, step: Any, element_spec: Any) -> None:
        self._step = step
        self._structure = step.structured_outputs
        self._specs = tf.nest.flatten(self._structure)
        self._loop = GraphLoop(self._run_batches, element_spec, tf.TensorSpec([], tf.int32))
        self.batch_bytes = 1

    @staticmethod
    def can_join(step: Any) -> bool:
        """Return whether all outputs are dense and batches of them differ in their rows alone."""
        specs = tf.nest.flatten(step.structured_outputs)
        return bool(specs) and all(_has_rows(spec) for spec in specs)

    def __call__(self, iterator: Any, count: int) -> list[Any]:
        """Run the next `count` batches.

        Args:
            iterator: Of the data set.
            count: How many batches; the data must hold as many.

        Returns:
            For each batch what `predict_step` gives, with host arrays for its tensors.
        """
        lengths, *columns = (tensor.numpy() for tensor in self._loop(iterator, tf.constant(count)))
        self.batch_bytes = 1 + sum(column.nbytes for column in columns) // count

        outputs = [_split(column, lengths[:, i]) for i, column in enumerate(columns)]
        if not tf.nest.is_nested(self._structure):
            return outputs[0]
        batches = zip(*outputs, strict=True)
        return [tf.nest.pack_sequence_as(self._structure, list(batch)) for batch in batches]

    def _run_batches(
        self, next_batch: NextBatch, iterator: Any, count: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        def run_next(i: tf.Tensor, lengths: Any, *columns: Any) -> tuple[Any, ...]:
            outputs = tf.nest.flatten(self._step(next_batch(iterator)))  # (rows, ...) each
            written = (c.write(i, output) for c, output in zip(columns, outputs, strict=True))
            rows = tf.stack([tf.shape(output)[0] for output in outputs])  # (outputs,) int32
            return (i + 1, lengths.write(i, rows), *written)

        lengths = tf.TensorArray(tf.int32, count, element_shape=[len(self._specs)])
        columns = (
            # Not inferred from the first batch: the last one may have fewer rows.
            tf.TensorArray(
                spec.dtype, count, element_shape=[None, *spec.shape[1:]], infer_shape=False
            )
            for spec in self._specs
        )
        _, lengths, *columns = tf.while_loop(
            lambda i, *_: i < count,
            run_next,
            (tf.zeros([], tf.int32), lengths, *columns),
            parallel_iterations=1,  # batches are read in their order
        )
        # (batches, outputs) int32, and for each output (rows of all batches, ...)
        return (lengths.stack(), *(column.concat() for column in columns))


def _has_rows(spec: Any) -> bool:
    """Return whether a dense output is known but for its number of rows."""
    if not isinstance(spec, (tf.Tensor, tf.TensorSpec)) or spec.dtype in OPAQUE:
        return False
    return bool(spec.shape.rank) and spec.shape[1:].is_fully_defined()


def _split(column: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each batch, of (rows of all batches, ...) and the batches' lengths."""
    ends = np.cumsum(lengths).tolist()
    return [column[end - rows : end] for end, rows in zip(ends, lengths.tolist(), strict=True)]
