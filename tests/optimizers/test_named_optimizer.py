"""Numbers of every update, against the same computed by hand.

`NumberTask` has one weight and the gradient ``mean(x)``; SGD(1.0) moves it by exactly that.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Recorder, fitted, quiet

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.optimizers.named_optimizer import INITIAL_LOSS_SCALE, LOSS_SCALE_GROWTH_INTERVAL

LOSS = 3.0


class Vector(NumberTask):
    """Two weights whose gradients are the two columns' means."""

    def configure_model(self):
        self.first = keras.Variable([0.0, 0.0], name="first")
        self.second = keras.Variable(0.0, name="second")

    def training_step(self, batch):
        gradient = tf.reduce_mean(batch, axis=0)
        return tf.reduce_sum(gradient[:2] * self.first) + gradient[2] * self.second

    @property
    def values(self):
        return [*np.asarray(self.first).tolist(), float(self.second)]


def weight_after(numbers, batch_size=1, optimizer=None, **arguments):
    task = NumberTask(NumberData(numbers, batch_size), optimizer)
    trainer = fitted(task, **{"max_epochs": 1, **arguments})
    return float(task.weight), trainer


def test_plain_updates_move_by_the_gradient(tmp_path):
    weight, trainer = weight_after([1, 2, 3], default_root_dir=tmp_path)
    assert weight == -6.0
    assert trainer.global_step == 3


# ---- accumulation


def test_accumulation_equals_one_large_batch(tmp_path):
    numbers = [1, 2, 3, 4, 5, 6]
    small, trainer = weight_after(
        numbers, optimizer=keras.optimizers.Adam(0.1), accumulate_grad_batches=3
    )
    large, _ = weight_after(numbers, 3, optimizer=keras.optimizers.Adam(0.1))
    assert small == pytest.approx(large, rel=1e-6)
    assert trainer.global_step == 2


def test_an_incomplete_window_is_flushed_and_divided_by_its_true_count(tmp_path):
    # 1, 2, 3 make one update of 2; 10 and 20 are left over and make one of 15.
    weight, trainer = weight_after([1, 2, 3, 10, 20], accumulate_grad_batches=3)
    assert weight == -(2.0 + 15.0)
    assert trainer.global_step == 2
    assert int(trainer.optimizers[""].iterations) == 2


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_every_epoch_starts_a_new_window(length):
    task = NumberTask(NumberData([1, 2, 6], length=length))
    trainer = fitted(task, max_epochs=3, accumulate_grad_batches=2)
    assert float(task.weight) == -3 * (1.5 + 6.0)
    assert trainer.global_step == 6


def test_nothing_is_flushed_where_max_steps_ends_the_epoch():
    weight, trainer = weight_after([1, 2, 3, 4, 5], accumulate_grad_batches=2, max_steps=2)
    assert weight == -(1.5 + 3.5)
    assert trainer.batch_idx == 4


def test_a_stop_inside_a_window_of_accumulation_keeps_what_is_accumulated():
    class Stops(NumberTask):
        def on_train_batch_end(self, outputs, batch_idx):
            if batch_idx == 2 and self.trainer.current_epoch == 0:
                self.trainer.request_stop("enough")

    task = Stops(NumberData([2, 4, 6, 8, 20]))
    trainer = fitted(task, max_epochs=1, accumulate_grad_batches=2)
    assert float(task.weight) == -3.0
    trainer.fit(task)
    assert float(task.weight) == -(3.0 + 7.0 + 20.0)


def test_schedules_count_updates():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [1.0, 10.0, 100.0])
    # The rate is 1 for update 0, 10 for update 1, 100 for update 2.
    weight, _ = weight_after(
        [1, 1, 1, 1, 1], optimizer=keras.optimizers.SGD(schedule), accumulate_grad_batches=2
    )
    assert weight == -(1.0 + 10.0 + 100.0)


def test_metrics_see_undivided_losses_under_accumulation():
    recorder = Recorder()

    class Watches(NumberTask):
        seen = ()

        def on_train_batch_end(self, outputs, batch_idx):
            self.seen = (*self.seen, outputs["loss"])

    task = Watches(NumberData([8, 8, 8, 8]), keras.optimizers.SGD(0.0))
    fitted(task, max_epochs=1, accumulate_grad_batches=4, callbacks=recorder)
    assert task.seen == (8.0, 8.0, 8.0, 8.0)


def test_keras_own_accumulation_is_taken_over_and_flushed():
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=3)
    weight, trainer = weight_after([1, 2, 3, 10, 20], optimizer=optimizer)
    assert weight == -(2.0 + 15.0)
    assert trainer.accumulate_grad_batches == 3
    assert optimizer.gradient_accumulation_steps is None


def test_the_next_task_does_not_inherit_an_optimizers_accumulation():
    trainer = Trainer(**quiet(max_epochs=1))
    first = keras.optimizers.SGD(1.0, gradient_accumulation_steps=3)
    trainer.fit(NumberTask(NumberData([1, 2, 3]), first))
    task = NumberTask(NumberData([1, 2, 3]))
    trainer.fit(task)
    assert float(task.weight) == -6.0


def test_optimizers_that_accumulate_differently_are_refused():
    class Two(NumberTask):
        def configure_model(self):
            self.weight, self.other = keras.Variable(0.0), keras.Variable(0.0)

        def configure_optimizers(self):
            return {
                "weight": keras.optimizers.SGD(gradient_accumulation_steps=2),
                "other": keras.optimizers.SGD(),
            }

    with pytest.raises(ConfigurationError, match="accumulate_grad_batches"):
        fitted(Two(NumberData([1])), max_epochs=1)


# ---- clipping


def vectors(*rows):
    return NumberData(np.array(rows, "float32"), batch_size=1)


def clipped(gradient, norm):
    gradient = np.array(gradient, "float64")
    length = np.linalg.norm(gradient)
    return gradient * min(1.0, norm / length)


def test_the_norm_of_all_gradients_together_is_clipped():
    task = Vector(vectors([3.0, 4.0, 12.0], [0.1, 0.2, 0.2]))
    fitted(task, max_epochs=1, gradient_clip_val=2.0)
    expected = -clipped([3.0, 4.0, 12.0], 2.0) - np.array([0.1, 0.2, 0.2])
    np.testing.assert_allclose(task.values, expected, rtol=1e-6)


def test_each_element_is_clipped_by_value():
    task = Vector(vectors([3.0, -4.0, 0.25]))
    fitted(task, max_epochs=1, gradient_clip_val=0.5, gradient_clip_algorithm="value")
    assert task.values == [-0.5, 0.5, -0.25]


def test_clipping_comes_after_accumulation():
    # Mean of (10, 0, 0) and (-8, 0, 0) is (1, 0, 0): nothing to clip. Clipped one by one it is 0.
    task = Vector(vectors([10.0, 0.0, 0.0], [-8.0, 0.0, 0.0]))
    fitted(task, max_epochs=1, gradient_clip_val=1.0, accumulate_grad_batches=2)
    assert task.values[0] == -1.0


def test_clipping_comes_after_unscaling():
    task = Vector(vectors([0.3, 0.4, 0.0]))
    fitted(task, max_epochs=1, gradient_clip_val=1.0, precision="16-mixed")
    np.testing.assert_allclose(task.values, [-0.3, -0.4, 0.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ({"global_clipnorm": 2.0}, clipped([3.0, 4.0, 12.0], 2.0)),
        ({"clipvalue": 3.5}, np.array([3.0, 3.5, 3.5])),
        ({"clipnorm": 1.0}, np.array([0.6, 0.8, 1.0])),
    ],
)
def test_keras_own_clipping_is_taken_off_and_done_once(argument, expected):
    optimizer = keras.optimizers.SGD(1.0, **argument)
    task = Vector(vectors([3.0, 4.0, 12.0]), optimizer)
    fitted(task, max_epochs=1)
    np.testing.assert_allclose(task.values, -expected, rtol=1e-6)
    assert getattr(optimizer, next(iter(argument))) is None


def test_keras_own_clipping_acts_once_per_update():
    # Clipped per batch the two cancel out to 0; clipped once per update the mean of 1 passes.
    optimizer = keras.optimizers.SGD(1.0, clipvalue=1.0)
    weight, _ = weight_after([10, -8], optimizer=optimizer, accumulate_grad_batches=2)
    assert weight == -1.0


def test_the_trainers_clipping_wins_over_the_optimizers():
    optimizer = keras.optimizers.SGD(1.0, clipvalue=0.1)
    weight, _ = weight_after([10], optimizer=optimizer, gradient_clip_val=2.0)
    assert weight == -2.0


# ---- loss scale


class Overflows(NumberTask):
    """Infinite gradients, not losses, where a batch is negative."""

    def training_step(self, batch):
        number = tf.reduce_mean(batch)
        blown = tf.where(number < 0.0, np.float32(np.inf), 1.0)
        loss = number * self.weight
        return tf.stop_gradient(loss) + (loss - tf.stop_gradient(loss)) * blown


def scale_of(trainer):
    return float(trainer.training.optimizers[""].loss_scale)


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
    optimizer.finite_updates.assign(LOSS_SCALE_GROWTH_INTERVAL - 1)
    trainer.max_epochs = 2
    trainer.fit(task)
    assert scale_of(trainer) == 2 * INITIAL_LOSS_SCALE
    assert int(optimizer.finite_updates) == 0
    optimizer.finite_updates.assign(LOSS_SCALE_GROWTH_INTERVAL - 1)
    task.data = NumberData([-1.0])
    trainer.max_epochs = 3
    trainer.fit(task)
    assert scale_of(trainer) == INITIAL_LOSS_SCALE
    assert int(optimizer.finite_updates) == 0


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


def test_sparse_gradients_pass_through_scale_accumulation_and_clipping():
    class Table(NumberTask):
        def configure_model(self):
            self.table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
            self.table.build((None,))

        def training_step(self, batch):
            return tf.reduce_sum(tf.cast(self.table(tf.cast(batch, tf.int32)), tf.float32))

    task = Table(NumberData([1, 3]))
    fitted(
        task,
        max_epochs=1,
        precision="16-mixed",
        accumulate_grad_batches=2,
        gradient_clip_val=10.0,
    )
    moved = np.asarray(task.table.embeddings).ravel()
    np.testing.assert_allclose(moved, [0.0, -0.5, 0.0, -0.5], rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "16-mixed"])
@pytest.mark.parametrize("clip", ["norm", "value"])
def test_sparse_gradients_are_clipped(precision, clip):
    class Table(NumberTask):
        def configure_model(self):
            self.table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
            self.table.build((None,))

        def training_step(self, batch):
            return 1.5 * tf.reduce_sum(tf.cast(self.table(tf.cast(batch, tf.int32)), tf.float32))

    task = Table(NumberData([1]))
    fitted(
        task,
        max_epochs=1,
        precision=precision,
        gradient_clip_val=1.25,
        gradient_clip_algorithm=clip,
    )
    moved = np.asarray(task.table.embeddings).ravel()
    np.testing.assert_allclose(moved, [0.0, -1.25, 0.0, 0.0], rtol=1e-6)


# ---- names


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
