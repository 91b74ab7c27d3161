"""State that Keras shares between replicas while they are traced, separated for each."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from lightning_tf.keras_internals import replaced_draw, set_global_seed_generator


@contextmanager
def separate_seeds() -> Iterator[None]:
    """Fold the replica's number into every seed that is drawn while replicas are traced.

    Keras keeps a generator's state equal on all replicas, so that all would draw the same dropout
    masks. The state itself stays equal, which lets a checkpoint hold it once, whatever the number
    of replicas.
    """

    def fold_in_replica(seed: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed  # the draws of one device
        return tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)

    with replaced_draw(fold_in_replica):
        yield


def make_spare_generator() -> keras.random.SeedGenerator:
    """Make a generator for unseeded draws of `keras.random` on replicas, before any is traced.

    Keras makes one for each thread at its first draw. A replica is traced in a thread of its own,
    where making one fails. The seed follows from Python's generator, which is left as it is, so
    that layers made later get the seeds that they get on one device.
    """
    copy = random.Random()
    copy.setstate(random.getstate())
    return keras.random.SeedGenerator(copy.randint(1, 10**9))


def enter_replica(policy: keras.DTypePolicy, generator: keras.random.SeedGenerator) -> None:
    """Give the thread of a replica what Keras keeps for each thread.

    Args:
        policy: The precision of the run.
        generator: For draws without a seed.
    """
    keras.config.set_dtype_policy(policy)
    set_global_seed_generator(generator)
