import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.callbacks.loggers.histograms import Histograms, _count, _split


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1.0, 2.0, 3.0], 3),
        ([5.0, 5.0], 2),
        ([0.0], 1),
        ([np.nan, np.inf, 1.0, 2.0], 2),
        ([np.nan], 0),
    ],
)
def test_every_finite_number_is_count_once(values, total):
    counts, edges = _split(_count(tf.constant(values)).numpy())
    assert counts.sum() == total
    assert len(edges) == len(counts) + 1
    assert (np.diff(edges) > 0).all()


def test_counts_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=1000).astype("float32")
    counts, edges = _split(_count(tf.constant(values)).numpy())
    assert abs(counts - np.histogram(values, bins=edges)[0]).sum() <= 4  # at the edges


def test_sparse_gradients_are_count_without_making_them_dense():
    rows = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 5]), tf.constant([1000, 3]))
    assert _split(_count(rows).numpy())[0].sum() == 6


def test_it_is_awake_before_and_after_the_update_that_is_count():
    histograms = Histograms("all", 10)
    assert [histograms.next_step(step) for step in (0, 8, 9, 10)] == [9, 9, 10, 19]
    assert [histograms.is_next(step) for step in (8, 9, 10)] == [False, True, False]
    assert Histograms("all", 1).next_step(3) == 4
