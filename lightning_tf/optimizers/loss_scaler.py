"""LossScaler: the factor that keeps gradients of half precision from vanishing."""

from collections.abc import Sequence

import tensorflow as tf

INITIAL_LOSS_SCALE = 2.0**15
LOSS_SCALE_GROWTH_INTERVAL = 2000  # finite updates after which the scale doubles


class LossScaler:
    """Scales a loss before its gradients are taken, and finds the scale as it goes.

    The scale doubles after 2000 finite updates in a row and halves where an update is not finite,
    down to 1. Made in the scope of the run, with a copy of its variables on every replica.

    Attributes:
        scale: A float32 variable.
        finite_updates: How many updates in a row were finite since the scale last changed.
        skipped_updates: How many were not, since training began.
    """

    def __init__(self) -> None:
        self.scale = tf.Variable(INITIAL_LOSS_SCALE, trainable=False)
        # A GPU has no kernel for variables of int32.
        self.finite_updates = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.skipped_updates = tf.Variable(0, trainable=False, dtype=tf.int64)

    def variables(self) -> dict[str, tf.Variable]:
        """Return the variables by their names in a checkpoint."""
        return {
            "loss_scale": self.scale,
            "finite_updates": self.finite_updates,
            "skipped_updates": self.skipped_updates,
        }

    def initial(self) -> dict[str, float]:
        """Return the values that they begin with, by the same names."""
        return {"loss_scale": INITIAL_LOSS_SCALE, "finite_updates": 0, "skipped_updates": 0}

    # ---- in the graph

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss times the scale."""
        return loss * self.scale

    def unscale(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return the gradients of the loss from those of the scaled one."""
        return [gradient / tf.cast(self.scale, gradient.dtype) for gradient in gradients]

    def are_finite(self, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return whether every element of every gradient is finite, a boolean scalar."""
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])

    def adjust(self, finite: tf.Tensor) -> None:
        """Adjust the scale after an update that was finite or was not."""
        # All in tensors: neither a branch nor a read of the device for three scalars.
        grows = tf.logical_and(finite, self.finite_updates >= LOSS_SCALE_GROWTH_INTERVAL - 1)
        goes_on = tf.logical_and(finite, tf.logical_not(grows))
        none = tf.zeros([], tf.int64)
        self.finite_updates.assign(tf.where(goes_on, self.finite_updates + 1, none))

        factor = tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(self.scale * factor, 1.0))
        self.skipped_updates.assign_add(tf.cast(tf.logical_not(finite), tf.int64))
