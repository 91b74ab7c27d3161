"""Numbers of every update, against the same computed by hand.

`NumberTask` has one weight and the gradient ``mean(x)``; SGD(1.0) moves it by exactly that.
"""

import keras
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted
from helpers.updates import weight_after

from lightning_tf.exceptions import ConfigurationError


def test_plain_updates_move_by_the_gradient(tmp_path):
    weight, trainer = weight_after([1, 2, 3], default_root_dir=tmp_path)
    assert weight == -6.0
    assert trainer.global_step == 3


def test_weight_decay_does_not_touch_what_the_loss_does_not_depend_on():
    class Half(NumberTask):
        def configure_model(self):
            self.weight, self.idle = keras.Variable(1.0), keras.Variable(1.0)

    for every in (1, 2):
        task = Half(NumberData([1, 1, 1]), keras.optimizers.AdamW(0.1, weight_decay=0.5))
        fitted(task, max_epochs=1, accumulate_grad_batches=every)
        assert float(task.weight) < 1.0
        assert float(task.idle) == 1.0


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({}, "empty dict"),
        ("adam", "return keras optimizers"),
        (None, "return keras optimizers"),
        ({"wieght": keras.optimizers.SGD()}, "Did you mean 'weight'"),
        ({"data": keras.optimizers.SGD()}, "no trainable variable"),
    ],
)
def test_what_names_no_optimizer_is_refused(configured, message):
    class Wrong(NumberTask):
        def configure_optimizers(self):
            return configured

    with pytest.raises(ConfigurationError, match=message):
        fitted(Wrong(NumberData([1])), max_epochs=1)


def test_a_loss_that_depends_on_nothing_is_refused():
    class Constant(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(batch)

    with pytest.raises(ConfigurationError, match="depends on none of its variables"):
        fitted(Constant(NumberData([1])), max_epochs=1)
