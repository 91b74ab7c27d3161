"""The loss scale of mixed_float16, against the same computed by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted
from helpers.updates import weight_after

from lightning_tf.optimizers.loss_scaler import INITIAL_LOSS_SCALE, LOSS_SCALE_GROWTH_INTERVAL


class Overflows(NumberTask):
    """Infinite gradients, not losses, where a batch is negative."""

    def training_step(self, batch):
        number = tf.reduce_mean(batch)
        blown = tf.where(number < 0.0, np.float32(np.inf), 1.0)
        loss = number * self.weight
        return tf.stop_gradient(loss) + (loss - tf.stop_gradient(loss)) * blown


def scale_of(trainer):
    return float(trainer.training.optimizers[""].loss_scaler.scale)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_overflow_skips_the_update_and_halves_the_scale():
    task = Overflows(NumberData([1, -5, 2]))
    trainer = fitted(task, max_epochs=1, precision="16-mixed")
    assert float(task.weight) == -3.0
    assert scale_of(trainer) == INITIAL_LOSS_SCALE / 2
    assert int(trainer.optimizers[""].iterations) == 2


def test_a_skipped_batch_does_not_count_in_its_window_of_accumulation():
    # (2, overflow) gives 2; (overflow, 3) gives 3; (overflow, overflow) gives nothing; (8) gives 8.
    task = Overflows(NumberData([2, -1, -1, 3, -1, -1, 8]))
    trainer = fitted(task, max_epochs=1, precision="16-mixed", accumulate_grad_batches=2)
    assert float(task.weight) == -13.0
    assert int(trainer.optimizers[""].iterations) == 3
    assert trainer.global_step == 4
    assert scale_of(trainer) == INITIAL_LOSS_SCALE / 16


def test_the_scale_doubles_after_many_finite_updates_and_an_overflow_starts_the_count_anew():
    task = Overflows(NumberData([1.0]))
    trainer = fitted(task, max_epochs=1, precision="16-mixed")
    optimizer = trainer.training.optimizers[""]
    optimizer.loss_scaler.finite_updates.assign(LOSS_SCALE_GROWTH_INTERVAL - 1)
    trainer.max_epochs = 2
    trainer.fit(task)
    assert scale_of(trainer) == 2 * INITIAL_LOSS_SCALE
    assert int(optimizer.loss_scaler.finite_updates) == 0
    optimizer.loss_scaler.finite_updates.assign(LOSS_SCALE_GROWTH_INTERVAL - 1)
    task.data = NumberData([-1.0])
    trainer.max_epochs = 3
    trainer.fit(task)
    assert scale_of(trainer) == INITIAL_LOSS_SCALE
    assert int(optimizer.loss_scaler.finite_updates) == 0


def test_the_scale_never_falls_below_one():
    task = Overflows(NumberData([-1.0] * 20))
    trainer = fitted(task, max_epochs=1, precision="16-mixed")
    assert scale_of(trainer) == 1.0
    assert float(task.weight) == 0.0


def test_losses_are_logged_unscaled():
    _, trainer = weight_after([4], precision="16-mixed")
    assert trainer.callback_metrics["loss"] == 4.0


def test_keras_loss_scale_optimizer_is_taken_off():
    inner = keras.optimizers.SGD(1.0)
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    weight, trainer = weight_after([4], optimizer=optimizer, precision="16-mixed")
    assert weight == -4.0
    assert trainer.optimizers[""] is inner
