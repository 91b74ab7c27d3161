"""A digest tells pipelines apart by what orders their examples, and by nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data.pipeline.order_digest import order_digest

LABELS = np.arange(40, dtype="int32") % 3


def pipeline(labels=LABELS, images=0.0, seed=1, buffer=8, batch=4, threads=None, ahead=2):
    images = np.full((40, 2), images, "float32")
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(buffer, seed=seed)
    dataset = dataset.map(lambda x, y: (x * 2.0, y), num_parallel_calls=threads)
    return dataset.batch(batch).prefetch(ahead)


def by_index(order):
    labels = tf.constant(LABELS)
    return tf.data.Dataset.from_tensor_slices(order).map(lambda i: tf.gather(labels, i)).batch(4)


DIFFERING = {
    "seed": lambda: pipeline(seed=2),
    "buffer": lambda: pipeline(buffer=9),
    "batch size": lambda: pipeline(batch=5),
    "labels": lambda: pipeline(LABELS[::-1].copy()),
    "count": lambda: pipeline(LABELS).take(3),
    "start": lambda: pipeline(LABELS).skip(1),
    "repeats": lambda: pipeline(LABELS).repeat(2),
}


@pytest.mark.parametrize("other", DIFFERING.values(), ids=DIFFERING)
def test_what_orders_examples_changes_the_digest(other):
    assert order_digest(pipeline()) != order_digest(other())


@pytest.mark.parametrize("same", [{}, {"threads": 2}, {"ahead": 5}, {"images": 1.0}], ids=str)
def test_threads_prefetching_and_floats_do_not_change_the_digest(same):
    assert order_digest(pipeline()) == order_digest(pipeline(**same))


def test_another_permutation_of_many_indices_is_seen_in_the_sample():
    orders = [np.random.default_rng(seed).permutation(100_000) for seed in (0, 0, 1)]
    first, same, other = (order_digest(by_index(order)) for order in orders)
    assert first == same != other


def test_a_folder_that_moved_does_not_change_the_digest():
    here, there, other = (
        tf.data.Dataset.from_tensor_slices([f"{folder}/{name}.png" for name in names])
        for folder, names in (("/here", "ab"), ("/moved/there", "ab"), ("/here", "ba"))
    )
    assert order_digest(here) == order_digest(there) != order_digest(other)


def test_the_choice_between_datasets_counts():
    ranges = [tf.data.Dataset.range(5), tf.data.Dataset.range(6)]
    first, same, other = (
        order_digest(tf.data.Dataset.sample_from_datasets(ranges, seed=seed)) for seed in (3, 3, 4)
    )
    assert first == same != other
