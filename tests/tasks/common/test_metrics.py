"""ConfusionCounts: counts by hand, over batches, in the graph."""

import numpy as np
import tensorflow as tf

from lightning_tf.tasks.common.metrics import ConfusionCounts


def test_rows_are_true_classes_and_batches_add_up():
    counts = ConfusionCounts(3)
    update = tf.function(counts.update_state)
    update([0, 1, 2], tf.one_hot([0, 2, 2], 3))
    update([1, 1], tf.one_hot([1, 2], 3))
    np.testing.assert_array_equal(counts.result(), [[1, 0, 0], [0, 1, 2], [0, 0, 1]])


def test_reset_forgets_and_a_configuration_makes_the_same_again():
    counts = ConfusionCounts(2)
    counts.update_state([0], [[1.0, 0.0]])
    counts.reset_state()
    assert not np.any(counts.result())
    assert ConfusionCounts.from_config(counts.get_config()).num_classes == 2
