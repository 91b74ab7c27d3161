"""Random numbers that differ between replicas, from seeds that are the same on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


@contextmanager
def distinct_seeds() -> Iterator[None]:
    """While steps are traced here, every seed drawn on a replica has its number folded in.

    Keras keeps a generator's state equal on all replicas, so that all would draw the same dropout
    masks. The state itself stays equal, which lets a checkpoint hold it once, whatever the number
    of replicas.
    """
    draw = keras.random.SeedGenerator.next

    def draw_own(generator: Any, ordered: bool = True) -> tf.Tensor:
        seed = draw(generator, ordered)
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        return tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)

    keras.random.SeedGenerator.next = draw_own
    try:
        yield
    finally:
        keras.random.SeedGenerator.next = draw
