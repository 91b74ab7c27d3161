import keras
import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted
from helpers.resumable import TwoParts, assert_resume_is_exact

from lightning_tf import Callback
from lightning_tf.callbacks import BackboneFinetuning, LearningRateMonitor
from lightning_tf.exceptions import ConfigurationError


def rates_of(task, monitor=None, **arguments):
    rows = Rows()
    defaults = {"max_epochs": 2, "log_every_n_steps": 2}
    callbacks = [*arguments.pop("callbacks", []), monitor or LearningRateMonitor()]
    fitted(task, logger=rows, callbacks=callbacks, **{**defaults, **arguments})
    return rows


def test_a_schedule_is_logged_at_every_row_as_the_next_update_takes_it():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 8, 0.0)
    task = NumberTask(NumberData([1, 1, 1, 1]), keras.optimizers.SGD(schedule))
    rows = rates_of(task)
    assert rows.column("train/learning_rate") == [(2, 0.75), (4, 0.5), (6, 0.25), (8, 0.0)]
    assert {step for step, _ in rows.column("train/loss")} == {2, 4, 6, 8}


def test_an_epoch_without_a_row_has_it_at_its_end():
    rows = rates_of(BoringTask(), log_every_n_steps=3)
    assert [step for step, _ in rows.column("train/learning_rate")] == [3, 4, 6, 8]


def test_every_optimizer_has_its_name():
    rows = rates_of(TwoParts({"backbone": 0.25, "head": 0.5}), limit_train_batches=2)
    assert rows.column("train/backbone_learning_rate") == [(2, 0.25), (4, 0.25)]
    assert rows.column("train/head_learning_rate") == [(2, 0.5), (4, 0.5)]


def test_the_loss_scale_is_logged_where_there_is_one():
    rows = rates_of(BoringTask(), precision="mixed_float16")
    assert rows.column("train/loss_scale")[-1] == (8, 2.0**15)
    assert rates_of(BoringTask()).column("train/loss_scale") == []


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (keras.optimizers.SGD(0.1, momentum=0.5, weight_decay=0.25), {"momentum", "weight_decay"}),
        (keras.optimizers.AdamW(0.1, beta_1=0.5, weight_decay=0.25), {"beta_1", "weight_decay"}),
    ],
)
def test_momentum_and_weight_decay_are_logged_where_asked_for(optimizer, expected):
    task = NumberTask(NumberData([1, 1]), optimizer)
    rows = rates_of(task, LearningRateMonitor(log_momentum=True, log_weight_decay=True))
    latest = {name.split("/")[-1]: value for _, row in rows.rows for name, value in row.items()}
    assert {name: latest.get(name) for name in ("momentum", "beta_1", "weight_decay")} == {
        name: value if name in expected else None
        for name, value in (("momentum", 0.5), ("beta_1", 0.5), ("weight_decay", 0.25))
    }


def test_what_another_callback_changes_is_seen():
    class Changes(Callback):
        every_n_steps = 3

        def on_train_window_end(self, trainer, task):
            if self.is_due(trainer):
                trainer.optimizers[""].learning_rate = 0.5

    rows = rates_of(BoringTask(), callbacks=[Changes()])
    assert [value for _, value in rows.column("train/learning_rate")] == pytest.approx(
        [0.1, 0.5, 0.5, 0.5]
    )


@pytest.mark.slow
@pytest.mark.parametrize("rates", [0.05, {"backbone": 0.05, "head": 0.1}])
def test_a_resumed_run_logs_what_the_unbroken_one_does(tmp_path, rates):
    assert_resume_is_exact(
        tmp_path,
        lambda: TwoParts(rates),
        lambda: [LearningRateMonitor(), BackboneFinetuning("backbone", 1)],
        stop=11,
        end=20,
    )


@pytest.mark.slow
def test_windows_stay_long():
    class Counts(Callback):
        logs_metrics = False
        windows = 0

        def on_train_window_end(self, trainer, task):
            self.windows += 1

    counts = [Counts(), Counts()]
    for count, monitors in zip(counts, ([], [LearningRateMonitor()]), strict=True):
        fitted(BoringTask(), max_steps=200, log_every_n_steps=50, callbacks=[count, *monitors])
    # The first windows' lengths follow from measured times; without windows there would be 200.
    assert counts[1].windows < counts[0].windows + 20


def test_a_step_that_logs_the_monitors_name_is_refused_with_both():
    class LogsRate(BoringTask):
        def training_step(self, batch):
            self.log("learning_rate", 100.0)
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match=r"learning_rate'.*log\('learning_rate'\)"):
        fitted(LogsRate(), max_epochs=1, callbacks=[LearningRateMonitor()])
