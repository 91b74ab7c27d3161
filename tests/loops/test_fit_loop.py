import logging
import os
import signal
import subprocess
import sys
import time
from itertools import groupby

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, Rows, fitted, quiet
from helpers.paths import SEARCHED

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EarlyStopping
from lightning_tf.exceptions import ConfigurationError, DataError, NonFiniteLossError

VALIDATION = [
    f"on_validation_{part}" for part in ("start", "epoch_start", "window_end", "epoch_end", "end")
]


def frozen_task(numbers, **data):
    """A task whose weight does not move, so that losses are the numbers."""
    return NumberTask(NumberData(numbers, **data), keras.optimizers.SGD(0.0))


# ---- the order of hooks


def test_hooks_come_in_the_documented_order():
    recorder = Recorder()
    fitted(frozen_task([1, 2], held_out=[3]), max_epochs=2, callbacks=recorder)
    # How many windows an epoch of two batches takes is the clock's business.
    names = [name for name, _ in groupby(recorder.names)]
    epoch = ["on_train_epoch_start", "on_train_window_end", *VALIDATION, "on_train_epoch_end"]
    assert names == [
        "setup",
        "on_optimizers_configured",
        "on_fit_start",
        "on_sanity_check_start",
        *VALIDATION,
        "on_sanity_check_end",
        "on_train_start",
        *epoch,
        *epoch,
        "on_train_end",
        "on_fit_end",
        "teardown",
    ]


def test_batch_hooks_lie_around_each_batch_and_inside_the_epoch():
    recorder = Recorder(batches=True)
    fitted(
        frozen_task([1, 2], held_out=[3]), max_epochs=1, callbacks=recorder, num_sanity_val_steps=0
    )
    one = ["on_train_batch_start", "on_train_batch_end", "on_train_window_end"]
    start, epoch_start, window_end, epoch_end, end = VALIDATION
    assert recorder.names[3:-3] == [
        "on_train_start",
        "on_train_epoch_start",
        *one,
        *one,
        start,
        epoch_start,
        "on_validation_batch_start",
        "on_validation_batch_end",
        window_end,
        epoch_end,
        end,
        "on_train_epoch_end",
    ]


def test_a_task_has_the_same_hooks():
    names = []

    class Hooked(NumberTask):
        def __getattr__(self, name):
            if name.startswith("on_") and "_batch_" not in name:
                return lambda *args: names.append(name)
            raise AttributeError(name)

    recorder = Recorder()
    fitted(Hooked(NumberData([1], held_out=[2])), max_epochs=1, callbacks=recorder)
    assert names == [name for name in recorder.names if name.startswith("on_")]


class Batches(Callback):
    def __init__(self):
        self.calls = []

    def on_train_batch_start(self, trainer, task, batch_idx):
        self.calls.append(("start", batch_idx, trainer.batch_idx, trainer.global_step))

    def on_train_batch_end(self, trainer, task, outputs, batch_idx):
        self.calls.append(("end", batch_idx, outputs["loss"], trainer.global_step))


def test_batch_hooks_are_honoured_exactly(caplog):
    callback = Batches()
    with caplog.at_level(logging.INFO, "lightning_tf"):
        fitted(frozen_task([5, 6, 7], batch_size=2), max_epochs=2, callbacks=callback)
    epoch = [("start", 0, 0, 0), ("end", 0, 5.5, 1), ("start", 1, 1, 1), ("end", 1, 7.0, 2)]
    assert callback.calls[:4] == epoch
    assert [call[:3] for call in callback.calls[4:]] == [call[:3] for call in epoch]
    assert caplog.text.count("windows of one batch") == 1


def test_a_batch_that_completes_no_update_has_hooks_too():
    callback = Batches()
    fitted(frozen_task([1, 2, 3]), max_epochs=1, callbacks=callback, accumulate_grad_batches=2)
    assert [call[3] for call in callback.calls if call[0] == "end"] == [0, 1, 2]


def test_validation_is_announced_to_the_window_before_it():
    class Sees(Callback):
        def __init__(self):
            self.due, self.validated = [], []

        def on_train_window_end(self, trainer, task):
            if trainer.validation_due:
                self.due.append(trainer.global_step)

        def on_validation_end(self, trainer, task):
            if trainer.stage == "validate":
                self.validated.append(trainer.global_step)

    sees = Sees()
    task = frozen_task(range(10), held_out=[1])
    fitted(task, max_epochs=2, callbacks=sees, val_check_interval=4)
    assert sees.due == sees.validated == [4, 8, 14, 18]


# ---- windows of every length are the same run


class Wakes(Callback):
    logs_metrics = False

    def __init__(self, every):
        self.every_n_steps = every


class Learns(BoringTask):
    """Dropout, slots, a schedule and statistics: all that could depend on the windows."""

    def configure_model(self):
        layers = [keras.layers.Dense(4), keras.layers.BatchNormalization()]
        layers += [keras.layers.Dropout(0.3), keras.layers.Dense(2)]
        self.model = keras.Sequential([keras.Input((32,)), *layers])

    def configure_optimizers(self):
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20))

    def validation_step(self, batch):
        logits = self.model(batch[0], training=False)
        self.update_metrics(batch[1], logits)
        return tf.reduce_mean(logits)


def run_with(**arguments):
    rows, task = Rows(), Learns()
    task.data.batch_size = 12  # six batches an epoch, the last of four
    defaults = {"max_epochs": 3, "seed": 1, "log_every_n_steps": 6, "logger": rows}
    fitted(task, **{**defaults, **arguments})
    return [weight.tobytes() for weight in task.model.get_weights()], rows.rows


@pytest.fixture(scope="module")
def plain_run():
    return run_with()


@pytest.mark.parametrize(
    "arguments",
    [
        {"callbacks": [Batches()]},
        pytest.param({"callbacks": [Wakes(1)]}, marks=pytest.mark.slow),
        {"callbacks": [Wakes(4), Wakes(5)]},
        pytest.param({"num_sanity_val_steps": 0}, marks=pytest.mark.slow),
        pytest.param({"num_sanity_val_steps": -1}, marks=pytest.mark.slow),
    ],
    ids=["watched", "one", "uneven", "no sanity check", "whole sanity check"],
)
def test_windows_of_other_lengths_give_the_same_weights_and_rows(plain_run, arguments):
    weights, rows = run_with(**arguments)
    assert weights == plain_run[0]
    assert rows == plain_run[1]


@pytest.mark.parametrize("every", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_how_often_rows_are_written_changes_no_weight(plain_run, every):
    weights, rows = run_with(log_every_n_steps=every)
    assert weights == plain_run[0]

    def epochs(rows):
        return [row["train/loss_epoch"] for _, row in rows if "train/loss_epoch" in row]

    np.testing.assert_allclose(epochs(rows), epochs(plain_run[1]), rtol=1e-6)


def test_an_uneven_last_batch_is_trained_and_weighed():
    rows = Rows()
    task = NumberTask(NumberData(range(1, 11), 4), keras.optimizers.SGD(1.0))
    fitted(task, max_epochs=1, logger=rows, log_every_n_steps=1)
    assert float(task.weight) == -(2.5 + 6.5 + 9.5)


# ---- lengths


def test_an_unknown_length_ends_inside_a_window():
    class Ends(Callback):
        epochs = ()

        def on_train_epoch_end(self, trainer, task):
            self.epochs = (*self.epochs, (trainer.batch_idx, trainer.global_step))

    ends = Ends()
    task = frozen_task(range(37), length="unknown", held_out=[1])
    trainer = fitted(task, max_epochs=3, callbacks=ends)
    assert ends.epochs == ((37, 37), (37, 74), (37, 111))
    assert trainer.num_training_batches == 37
    assert trainer.callback_metrics["loss"] == 18.0


@pytest.mark.parametrize("count", [1, 2])
def test_an_unknown_length_of_very_few_batches_ends(count):
    trainer = fitted(frozen_task(range(count), length="unknown"), max_epochs=2)
    assert trainer.global_step == 2 * count


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_empty_data_are_an_error(length):
    with pytest.raises(DataError, match="train_dataset is empty"):
        fitted(frozen_task(np.zeros([0]), length=length), max_epochs=1)


def test_data_that_run_dry_are_an_error_and_no_endless_loop():
    class RunsDry(NumberData):
        def train_dataset(self, epoch):
            few = super().train_dataset(epoch)
            return few.filter(lambda x: epoch == 0)

    with pytest.raises(DataError, match="train_dataset is empty"):
        fitted(NumberTask(RunsDry([1, 2])), max_steps=10)


class Sees(NumberTask):
    """Keeps the numbers that it was trained on."""

    def configure_model(self):
        super().configure_model()
        self.seen = keras.Variable(np.zeros(64, "float32"), trainable=False)
        self.count = keras.Variable(0, trainable=False, dtype="int32")

    def training_step(self, batch):
        self.seen.assign_add(tf.one_hot(self.count, 64) * batch[0])
        self.count.assign_add(1)
        return super().training_step(batch)

    def numbers(self):
        return np.asarray(self.seen)[: int(self.count)].tolist()


STREAM = {"limit_train_batches": 4, "num_sanity_val_steps": 0}


def endless():
    return Sees(NumberData([1, 2, 3, 4, 5], length="endless"))


def test_endless_data_go_on_where_the_last_epoch_ended():
    task = endless()
    trainer = fitted(task, max_epochs=3, **STREAM)
    assert task.numbers() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]
    assert trainer.num_training_batches == 4
    trainer.max_epochs = 4
    trainer.fit(task)
    assert task.numbers()[12:] == [3, 4, 5, 1]


@pytest.mark.parametrize("steps", [3, 4, 6, 9])
def test_a_resumed_run_goes_on_in_endless_data(steps, tmp_path):
    fitted(endless(), max_steps=steps, **STREAM).save_checkpoint(tmp_path / "c")
    task = endless()
    Trainer(**quiet(max_epochs=3, **STREAM)).fit(task, ckpt_path=tmp_path / "c")
    assert task.numbers() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]


def test_a_limit_of_data_that_end_takes_the_first_of_every_epoch():
    task = Sees(NumberData([1, 2, 3, 4, 5]))
    fitted(task, max_epochs=2, **STREAM)
    assert task.numbers() == [1, 2, 3, 4] * 2


def test_endless_data_end_where_a_limit_says_so():
    task = frozen_task([1, 2, 3], length="endless")
    trainer = fitted(task, max_epochs=2, limit_train_batches=5)
    assert (trainer.global_step, trainer.current_epoch) == (10, 2)
    assert fitted(frozen_task([1, 2], length="endless"), max_steps=7).global_step == 7


# ---- stops


class Stops(Callback):
    """Asks for a stop at the given moments."""

    def __init__(self, hook, wants):
        setattr(self, hook, lambda trainer, task, *rest: self.judge(trainer, wants))

    def judge(self, trainer, wants):
        if wants(trainer):
            trainer.request_stop("enough")


def test_a_stop_at_an_epochs_end_ends_training():
    stops = Stops("on_train_epoch_end", lambda trainer: trainer.current_epoch == 1)
    trainer = fitted(frozen_task([1, 2]), max_epochs=9, callbacks=stops)
    assert trainer.current_epoch == 2


def test_a_stop_inside_an_epoch_ends_it_there_and_validates_once():
    counts = Recorder()
    wakes = Wakes(1)
    stops = Stops("on_train_window_end", lambda trainer: trainer.global_step == 3)
    task = frozen_task(range(10), held_out=[1])
    trainer = fitted(task, max_epochs=9, callbacks=[wakes, stops, counts], num_sanity_val_steps=0)
    assert trainer.global_step == 3
    assert counts.names.count("on_validation_end") == 1
    assert counts.names.count("on_train_epoch_end") == 1
    assert counts.names[-4:] == ["on_train_epoch_end", "on_train_end", "on_fit_end", "teardown"]


@pytest.mark.parametrize(
    ("minimum", "wants", "expected"),
    [
        ({"min_epochs": 4}, lambda epoch: epoch >= 1, 4),
        ({"min_epochs": 4}, lambda epoch: epoch == 1, 4),
        ({"min_steps": 7}, lambda epoch: True, 2),
        ({"min_steps": 6}, lambda epoch: True, 2),
        ({"min_epochs": 3, "min_steps": 13}, lambda epoch: True, 4),
    ],
)
def test_a_stop_under_a_minimum_waits_for_it(minimum, wants, expected):
    stops = Stops("on_train_epoch_end", lambda trainer: wants(trainer.current_epoch))
    trainer = fitted(frozen_task([1, 2, 3]), max_epochs=9, callbacks=stops, **minimum)
    assert trainer.current_epoch == expected
    assert trainer.global_step == minimum.get("min_steps", 3 * expected)


def test_a_stop_that_is_asked_for_at_every_step_comes_at_min_steps():
    stops = Stops("on_train_window_end", lambda trainer: True)
    trainer = fitted(frozen_task(range(5)), max_epochs=9, callbacks=[Wakes(1), stops], min_steps=8)
    assert trainer.global_step == 8
    trainer = fitted(frozen_task(range(5)), max_epochs=9, callbacks=[Wakes(1), stops], min_epochs=2)
    assert (trainer.global_step, trainer.current_epoch) == (10, 2)


# ---- failures


class Boom(Exception):
    pass


HOOKS = [
    "setup",
    "on_fit_start",
    "on_sanity_check_start",
    "on_validation_start",
    "on_validation_batch_end",
    "on_validation_epoch_end",
    "on_sanity_check_end",
    "on_train_start",
    "on_train_epoch_start",
    "on_train_batch_start",
    "on_train_batch_end",
    "on_train_window_end",
    "on_train_epoch_end",
    "on_train_end",
    "on_fit_end",
    "teardown",
]


@pytest.mark.parametrize("hook", HOOKS)
def test_an_exception_in_any_hook_leaves_unchanged(hook):
    callback, recorder, rows = Callback(), Recorder(), Rows()
    error = Boom(hook)

    def fails(*args):
        raise error

    setattr(callback, hook, fails)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[recorder, callback], logger=rows))
    with pytest.raises(Boom) as caught:
        trainer.fit(frozen_task([1, 2], held_out=[1]))
    assert caught.value is error
    assert recorder.names.count("on_exception") == 1
    assert rows.ends == ["failed"]
    assert trainer.stage is None
    delattr(callback, hook)
    trainer.fit(frozen_task([1, 2], held_out=[1]))
    assert trainer.global_step == 2
    assert rows.ends == ["failed", "success"]


@pytest.mark.parametrize("step", ["training_step", "validation_step", "configure_model"])
def test_an_exception_in_a_step_leaves_unchanged(step):
    recorder, rows, error = Recorder(), Rows(), Boom(step)
    task = frozen_task([1, 2], held_out=[1])

    def fails(*args):
        raise error

    setattr(task, step, fails)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=recorder, logger=rows))
    with pytest.raises(Boom) as caught:
        trainer.fit(task)
    assert caught.value is error
    assert recorder.names.count("on_exception") == 1
    assert rows.ends == ["failed"]
    delattr(task, step)
    trainer.fit(task)
    assert trainer.global_step == 2


def test_an_exception_in_the_data_leaves():
    class Breaks(NumberData):
        closed = 0

        def train_dataset(self, epoch):
            def check(x):
                with tf.control_dependencies([tf.debugging.assert_less(x, 3.0)]):
                    return tf.identity(x)

            return super().train_dataset(epoch).map(check)

        def teardown(self, stage):
            self.closed += 1

    recorder, data = Recorder(), Breaks([1, 2, 3, 4])
    with pytest.raises(tf.errors.InvalidArgumentError):
        fitted(NumberTask(data), max_epochs=1, callbacks=recorder)
    assert recorder.names.count("on_exception") == 1
    assert data.closed == 1


def test_one_failing_on_exception_does_not_silence_the_others(caplog):
    class FailsTwice(Callback):
        def on_train_start(self, trainer, task):
            raise Boom("first")

        def on_exception(self, trainer, task, exception):
            raise Boom("second")

    recorder, rows = Recorder(), Rows()
    with pytest.raises(Boom, match="first"):
        fitted(frozen_task([1]), max_epochs=1, callbacks=[FailsTwice(), recorder], logger=rows)
    assert recorder.names[-1] == "on_exception"
    assert rows.ends == ["failed"]
    assert "second" in caplog.text


def test_ctrl_c_is_raised_again_after_everybody_was_told():
    class Interrupts(Callback):
        received = None

        def on_train_window_end(self, trainer, task):
            raise KeyboardInterrupt

        def on_exception(self, trainer, task, exception):
            self.received = exception

    interrupts, rows = Interrupts(), Rows()
    with pytest.raises(KeyboardInterrupt):
        fitted(frozen_task([1, 2]), max_epochs=1, callbacks=interrupts, logger=rows)
    assert isinstance(interrupts.received, KeyboardInterrupt)
    assert rows.ends == ["interrupted"]


ENDLESS = """
import sys
from helpers.boring import NumberData, NumberTask, Rows, quiet
from lightning_tf import Callback, Trainer

class Tells(Callback):
    def on_train_window_end(self, trainer, task):
        print("training", flush=True)
    def on_exception(self, trainer, task, exception):
        print("told", type(exception).__name__, flush=True)

rows = Rows()
trainer = Trainer(**quiet(max_steps=10**12, callbacks=Tells(), logger=rows))
try:
    trainer.fit(NumberTask(NumberData([1.0], length="endless")))
finally:
    print("closed", *rows.ends, flush=True)
"""


@pytest.mark.slow
def test_a_real_sigint_ends_a_process_soon_and_cleanly(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": SEARCHED},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        for _ in range(8):
            assert process.stdout.readline() == "training\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - began < 10.0
    assert out.splitlines()[-2:] == ["told KeyboardInterrupt", "closed interrupted"]
    assert errors.rstrip().endswith("KeyboardInterrupt")


# ---- losses that go bad


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 3, 8])
def test_a_loss_that_is_not_finite_says_the_exact_update(bad, position):
    numbers = np.ones(9)
    numbers[position] = bad
    recorder = Recorder()
    pattern = rf"at update {9 + position + 1} \(epoch 1, batch {position}\)"

    class SecondEpoch(NumberData):
        def train_dataset(self, epoch):
            return NumberData(numbers if epoch == 1 else np.ones(9)).train_dataset(epoch)

    task = NumberTask(SecondEpoch([1.0]), keras.optimizers.SGD(0.0))
    with pytest.raises(NonFiniteLossError, match=pattern):
        fitted(task, max_epochs=3, log_every_n_steps=4, callbacks=recorder)
    assert recorder.names.count("on_exception") == 1


def test_under_accumulation_the_update_and_the_batch_are_named():
    task = frozen_task([1, 1, 1, 1, 1, np.nan, 1])
    with pytest.raises(NonFiniteLossError, match=r"at update 3 \(epoch 0, batch 5\)"):
        fitted(task, max_epochs=1, accumulate_grad_batches=2, log_every_n_steps=100)


def test_a_bad_logged_value_is_no_bad_loss():
    class Logs(NumberTask):
        def training_step(self, batch):
            self.log("undefined", tf.constant(np.nan))
            return super().training_step(batch)

    trainer = fitted(Logs(NumberData([1, 2])), max_epochs=1)
    assert np.isnan(trainer.callback_metrics["undefined"])


def test_the_second_of_two_losses_is_watched_too():
    class Two(NumberTask):
        def configure_model(self):
            self.first, self.second = keras.Variable(0.0), keras.Variable(0.0)

        def configure_optimizers(self):
            return {"first": keras.optimizers.SGD(0.0), "second": keras.optimizers.SGD(0.0)}

        def training_step(self, batch):
            return {"first": self.first * 1.0, "second": (1.0 + self.second) * tf.reduce_sum(batch)}

    with pytest.raises(NonFiniteLossError, match="at update 2 "):
        fitted(Two(NumberData([1, np.nan, 1])), max_epochs=1)


def test_a_callback_that_tolerates_a_bad_loss_gets_its_turn():
    class Tolerates(Callback):
        tolerates_nonfinite_loss = True
        seen = None

        def on_train_epoch_end(self, trainer, task):
            self.seen = trainer.callback_metrics["loss"]

    tolerates = Tolerates()
    fitted(frozen_task([1, np.nan]), max_epochs=1, callbacks=tolerates)
    assert np.isnan(tolerates.seen)


# ---- what callbacks read


def test_running_metrics_are_the_epochs_so_far():
    class Looks(Wakes):
        def __init__(self):
            super().__init__(1)
            self.seen = []

        def on_train_window_end(self, trainer, task):
            self.seen.append(trainer.running_metrics()["loss"])

    looks = Looks()
    rows = Rows()
    fitted(frozen_task([1, 2, 6]), max_epochs=2, callbacks=looks, logger=rows, log_every_n_steps=2)
    assert looks.seen == [1.0, 1.5, 3.0] * 2
    assert rows.column("train/loss") == [(2, 1.5), (4, 3.5), (6, 4.0)]


def test_metrics_know_the_step_at_which_they_were_measured():
    class Sees(Callback):
        def __init__(self):
            self.seen = []

        def on_train_epoch_end(self, trainer, task):
            self.seen.append(dict(trainer.metric_steps))

    sees = Sees()
    task = frozen_task(range(5), held_out=[1])
    fitted(task, max_epochs=3, callbacks=sees, check_val_every_n_epoch=2, log_every_n_steps=100)
    assert sees.seen == [{"loss": 5}, {"loss": 10, "val_loss": 10}, {"loss": 15, "val_loss": 10}]


def test_names_of_metrics_are_known_when_training_starts():
    class Asks(Callback):
        logs_metrics = False
        names = None

        def on_train_start(self, trainer, task):
            self.names = trainer.metric_names()

    asks = Asks()
    fitted(BoringTask(), max_epochs=1, callbacks=asks, num_sanity_val_steps=0)
    assert asks.names == ({"loss", "accuracy", "val_loss", "val_accuracy"}, True)


# ---- validation that never comes

NEVER = {
    "every third epoch of two": {"check_val_every_n_epoch": 3},
    "more batches than there are": {"val_check_interval": 9, "check_val_every_n_epoch": None},
}


@pytest.mark.parametrize("arguments", NEVER.values(), ids=NEVER)
def test_a_monitor_of_validation_that_never_comes_is_refused_and_told(arguments, caplog):
    trainer = Trainer(**quiet(**{"max_epochs": 2, **arguments}))  # of four batches each
    trainer.fit(BoringTask())
    assert "val_loss" not in trainer.callback_metrics
    assert "validation never runs" in caplog.text

    trainer = Trainer(
        **quiet(**{"max_epochs": 2, **arguments, "callbacks": EarlyStopping("val_loss")})
    )
    with pytest.raises(ConfigurationError, match=r"'val_loss'.*nothing logs it"):
        trainer.fit(BoringTask())
    assert trainer.global_step == 0


COMES = {
    "every second epoch of two": {"check_val_every_n_epoch": 2},
    "as many updates": {"max_steps": 4},
    "as many batches": {"val_check_interval": 8, "check_val_every_n_epoch": None},
    "half an epoch": {"max_steps": 2, "val_check_interval": 0.5},
    "accumulation": {"max_steps": 1, "accumulate_grad_batches": 4},
    "fast_dev_run": {"fast_dev_run": True, "check_val_every_n_epoch": 3},
}


@pytest.mark.parametrize("arguments", COMES.values(), ids=COMES)
def test_a_monitor_of_validation_that_comes_once_is_taken(arguments, caplog):
    arguments = {"max_epochs": 2, **arguments, "callbacks": EarlyStopping("val_loss")}
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(BoringTask())
    assert "val_loss" in trainer.callback_metrics
    assert "never" not in caplog.text


CUT_SHORT = {
    "an epoch": {"max_steps": 3},
    "accumulation": {
        "max_epochs": None,
        "max_steps": 1,
        "val_check_interval": 8,
        "check_val_every_n_epoch": None,
        "accumulate_grad_batches": 4,
    },
}


@pytest.mark.parametrize("arguments", CUT_SHORT.values(), ids=CUT_SHORT)
def test_a_run_that_max_steps_cuts_short_of_validation_is_told_and_goes_on(arguments, caplog):
    arguments = {"max_epochs": 2, **arguments, "callbacks": EarlyStopping("val_loss")}
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(BoringTask())
    assert trainer.global_step == arguments["max_steps"]
    assert "validation never runs" in caplog.text
