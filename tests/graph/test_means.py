import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted

from lightning_tf.graph.means import Means, mean_values, weighted_sums


def test_sums_of_batches_divide_to_the_mean_over_their_examples():
    sums = sum(
        weighted_sums([tf.reduce_mean(x)], tf.constant(float(len(x)))).numpy()
        for x in ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0])
    )
    assert sums.tolist() == [55.0, 10.0]
    assert mean_values(("loss",), sums) == {"loss": 5.5}
    assert mean_values(("loss",), 0.0 * sums) == {}


def test_means_are_weighted_by_examples():
    means = Means(("loss",))
    for batch in ([1, 2, 3, 4], [5, 6, 7, 8], [9, 10]):
        means.add(np.array([np.mean(batch) * len(batch), len(batch)], "float32"))
    assert means.epoch_so_far() == {"loss": 5.5}


def test_a_row_holds_what_came_since_the_last_row_and_the_epoch_holds_all():
    means = Means(("loss",))
    means.add(np.array([2.0, 1.0]))
    assert means.take_row() == {"loss": 2.0}
    means.add(np.array([4.0, 1.0]))
    assert means.take_row() == {"loss": 4.0}
    assert means.take_row() == {}
    assert means.epoch_so_far(np.array([6.0, 1.0])) == {"loss": 4.0}
    assert means.take_epoch() == {"loss": 3.0}
    assert means.take_epoch() == {}


def test_means_come_back_from_their_state():
    means, again = Means(("a", "b")), Means(("a", "b"))
    means.add(np.array([0.1, 0.2, 3.0], "float32"))
    means.take_row()
    means.add(np.array([0.5, 0.7, 1.0], "float32"))
    again.load_state(means.state())
    assert again.take_row() == means.take_row()
    assert again.take_epoch() == means.take_epoch()


def test_sums_lose_nothing_over_many_rows():
    means = Means(("loss",))
    for _ in range(100_000):
        means.add(np.array([0.1 * 128, 128], "float32"))
    assert means.epoch_so_far()["loss"] == pytest.approx(0.1, rel=1e-7)


def test_a_metric_over_batches_of_4_4_and_2_is_the_mean_over_10(tmp_path):
    ten = list(range(1, 11))
    task = NumberTask(NumberData(ten, 4, held_out=ten), keras.optimizers.SGD(0.0))
    trainer = fitted(task, max_epochs=1, default_root_dir=tmp_path)
    assert trainer.callback_metrics["loss"] == pytest.approx(5.5, rel=1e-6)
    assert trainer.callback_metrics["val_loss"] == pytest.approx(5.5, rel=1e-6)
