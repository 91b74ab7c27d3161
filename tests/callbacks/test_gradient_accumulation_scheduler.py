import keras
import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, fitted
from helpers.resumable import TwoParts, assert_resume_is_exact

from lightning_tf import Callback
from lightning_tf.callbacks import GradientAccumulationScheduler
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.accumulation_schedule import AccumulationSchedule
from lightning_tf.tasks import ImageClassification


class Steps(Callback):
    """Notes the accumulation and the updates done at the end of each epoch."""

    logs_metrics = False

    def __init__(self):
        self.ends = []

    def on_train_epoch_end(self, trainer, task):
        self.ends.append((trainer.accumulate_grad_batches, trainer.global_step))


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_epochs_accumulate_as_they_were_told(length):
    steps, task = Steps(), NumberTask(NumberData([1, 2, 3, 4, 5], length=length))
    scheduler = GradientAccumulationScheduler({1: 2, 3: 5})
    fitted(task, max_epochs=4, callbacks=[scheduler, steps])
    # 5 updates; windows of 2, 2 and a flushed 1, twice; one of 5.
    assert steps.ends == [(1, 5), (2, 8), (2, 11), (5, 12)]
    # Every update takes the mean of its window.
    assert float(task.weight) == -(15 + 2 * (1.5 + 3.5 + 5) + 3)


def test_one_trace_serves_all_accumulations():
    task = NumberTask(NumberData([1, 2, 3, 4, 5]))
    fitted(task, max_epochs=3, callbacks=[GradientAccumulationScheduler({1: 2, 2: 3})])
    assert task.traced["training"] == 1


def test_an_accumulation_of_one_gives_the_weights_of_none():
    plain = fitted(TwoParts(), max_epochs=2, seed=1)
    scheduler = GradientAccumulationScheduler({2: 4})
    scheduled = fitted(TwoParts(), max_epochs=2, seed=1, callbacks=[scheduler])
    assert scheduled.callback_metrics == plain.callback_metrics


@pytest.mark.parametrize(
    ("epochs", "expected"), [(0, 0), (1, 10), (2, 20), (3, 23), (5, 29), (6, 30), (9, 33)]
)
def test_updates_are_counted_with_each_epochs_own_accumulation(epochs, expected):
    schedule = AccumulationSchedule(1)
    schedule.replace({2: 4, 0: 1, 5: 10})
    assert schedule.updates(10, epochs) == expected


def test_the_estimate_and_a_schedule_built_from_it_are_right():
    class Decays(NumberTask):
        def configure_optimizers(self):
            self.updates = self.trainer.estimated_stepping_batches
            schedule = keras.optimizers.schedules.PolynomialDecay(1.0, self.updates, 0.0)
            return keras.optimizers.SGD(schedule)

    task = Decays(NumberData([1, 1, 1, 1, 1]))
    scheduler = GradientAccumulationScheduler({1: 2, 2: 3})
    trainer = fitted(task, max_epochs=4, callbacks=[scheduler])
    assert task.updates == trainer.global_step == trainer.estimated_stepping_batches == 5 + 3 + 4
    assert float(trainer.optimizers[""].learning_rate) == 0.0
    assert float(task.weight) == pytest.approx(-sum(1 - step / 12 for step in range(12)))


def test_max_steps_limits_the_estimate():
    task = NumberTask(NumberData([1, 1, 1, 1]))
    scheduler = GradientAccumulationScheduler({1: 4})
    trainer = fitted(task, max_epochs=3, max_steps=5, callbacks=[scheduler])
    assert trainer.estimated_stepping_batches == trainer.global_step == 5
    assert trainer.progress.batch == 0


@pytest.mark.slow
@pytest.mark.parametrize("stop", [3, 10, 11])
def test_a_resumed_run_equals_the_one_never_stopped(tmp_path, stop):
    # 8 batches an epoch: 8 updates, then 3 of at most 3 batches, then 2 of 4.
    assert_resume_is_exact(
        tmp_path,
        TwoParts,
        lambda: [GradientAccumulationScheduler({1: 3, 2: 4})],
        stop=stop,
        end=15,
    )


def test_another_task_without_it_does_not_accumulate():
    class Brings(NumberTask):
        def callbacks(self):
            return [GradientAccumulationScheduler({0: 5})]

    trainer = fitted(Brings(NumberData([1, 2, 3, 4, 5])), max_epochs=1)
    assert trainer.global_step == 1
    trainer.fit(NumberTask(NumberData([1, 2, 3, 4, 5])))
    assert trainer.global_step == 5
    assert trainer.estimated_stepping_batches == 5


def test_a_fast_dev_run_accumulates_nothing():
    task = NumberTask(NumberData([1, 2, 3, 4, 5]))
    trainer = fitted(task, fast_dev_run=3, callbacks=[GradientAccumulationScheduler({0: 2})])
    assert trainer.global_step == 3
    assert float(task.weight) == -6.0


@pytest.mark.parametrize(
    "schedule", [None, {}, [2], {-1: 2}, {0: 0}, {0: 1.5}, {"0": 2}, {0: True}]
)
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(ConfigurationError, match="GradientAccumulationScheduler"):
        GradientAccumulationScheduler(schedule)


def test_a_second_source_of_accumulation_is_refused():
    scheduler = GradientAccumulationScheduler({0: 2})
    with pytest.raises(ConfigurationError, match="accumulate_grad_batches=4"):
        fitted(BoringTask(), max_epochs=1, accumulate_grad_batches=4, callbacks=[scheduler])
    with pytest.raises(ConfigurationError, match="there are two"):
        fitted(BoringTask(), max_epochs=1, callbacks=[scheduler, scheduler])
    for epochs in ({0: 2}, {0: 1}):
        optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
        task = NumberTask(NumberData([1, 2]), optimizer)
        callbacks = [GradientAccumulationScheduler(epochs)]
        with pytest.raises(ConfigurationError, match="gradient_accumulation_steps=2"):
            fitted(task, max_epochs=1, callbacks=callbacks)


@pytest.mark.slow
def test_digits_are_learned_with_growing_batches():
    task = ImageClassification(data="digits", network="mlp")
    scheduler = GradientAccumulationScheduler({3: 2})
    trainer = fitted(task, max_epochs=5, seed=0, callbacks=[scheduler])
    assert trainer.global_step == trainer.estimated_stepping_batches
    assert trainer.test(task)["test_accuracy"] > 0.9
