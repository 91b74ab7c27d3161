import random
import time
from datetime import timedelta

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, Rows, fitted, named, quiet
from tensorflow.python.framework import config as tf_config

from lightning_tf import Callback, DataModule, Trainer
from lightning_tf.callback import CheckpointCallback
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.seed import get_last_seed


def frozen_task(numbers=(1, 2, 3, 4), **data):
    """A task whose weight does not move, so that losses are the numbers."""
    return NumberTask(NumberData(numbers, **data), keras.optimizers.SGD(0.0))


# ---- limits of the whole fit


def test_a_fit_without_a_limit_is_an_error_before_any_work():
    recorder = Recorder()
    with pytest.raises(ConfigurationError, match="max_epochs, max_steps and max_time"):
        Trainer(**quiet(callbacks=recorder)).fit(frozen_task())
    assert recorder.names == []


def test_evaluation_needs_no_limit():
    assert Trainer(**quiet()).test(frozen_task(held_out=[2])) == {"test_loss": 2.0}


@pytest.mark.parametrize(
    ("arguments", "steps", "epochs"),
    [
        ({"max_epochs": 3}, 12, 3),
        ({"max_steps": 6}, 6, 1),
        ({"max_steps": 8}, 8, 2),
        ({"max_epochs": 2, "max_steps": 100}, 8, 2),
        ({"max_epochs": 2, "max_steps": 3}, 3, 0),
        ({"max_epochs": 0}, 0, 0),
        ({"max_steps": 0}, 0, 0),
        ({"max_epochs": 2, "max_time": {"hours": 1}}, 8, 2),
        ({"max_epochs": 2, "min_steps": 100}, 8, 2),
    ],
)
def test_the_nearest_limit_ends_training(arguments, steps, epochs):
    trainer = fitted(frozen_task(), **arguments)
    assert (trainer.global_step, trainer.current_epoch) == (steps, epochs)


@pytest.mark.parametrize(
    "limit", [{"max_epochs": 0}, {"max_steps": 0}, {"max_time": "00:00:00:00"}]
)
def test_a_limit_of_zero_trains_nothing_and_closes_everything(limit):
    recorder, rows = Recorder(), Rows()
    trainer = fitted(frozen_task(), callbacks=recorder, logger=rows, **limit)
    assert trainer.global_step == 0
    assert "on_train_epoch_start" not in recorder.names
    assert recorder.names[-3:] == ["on_train_end", "on_fit_end", "teardown"]
    assert rows.ends == ["success"]


def test_max_time_ends_training_soon():
    began = time.monotonic()
    task = frozen_task(length="endless")
    trainer = fitted(task, max_time=timedelta(seconds=1))
    assert 1.0 <= time.monotonic() - began < 10.0
    assert trainer.global_step > 100
    assert 1.0 <= trainer.progress.seconds < 4.0


def test_minimums_win_over_max_time():
    trainer = fitted(frozen_task(), max_time="00:00:00:00", max_epochs=5, min_epochs=3)
    assert trainer.current_epoch == 3
    trainer = fitted(frozen_task(), max_time="00:00:00:00", min_steps=6)
    assert trainer.global_step >= 6


def test_updates_to_come_are_known_to_schedules():
    def estimate(length="known", **arguments):
        seen = []

        class Asks(NumberTask):
            def configure_optimizers(self):
                seen.append(self.trainer.estimated_stepping_batches)
                return super().configure_optimizers()

        fitted(Asks(NumberData(range(10), length=length)), **arguments)
        return seen

    assert estimate(max_epochs=3) == [30]
    assert estimate(max_epochs=3, accumulate_grad_batches=4) == [9]
    assert estimate(max_epochs=3, limit_train_batches=0.5) == [15]
    assert estimate(max_epochs=3, max_steps=7) == [7]
    assert estimate("unknown", max_epochs=1) == [float("inf")]


# ---- limits of batches


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (0.5, 2), (1.0, 4), (99, 4)])
def test_limit_train_batches(limit, expected):
    trainer = fitted(frozen_task(), max_epochs=2, limit_train_batches=limit)
    assert trainer.global_step == 2 * expected
    assert trainer.num_training_batches == expected
    assert trainer.callback_metrics["loss"] == np.mean([1, 2, 3, 4][:expected])


@pytest.mark.parametrize(("limit", "expected"), [(1, 10.0), (0.5, 15.0), (1.0, 25.0)])
def test_limit_val_batches(limit, expected):
    task = frozen_task(held_out=[10, 20, 30, 40])
    trainer = fitted(task, max_epochs=1, limit_val_batches=limit)
    assert trainer.callback_metrics["val_loss"] == expected


@pytest.mark.parametrize("limit", [0, 0.0])
def test_no_validation_where_its_limit_is_zero(limit):
    task, recorder = frozen_task(held_out=[1]), Recorder()
    trainer = fitted(task, max_epochs=2, limit_val_batches=limit, callbacks=recorder)
    assert "val_loss" not in trainer.callback_metrics
    assert "on_validation_start" not in recorder.names
    assert trainer.num_val_batches == 0
    assert task.traced["validation"] == 0


def test_no_validation_where_there_are_no_data():
    recorder = Recorder()
    fitted(frozen_task(), max_epochs=1, callbacks=recorder)
    assert "on_validation_start" not in recorder.names
    assert "on_sanity_check_start" not in recorder.names


def test_a_fraction_that_is_no_batch_is_an_error_before_training():
    recorder = Recorder()
    with pytest.raises(ConfigurationError, match=r"limit_train_batches=0\.1 of 4 batches"):
        fitted(frozen_task(), max_epochs=1, limit_train_batches=0.1, callbacks=recorder)
    assert "on_train_start" not in recorder.names


class Orders(NumberData):
    """Epoch e holds the number e three times."""

    def train_dataset(self, epoch):
        return NumberData([epoch] * 3).train_dataset(epoch)


@pytest.mark.parametrize(("overfit", "steps"), [(2, 2), (0.34, 1), (1.0, 3)])
def test_overfit_batches_trains_and_validates_on_the_first_epochs_first_batches(overfit, steps):
    rows = Rows()
    task = NumberTask(Orders([0], held_out=[100]), keras.optimizers.SGD(0.0))
    trainer = fitted(task, max_epochs=3, overfit_batches=overfit, logger=rows, log_every_n_steps=1)
    assert trainer.global_step == 3 * steps
    assert {value for _, value in rows.column("train/loss")} == {0.0}
    assert {value for _, value in rows.column("val/loss")} == {0.0}


def test_overfit_batches_does_not_validate_a_task_that_has_no_validation():
    recorder = Recorder()
    fitted(frozen_task(), max_epochs=1, overfit_batches=2, callbacks=recorder)
    assert "on_validation_start" not in recorder.names


def test_overfit_batches_leaves_test_and_prediction_alone():
    trainer, task = Trainer(**quiet(overfit_batches=1)), frozen_task(held_out=[5, 7])
    assert trainer.test(task) == {"test_loss": 6.0}
    assert len(trainer.predict(task, collect=True)) == 2


# ---- fast_dev_run


@pytest.mark.parametrize(("fast", "batches"), [(True, 1), (1, 1), (3, 3)])
def test_fast_dev_run_runs_a_few_batches_of_everything_and_writes_nothing(tmp_path, fast, batches):
    recorder, rows = Recorder(), Rows()
    task = frozen_task(held_out=range(10))
    trainer = Trainer(
        fast_dev_run=fast,
        max_epochs=9,
        callbacks=recorder,
        logger=rows,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(task)
    assert trainer.global_step == batches
    assert trainer.callback_metrics["val_loss"] == np.mean(range(batches))
    assert "on_sanity_check_start" not in recorder.names
    assert rows.rows == rows.hparams == []
    assert list(tmp_path.iterdir()) == []
    assert trainer.test(task) == {"test_loss": np.mean(range(batches))}
    assert len(trainer.predict(task, collect=True)) == batches


@pytest.mark.parametrize("off", [False, 0])
def test_fast_dev_run_can_be_off(off):
    assert fitted(frozen_task(), max_epochs=1, fast_dev_run=off).global_step == 4


def test_fast_dev_run_needs_no_other_limit():
    assert fitted(frozen_task(), fast_dev_run=True, accumulate_grad_batches=4).global_step == 1


# ---- when validation runs


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [10, 20, 30]),
        ({"val_check_interval": 0.5}, [5, 10, 15, 20, 25, 30]),
        ({"val_check_interval": 3}, [3, 6, 9, 13, 16, 19, 23, 26, 29]),
        ({"val_check_interval": 10}, [10, 20, 30]),
        ({"val_check_interval": 7, "check_val_every_n_epoch": None}, [7, 14, 21, 28]),
        ({"val_check_interval": 25, "check_val_every_n_epoch": None}, [25]),
        ({"check_val_every_n_epoch": 2}, [20]),
        ({"check_val_every_n_epoch": 3, "val_check_interval": 0.5}, [25, 30]),
        ({"check_val_every_n_epoch": 5}, []),
    ],
)
@pytest.mark.parametrize("watched", [False, True])
def test_validation_runs_after_these_updates(arguments, expected, watched):
    class Watches(Callback):
        def on_train_batch_end(self, trainer, task, outputs, batch_idx):
            """Makes windows of one."""

    rows = Rows()
    fitted(
        frozen_task(range(10), held_out=[1]),
        max_epochs=3,
        logger=rows,
        log_every_n_steps=1000,
        callbacks=[Watches()] if watched else None,
        **arguments,
    )
    assert [step for step, _ in rows.column("val/loss")] == expected


def test_validation_counts_batches_and_not_updates():
    rows = Rows()
    task = frozen_task(range(10), held_out=[1])
    fitted(task, max_epochs=1, val_check_interval=4, accumulate_grad_batches=3, logger=rows)
    assert [step for step, _ in rows.column("val/loss")] == [1, 2]


def test_validation_inside_a_window_of_accumulation_changes_no_weight():
    def weight(**arguments):
        task = NumberTask(NumberData([1, 2, 6, 20], held_out=[1]))
        fitted(task, max_epochs=2, accumulate_grad_batches=3, **arguments)
        return float(task.weight)

    assert weight() == weight(val_check_interval=1) == weight(limit_val_batches=0) == -2 * 23.0


def test_unknown_lengths_validate_at_the_end_or_after_a_count():
    for interval, expected in ((1.0, [10, 20]), (4, [4, 8, 14, 18])):
        rows = Rows()
        task = frozen_task(range(10), length="unknown", held_out=[1])
        fitted(task, max_epochs=2, val_check_interval=interval, logger=rows)
        assert [step for step, _ in rows.column("val/loss")] == expected


def test_an_interval_that_no_epoch_reaches_is_an_error_before_training():
    recorder = Recorder()
    with pytest.raises(ConfigurationError, match="more than the 4 batches"):
        fitted(frozen_task(held_out=[1]), max_epochs=1, val_check_interval=5, callbacks=recorder)
    assert "on_train_start" not in recorder.names


# ---- sanity check


@pytest.mark.parametrize(("steps", "expected"), [(0, 0), (1, 1), (2, 2), (-1, 5), (99, 5)])
def test_num_sanity_val_steps(steps, expected):
    class Counts(Callback):
        batches = 0
        stages = ()

        def on_validation_batch_end(self, trainer, task, outputs, batch, batch_idx):
            self.batches += 1
            self.stages = (*self.stages, trainer.stage)

    counts, rows = Counts(), Rows()
    trainer = fitted(
        frozen_task(held_out=range(5)),
        max_steps=1,
        num_sanity_val_steps=steps,
        callbacks=counts,
        logger=rows,
    )
    assert counts.batches == expected
    assert set(counts.stages) <= {"sanity_check"}
    assert "val_loss" not in trainer.callback_metrics
    assert rows.column("val/loss") == []


def test_the_sanity_check_draws_no_random_number_of_the_run():
    drawn = []

    class Draws(NumberTask):
        def on_validation_start(self):
            random.random()
            np.random.rand()

        def on_train_start(self):
            drawn.append((random.random(), np.random.rand()))

    for steps in (0, 2):
        data = NumberData([1, 2], held_out=[1])
        fitted(Draws(data), max_epochs=1, seed=4, num_sanity_val_steps=steps)
    assert drawn[0] == drawn[1]


# ---- rows


@pytest.mark.parametrize(
    ("every", "expected"), [(1, [1, 2, 3, 4, 5, 6, 7, 8]), (3, [3, 6]), (9, [])]
)
def test_log_every_n_steps(every, expected):
    rows = Rows()
    fitted(frozen_task(), max_epochs=2, log_every_n_steps=every, logger=rows)
    assert [step for step, _ in rows.column("train/loss")] == expected
    assert rows.column("train/loss_epoch") == [(4, 2.5), (8, 2.5)]


# ---- numbers


def test_a_seed_gives_the_same_run_and_another_seed_another():
    def weights(seed):
        task = BoringTask()
        fitted(task, max_epochs=1, seed=seed)
        return task.model.get_weights()[0].tobytes()

    assert weights(1) == weights(1)
    assert weights(1) != weights(2)
    assert get_last_seed() == 2


def test_the_seed_decides_the_order_of_the_data():
    def losses(seed):
        rows = Rows()
        task = frozen_task(range(8), shuffled=True)
        fitted(task, max_epochs=2, seed=seed, logger=rows, log_every_n_steps=1)
        values = [value for _, value in rows.column("train/loss")]
        assert values[:8] != values[8:]
        return values

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_deterministic_switches_tensorflows_own_setting_on():
    try:
        fitted(frozen_task(), max_steps=1, deterministic=True, seed=1)
        assert tf_config.is_op_determinism_enabled()
    finally:
        tf_config.disable_op_determinism()


def test_deterministic_needs_a_seed(monkeypatch):
    monkeypatch.setattr("lightning_tf.seed._last_seed", None)
    with pytest.raises(ConfigurationError, match="deterministic=True needs a seed"):
        fitted(frozen_task(), max_steps=1, deterministic=True)


def test_xla_gives_the_same_weights():
    def weights(jit):
        task = BoringTask()
        fitted(task, max_epochs=2, seed=1, jit_compile=jit)
        return task.model.get_weights()[0]

    np.testing.assert_allclose(weights(True), weights(False), rtol=1e-5, atol=1e-6)


class DividesByZero(NumberTask):
    def training_step(self, batch):
        safe = tf.where(batch > 0.0, 1.0 / batch, 0.0)
        return tf.reduce_mean(safe) * self.weight


def test_detect_anomaly_names_an_operation_and_is_off_again_after():
    data = NumberData([1.0, 0.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?i)truediv|realdiv|numerics"):
        fitted(DividesByZero(data), max_epochs=1, detect_anomaly=True)
    assert float(tf.constant(1.0) / tf.constant(0.0)) == np.inf
    fitted(DividesByZero(data), max_epochs=1)


@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_one_device_is_used_without_a_strategy(accelerator):
    class Looks(NumberTask):
        def configure_model(self):
            self.strategy = tf.distribute.has_strategy()
            super().configure_model()

    task = Looks(NumberData([1]))
    trainer = fitted(task, max_steps=1, accelerator=accelerator, devices=1)
    assert not task.strategy
    assert trainer.is_global_zero


# ---- bad arguments


@pytest.mark.parametrize(
    "argument",
    [
        {"max_epochs": 1.5},
        {"max_steps": "10"},
        {"max_steps": True},
        {"min_steps": -3},
        {"max_time": "1 hour"},
        {"limit_train_batches": 0},
        {"limit_train_batches": 1.5},
        {"limit_val_batches": -1},
        {"limit_test_batches": "all"},
        {"limit_predict_batches": True},
        {"overfit_batches": -1},
        {"overfit_batches": 1.01},
        {"fast_dev_run": -1},
        {"fast_dev_run": 1.5},
        {"fast_dev_run": "yes"},
        {"val_check_interval": 0},
        {"val_check_interval": 1.1},
        {"check_val_every_n_epoch": 0},
        {"num_sanity_val_steps": -2},
        {"accumulate_grad_batches": 0},
        {"gradient_clip_val": -1.0},
        {"gradient_clip_val": "1"},
        {"gradient_clip_val": True},
        {"gradient_clip_val": float("nan")},
        {"gradient_clip_algorithm": "norms"},
        {"callbacks": "early_stopping"},
        {"callbacks": [object()]},
        {"callbacks": [Callback]},
        {"logger": "csv"},
        {"logger": [object()]},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": 1.0},
        {"profiler": "advanced"},
        {"accelerator": "tpu"},
        {"devices": 0},
        {"sync_batchnorm": "yes"},
        {"strategy": "ddp"},
        {"precision": "fp16"},
    ],
    ids=lambda argument: named("{}={!r}".format(*next(iter(argument.items())))),
)
def test_a_bad_value_is_an_error_at_once_that_names_argument_and_value(argument):
    (name, value), *_ = argument.items()
    with pytest.raises(ConfigurationError) as caught:
        Trainer(**quiet(**argument))
    message = str(caught.value)
    assert name.split("_")[0] in message
    assert repr(value[0] if isinstance(value, list) else value).split(" at 0x")[0] in message


def test_an_unknown_argument_is_pythons_own_error():
    with pytest.raises(TypeError, match="gpus"):
        Trainer(gpus=1)


def test_typos_are_guessed():
    with pytest.raises(ConfigurationError, match="Did you mean 'norm'"):
        Trainer(**quiet(gradient_clip_algorithm="nrom"))


@pytest.mark.parametrize("task", [None, "digits", keras.Sequential(), NumberTask])
def test_what_is_no_task_is_refused(task):
    with pytest.raises(ConfigurationError, match="fit got"):
        Trainer(**quiet(max_epochs=1)).fit(task)


@pytest.mark.parametrize(
    ("data", "message"), [(None, r"NumberTask\.data is None"), ("digits", "data are 'digits'")]
)
def test_a_task_needs_data(data, message):
    with pytest.raises(ConfigurationError, match=message):
        Trainer(**quiet(max_epochs=1)).fit(NumberTask(data))


def test_no_training_data_is_an_error():
    with pytest.raises(DataError, match="train_dataset gave nothing"):
        Trainer(**quiet(max_epochs=1)).fit(NumberTask(DataModule()))


def test_what_is_no_dataset_is_an_error():
    class Lists(DataModule):
        def train_dataset(self, epoch):
            return [1, 2, 3]

    with pytest.raises(DataError, match="train_dataset: data set 0 is 1"):
        Trainer(**quiet(max_epochs=1)).fit(NumberTask(Lists()))


# ---- callbacks and loggers


def test_one_callback_or_logger_need_not_be_a_list():
    recorder, rows = Recorder(), Rows()
    trainer = fitted(frozen_task(), max_steps=1, callbacks=recorder, logger=rows)
    assert trainer.callbacks == [rows, recorder]
    assert trainer.logger is rows
    assert recorder.names


@pytest.mark.parametrize("none", [False, None, []])
def test_no_logger(none):
    trainer = fitted(frozen_task(), max_steps=1, logger=none)
    assert trainer.loggers == []
    assert trainer.logger is None
    assert trainer.log_dir is None


def test_a_checkpoint_callback_contradicts_enable_checkpointing_false():
    with pytest.raises(ConfigurationError, match="enable_checkpointing=False"):
        Trainer(**quiet(callbacks=[CheckpointCallback()]))


def test_log_dir_is_the_first_folder_of_a_logger(tmp_path):
    class Foldered(Rows):
        log_dir = str(tmp_path)

    assert Trainer(**quiet(logger=[Rows(), Foldered()])).log_dir == str(tmp_path)


def test_keras_callbacks_are_accepted():
    epochs = []

    class Counts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append((epoch, logs["loss"]))

    trainer = fitted(BoringTask(), max_epochs=2, callbacks=[Counts()])
    assert [epoch for epoch, _ in epochs] == [0, 1]
    assert epochs[1][1] == pytest.approx(trainer.callback_metrics["loss"])


def test_files_go_to_default_root_dir(tmp_path):
    trainer = Trainer(max_epochs=1, default_root_dir=tmp_path, enable_progress_bar=False)
    trainer.fit(frozen_task(held_out=[1]))
    names = {path.name for path in tmp_path.rglob("*")}
    assert any(name.endswith(".csv") for name in names)
    assert "run.json" in names
    assert trainer.log_dir.startswith(str(tmp_path))


# ---- one fit after another


def test_a_second_fit_goes_on_where_the_first_ended():
    task = NumberTask(NumberData([1, 2, 3]))
    trainer = fitted(task, max_epochs=1)
    trainer.fit(task)
    assert trainer.global_step == 3
    trainer.max_epochs = 3
    trainer.fit(task)
    assert (trainer.global_step, trainer.current_epoch) == (9, 3)
    assert float(task.weight) == -18.0


def test_a_second_fit_goes_on_inside_an_epoch():
    task = NumberTask(NumberData([1, 2, 4, 8]), keras.optimizers.SGD(1.0, momentum=0.5))
    trainer = fitted(task, max_steps=3)
    trainer.max_steps = 6
    trainer.fit(task)
    whole = NumberTask(NumberData([1, 2, 4, 8]), keras.optimizers.SGD(1.0, momentum=0.5))
    fitted(whole, max_steps=6)
    assert float(task.weight) == float(whole.weight)
    assert trainer.batch_idx == 2


def test_another_fit_clips_as_the_trainer_says_by_then():
    task = NumberTask(NumberData([1, 2, 3]))
    trainer = fitted(task, max_epochs=1)
    assert float(task.weight) == -6.0
    trainer.max_epochs, trainer.gradient_clip_val = 2, 0.5
    trainer.fit(task)
    assert float(task.weight) == -7.5
    trainer.max_epochs, trainer.gradient_clip_val = 3, None
    trainer.fit(task)
    assert float(task.weight) == -13.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gradient_clip_val", 0.1),
        ("gradient_clip_algorithm", "value"),
        ("precision", "mixed_float16"),
        ("val_check_interval", 1),  # 1.0 is an epoch
        ("limit_val_batches", 1),
    ],
)
def test_what_a_fit_has_read_is_refused_by_name_where_a_hook_sets_it(name, value):
    class Sets(Callback):
        def on_train_epoch_start(self, trainer, task):
            setattr(trainer, name, getattr(trainer, name))  # as it was
            setattr(trainer, name, value)

    task = frozen_task()
    with pytest.raises(ConfigurationError, match=rf"trainer\.{name} is set to .*set it before fit"):
        fitted(task, max_epochs=1, callbacks=[Sets()])


@pytest.mark.parametrize("hook", ["on_optimizers_configured", "on_train_epoch_start"])
def test_a_schedule_that_a_hook_sets_holds_before_the_trace_and_is_refused_after(hook):
    class Schedules(Callback):
        def on_optimizers_configured(self, trainer, task):
            self.act("on_optimizers_configured", trainer)

        def on_train_epoch_start(self, trainer, task):
            self.act("on_train_epoch_start", trainer)

        def act(self, name, trainer):
            if name == hook:
                decay = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 1.0)
                trainer.optimizers[""].learning_rate = decay

    task = NumberTask(NumberData([2, 4]))
    if hook == "on_optimizers_configured":
        fitted(task, max_epochs=1, callbacks=[Schedules()])
        assert float(task.weight) == -3.0
        return
    with pytest.raises(
        ConfigurationError, match=r"learning rate .*ExponentialDecay.*in configure_"
    ):
        fitted(task, max_epochs=1, callbacks=[Schedules()])


def test_another_task_starts_anew():
    trainer = fitted(frozen_task(held_out=[1]), max_epochs=2)
    other = NumberTask(NumberData([1, 2]))
    trainer.fit(other)
    assert (trainer.global_step, trainer.current_epoch) == (4, 2)
    assert "val_loss" not in trainer.callback_metrics


def test_a_fit_after_an_exception_works_and_goes_on():
    class FailsOnce(NumberTask):
        failed = False

        def on_train_epoch_end(self):
            if self.trainer.current_epoch == 1 and not self.failed:
                self.failed = True
                raise RuntimeError("once")

    task = FailsOnce(NumberData([1, 2, 3]))
    trainer = Trainer(**quiet(max_epochs=3))
    with pytest.raises(RuntimeError, match="once"):
        trainer.fit(task)
    trainer.fit(task)
    assert (trainer.global_step, trainer.current_epoch) == (9, 3)
    assert float(task.weight) == -18.0


def test_a_stop_request_does_not_outlive_its_fit():
    class Stops(Callback):
        def on_train_epoch_end(self, trainer, task):
            if trainer.current_epoch == 0:
                trainer.request_stop("enough")

    task = frozen_task()
    trainer = fitted(task, max_epochs=3, callbacks=Stops())
    assert trainer.current_epoch == 1
    trainer.fit(task)
    assert trainer.current_epoch == 3


class Prepares(NumberData):
    def __init__(self, calls):
        super().__init__([1, 2], held_out=[1])
        self.calls = calls

    def prepare_data(self):
        self.calls.append("prepare")

    def setup(self, stage):
        self.calls.append(f"setup {stage}")

    def teardown(self, stage):
        self.calls.append(f"teardown {stage}")


def test_data_are_prepared_once_and_set_up_once_for_each_stage():
    calls = []
    task, trainer = NumberTask(Prepares(calls)), Trainer(**quiet(max_epochs=1))
    trainer.fit(task)
    trainer.fit(task)
    trainer.test(task)
    assert calls == [
        "prepare",
        "setup fit",
        "teardown fit",
        "setup fit",  # its own teardown has released what setup took
        "teardown fit",
        "setup test",
        "teardown test",
    ]


def test_every_new_data_module_is_set_up():
    trainer, calls = Trainer(**quiet(max_steps=1)), []
    for _ in range(5):  # the memory of one is free for the next
        trainer.fit(NumberTask(Prepares(calls)))
        trainer.state.task = None
    assert calls.count("setup fit") == 5


def test_the_task_keeps_its_weights_under_another_trainer():
    task = NumberTask(NumberData([1, 2], held_out=[1]))
    fitted(task, max_epochs=1)
    again = fitted(task, max_epochs=1)
    assert float(task.weight) == -6.0
    assert again.global_step == 2


# ---- what a Trainer tells


def test_optimizers_are_given_by_name():
    trainer = fitted(frozen_task(), max_steps=1)
    assert list(trainer.optimizers) == [""]
    assert Trainer(**quiet()).optimizers == {}


def test_hooks_exist_only_inside_an_entry_point():
    with pytest.raises(ConfigurationError, match="only inside"):
        _ = Trainer(**quiet()).hooks


def test_stages_are_named():
    stages = []

    class Notes(Callback):
        def on_sanity_check_start(self, trainer, task):
            stages.append(trainer.stage)

        def on_train_epoch_start(self, trainer, task):
            stages.append(trainer.stage)

        def on_validation_end(self, trainer, task):
            stages.append(trainer.stage)

        def on_test_end(self, trainer, task):
            stages.append(trainer.stage)

    task = frozen_task(held_out=[1])
    trainer = fitted(task, max_epochs=1, callbacks=Notes())
    trainer.validate(task)
    trainer.test(task)
    assert stages == ["sanity_check", "sanity_check", "train", "validate", "validate", "test"]
    assert trainer.stage is None
