"""The order of an epoch is a pure function of its seed."""

import numpy as np

from lightning_tf.data.pipeline.order import balanced_order, epoch_order


def test_an_order_depends_on_seed_and_epoch_alone():
    indices = np.arange(5, 105)
    order = epoch_order(indices, seed=3, epoch=2)
    np.random.rand(5)  # the global state is not touched and does not matter
    assert (order == epoch_order(indices, seed=3, epoch=2)).all()
    assert (order != epoch_order(indices, seed=3, epoch=3)).any()
    assert (order != epoch_order(indices, seed=4, epoch=2)).any()
    assert sorted(order) == indices.tolist()


def test_a_balanced_order_has_every_class_equally_often():
    classes = np.repeat([0, 2, 3], [70, 20, 7])  # no example of class 1
    counts = np.zeros(len(classes), int)
    for epoch in range(40):
        places = balanced_order(classes, seed=1, epoch=epoch)
        assert (places == balanced_order(classes, seed=1, epoch=epoch)).all()
        of_class = np.bincount(classes[places])
        assert len(places) == len(classes)
        assert sorted(of_class) == [0, 32, 32, 33]
        rare = np.bincount(places, minlength=len(classes))[90:]
        assert rare.max() - rare.min() <= 1
        counts += np.bincount(places, minlength=len(classes))
    assert counts.min() > 0  # of a large class all come in the end
    assert (balanced_order(classes, 1, 0) != balanced_order(classes, 1, 1)).any()
