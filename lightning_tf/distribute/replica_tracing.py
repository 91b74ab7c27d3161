"""State that Keras shares between replicas while they are traced, separated for each."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state  # none of these three has a public name
from keras.src.losses import loss as loss_module
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR


@contextmanager
def separate_seeds() -> Iterator[None]:
    """Fold the replica's number into every seed that is drawn while replicas are traced.

    Keras keeps a generator's state equal on all replicas, so that all would draw the same dropout
    masks. The state itself stays equal, which lets a checkpoint hold it once, whatever the number
    of replicas.
    """
    next_seed = keras.random.SeedGenerator.next

    def fold_in_replica(generator: Any, ordered: bool = True) -> tf.Tensor:
        seed = next_seed(generator, ordered)
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed  # the draws of one device
        return tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)

    keras.random.SeedGenerator.next = fold_in_replica
    try:
        yield
    finally:
        keras.random.SeedGenerator.next = next_seed


@contextmanager
def separate_losses() -> Iterator[None]:
    """Give each replica that is traced its own lists of what layers add to the loss.

    Replicas are traced in threads that take turns wherever values are summed over them, inside a
    synchronized batch normalization for one; in a list that they share, a replica would clear the
    losses of the one before and find another's.
    """
    keras.Layer._losses = _thread_local(list)
    # Those of the losses that are a layer's own, which Keras looks up inside a StatelessScope.
    keras.Layer._loss_ids = _thread_local(set)
    try:
        yield
    finally:
        del keras.Layer._losses, keras.Layer._loss_ids


def _thread_local(empty: type) -> property:
    """Return an attribute with a value for each thread; it goes before a layer's own."""
    values: dict[tuple[int, int], Any] = defaultdict(empty)

    def get(layer: keras.Layer) -> Any:
        return values[threading.get_ident(), id(layer)]

    def put(layer: keras.Layer, value: Any) -> None:
        values[threading.get_ident(), id(layer)] = value

    return property(get, put)


@contextmanager
def keep_losses_undivided() -> Iterator[None]:
    """Let Keras' loss objects give the mean over the examples that they see, as on one device.

    Under a strategy they divide it by the number of replicas, which is wrong where replicas have
    different numbers of examples; the Trainer weighs a loss by its replica's examples instead.
    """
    divide = loss_module.scale_loss_for_distribution
    loss_module.scale_loss_for_distribution = lambda loss: loss
    try:
        yield
    finally:
        loss_module.scale_loss_for_distribution = divide


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
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)
