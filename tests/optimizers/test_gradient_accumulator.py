"""Updates from several batches, against the same computed by hand."""

import keras
import pytest
from helpers.boring import NumberData, NumberTask, Recorder, fitted, quiet
from helpers.updates import weight_after

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError


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
