"""Random numbers in a step that are the same on one device and on several."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.replica_batch import shard_size_and_start
from lightning_tf.step_context import current_replica_batch


def next_seed(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Draw a seed, the same on every replica, and advance the generator.

    `SeedGenerator.next` would give every replica a seed of its own while it is traced, as dropout
    needs it.
    """
    if current_replica_batch() is None:
        state = generator.next()
    else:
        state = tf.identity(generator.state.value)
        generator.state.assign(state + tf.constant([0, 1], state.dtype))

    with tf.device(state.device):  # a GPU would cast on the GPU what the draw wants on the host
        return tf.cast(state, tf.int32)


def draw_replica_rows(draw: Any, width: int, rows: Any) -> tf.Tensor:
    """Draw numbers for every example of the global batch and return this replica's rows.

    What an example gets depends on its place in the global batch alone. Drawing all of them on
    every replica costs less than any layer.

    Args:
        draw: From a shape to random numbers, such as ``partial(tf.random.stateless_normal,
            seed=seed)``.
        width: Numbers for each example.
        rows: How many examples this replica computes with.

    Returns:
        Float32 of shape (rows, width).
    """
    replica_batch, replica = current_replica_batch(), tf.distribute.get_replica_context()
    if replica_batch is None or replica is None:
        return draw([rows, width])

    # A replica without examples computes with one that nobody counts.
    share = tf.where(replica_batch.fraction > 0.0, replica_batch.fraction, 1.0)
    count = tf.maximum(tf.cast(tf.round(replica_batch.examples / share), tf.int32), rows)

    number = tf.cast(replica.replica_id_in_sync_group, tf.int32)
    _, start = shard_size_and_start(count, number, replica.num_replicas_in_sync)
    start = tf.minimum(start, count - rows)  # an idle replica computes with the last example
    return draw(tf.stack([count, width]))[start : start + rows]
