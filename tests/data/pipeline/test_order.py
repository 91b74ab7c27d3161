"""The order of an epoch is a pure function of its seed."""

import numpy as np

from lightning_tf.data.pipeline.order import epoch_order


def test_an_order_depends_on_seed_and_epoch_alone():
    indices = np.arange(5, 105)
    order = epoch_order(indices, seed=3, epoch=2)
    np.random.rand(5)  # the global state is not touched and does not matter
    assert (order == epoch_order(indices, seed=3, epoch=2)).all()
    assert (order != epoch_order(indices, seed=3, epoch=3)).any()
    assert (order != epoch_order(indices, seed=4, epoch=2)).any()
    assert sorted(order) == indices.tolist()
