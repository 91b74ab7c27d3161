"""Clipping: how large the gradients of an update may be."""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped, after the sum over replicas and after accumulation.

    Attributes:
        algorithm: ``norm`` (the norm of all gradients of the optimizer together), ``value`` (each
            element), or ``variable_norm`` (the norm of each variable's gradient by itself).
        limit: The largest norm or absolute value that passes unchanged.

    Example:
        >>> [g.numpy().tolist() for g in Clipping("value", 0.5)([tf.constant([3.0, -0.1])])]
        [[0.5, -0.10000000149011612]]
    """

    algorithm: str
    limit: float

    def __call__(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the clipped gradients."""
        if self.algorithm == "norm":
            return self._clip_together(gradients)
        if self.algorithm == "variable_norm":
            return [tf.clip_by_norm(gradient, self.limit) for gradient in gradients]
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return [tf.clip_by_value(gradient, -self.limit, self.limit) for gradient in dense]

    def _clip_together(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        if len({gradient.dtype for gradient in gradients}) == 1:
            return list(tf.clip_by_global_norm(gradients, self.limit)[0])

        # TensorFlow takes one type only: a float32 head of a float64 network is another one.
        norms = [tf.cast(tf.linalg.global_norm([part]), tf.float64) for part in gradients]
        norm = tf.norm(tf.stack(norms))
        return [
            tf.clip_by_global_norm([part], self.limit, use_norm=tf.cast(norm, part.dtype))[0][0]
            for part in gradients
        ]
