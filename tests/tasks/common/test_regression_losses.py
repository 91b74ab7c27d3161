"""The losses of forecasts are those of the field."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.common.metrics import PercentageError
from lightning_tf.tasks.common.regression_losses import regression_loss

RANDOM = np.random.default_rng(0)
Y, OUT = RANDOM.normal(scale=2.0, size=(2, 5, 3, 2)).astype("float32")


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mse", keras.losses.MeanSquaredError()),
        ("mae", keras.losses.MeanAbsoluteError()),
        ("huber", keras.losses.Huber()),
    ],
    ids=["mse", "mae", "huber"],
)
def test_point_losses_are_those_of_keras(name, loss):
    assert float(regression_loss(Y, OUT, name)) == pytest.approx(float(loss(Y, OUT)), rel=1e-6)


def test_the_quantile_loss_is_that_of_scikit_learn():
    from sklearn.metrics import mean_pinball_loss

    shares = (0.1, 0.5, 0.9)
    outputs = RANDOM.normal(size=(5, 3, 2, 3)).astype("float32")
    expected = np.mean(
        [
            mean_pinball_loss(Y.ravel(), outputs[..., n].ravel(), alpha=share)
            for n, share in enumerate(shares)
        ]
    )
    loss = regression_loss(tf.constant(Y), tf.constant(outputs), "mse", shares)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_share_of_nothing_does_not_count():
    metric = PercentageError()
    metric.update_state([[10.0, 0.0], [20.0, 5.0]], [[9.0, 3.0], [20.0, 6.0]])
    assert float(metric.result()) == pytest.approx(10.0)
