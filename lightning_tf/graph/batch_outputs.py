"""BatchOutputs: what a step gives for the examples of many batches, kept in a graph's loop."""

from typing import Any

import numpy as np
import tensorflow as tf

OPAQUE = (tf.variant, tf.resource)  # dtypes whose values no host array can hold


class BatchOutputs:
    """Tensors of every batch of a window, each with a row for every example.

    In the graph `begin`, `write` and `stack` keep them; on the host `split` takes them apart.

    Args:
        structure: A nest of tensors or specs, as the traced step gives for a batch.

    Attributes:
        structure: As it was given.
        batch_bytes: Of a batch's outputs, as the last window had them.
    """

    def __init__(self, structure: Any) -> None:
        self.structure = structure
        self._specs = tf.nest.flatten(structure)
        self.batch_bytes = 1

    @staticmethod
    def can_hold(structure: Any) -> bool:
        """Return whether all outputs are dense and batches of them differ in their rows alone."""
        specs = tf.nest.flatten(structure)
        return bool(specs) and all(_has_rows(spec) for spec in specs)

    # ---- in the graph

    def begin(self) -> tuple[tf.TensorArray, ...]:
        """Return empty arrays: of the batches' numbers of rows, then of each output."""
        lengths = tf.TensorArray(
            tf.int32, 0, dynamic_size=True, element_shape=[len(self._specs)], clear_after_read=False
        )
        return lengths, *(
            # Not inferred from the first batch: the last one may have fewer rows.
            tf.TensorArray(
                spec.dtype,
                0,
                dynamic_size=True,
                element_shape=[None, *spec.shape[1:]],
                infer_shape=False,
            )
            for spec in self._specs
        )

    def write(self, arrays: tuple[Any, ...], i: tf.Tensor, outputs: Any) -> tuple[Any, ...]:
        """Return the arrays with the outputs of batch i."""
        lengths, *columns = arrays
        flat = tf.nest.flatten(outputs)  # (rows, ...) each
        i = tf.cast(i, tf.int32)
        rows = tf.stack([tf.shape(output)[0] for output in flat])  # (outputs,) int32
        written = (c.write(i, output) for c, output in zip(columns, flat, strict=True))
        return lengths.write(i, rows), *written

    def stack(self, arrays: tuple[Any, ...]) -> tuple[tf.Tensor, ...]:
        """Return (batches, outputs) int32, and for each output (rows of all batches, ...)."""
        lengths, *columns = arrays
        return lengths.stack(), *(column.concat() for column in columns)

    # ---- on the host

    def split(self, tensors: tuple[Any, ...]) -> list[Any]:
        """Return, batch by batch, what the step gave, with host arrays for its tensors."""
        lengths, *columns = (tensor.numpy() for tensor in tensors)
        if not len(lengths):
            return []

        self.batch_bytes = 1 + sum(column.nbytes for column in columns) // len(lengths)
        outputs = [_split(column, lengths[:, i]) for i, column in enumerate(columns)]
        if not tf.nest.is_nested(self.structure):
            return outputs[0]
        batches = zip(*outputs, strict=True)
        return [tf.nest.pack_sequence_as(self.structure, list(batch)) for batch in batches]


def _has_rows(spec: Any) -> bool:
    """Return whether a dense output is known but for its number of rows."""
    if not isinstance(spec, (tf.Tensor, tf.TensorSpec)) or spec.dtype in OPAQUE:
        return False
    return bool(spec.shape.rank) and spec.shape[1:].is_fully_defined()


def _split(column: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each batch, of (rows of all batches, ...) and the batches' lengths."""
    ends = np.cumsum(lengths).tolist()
    return [column[end - rows : end] for end, rows in zip(ends, lengths.tolist(), strict=True)]
