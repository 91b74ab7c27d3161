import os
import signal
import subprocess
import sys
import threading

import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.paths import ROOT, TESTS

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.exceptions import TerminationRequested
from lightning_tf.run.signals import Signals
from lightning_tf.run.termination import TERMINATION


class Sends(Callback):
    """Sends a signal to this process at an update, or inside validation."""

    def __init__(self, number, step=3, hook="on_train_window_end"):
        self.number, self.every_n_steps = number, step
        setattr(self, hook, self._send)

    def _send(self, trainer, task, *args):
        if trainer.stage != "sanity_check" and trainer.global_step == self.every_n_steps:
            os.kill(os.getpid(), self.number)


@pytest.fixture
def handlers():
    """Python's own handlers, put back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def arguments(tmp_path, *callbacks, **others):
    saves = {"enable_checkpointing": True, "default_root_dir": tmp_path}
    return {**quiet(max_epochs=2), **saves, "callbacks": list(callbacks), **others}


def names(tmp_path):
    folder = tmp_path / "checkpoints"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


PROGRAM = """
import sys
sys.path[:0] = sys.argv[2:4]
from helpers.boring import BoringTask
from lightning_tf import Callback, Trainer

class Announce(Callback):
    every_n_steps = 5
    def on_train_window_end(self, trainer, task):
        print("update", trainer.global_step, flush=True)

trainer = Trainer(max_epochs=100_000, default_root_dir=sys.argv[1], enable_progress_bar=False,
                  enable_model_summary=False, callbacks=[Announce()])
trainer.fit(BoringTask())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_real_process_saves_and_exits_with_143(tmp_path, number):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(TESTS), str(ROOT)]
    environment = {**os.environ, "SLURM_JOB_ID": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("update")
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 143
    assert f"{number.name}: training ends here" in errors
    folder = tmp_path / "runs" / "version_0" / "checkpoints"
    written = next(folder.glob("termination-*.ckpt"))
    assert read_checkpoint(written).run["progress"]["global_step"] >= 1
    trainer = Trainer(**arguments(tmp_path / "runs" / "version_0", max_steps=1))
    trainer.signals.check()  # nothing is left in this process


def test_the_window_ends_and_a_checkpoint_is_written(tmp_path, handlers):
    rows = Rows()
    trainer = Trainer(**arguments(tmp_path, Sends(signal.SIGTERM), logger=rows))
    with pytest.raises(TerminationRequested) as raised:
        trainer.fit(BoringTask())
    assert raised.value.code == 143
    assert names(tmp_path) == ["termination-epoch=0-step=3.ckpt"]
    assert rows.ends == ["interrupted"]
    assert TERMINATION.owns(signal.getsignal(signal.SIGTERM))  # until the Trainer is gone
    assert signal.getsignal(signal.SIGINT) is handlers[signal.SIGINT]


@pytest.mark.slow
def test_the_next_checkpoint_takes_the_place_of_the_terminations(tmp_path, handlers):
    with pytest.raises(TerminationRequested):
        Trainer(**arguments(tmp_path, Sends(signal.SIGTERM), seed=0)).fit(BoringTask())
    whole = fitted(BoringTask(), max_epochs=2, seed=0)
    trainer = Trainer(**arguments(tmp_path, seed=0))
    trainer.fit(BoringTask(), ckpt_path="last")
    assert trainer.ckpt_path.endswith("termination-epoch=0-step=3.ckpt")
    assert names(tmp_path) == ["epoch=1-step=8.ckpt"]
    assert trainer.callback_metrics == whole.callback_metrics


def test_a_termination_inside_validation_runs_it_again_on_resume(tmp_path, handlers):
    task = NumberTask(NumberData([1, 2, 3, 4], held_out=[1, 2, 3]))
    sends = Sends(signal.SIGTERM, step=4, hook="on_validation_batch_end")
    with pytest.raises(TerminationRequested):
        Trainer(**arguments(tmp_path, sends)).fit(task)
    assert "val_loss" not in task.trainer.callback_metrics
    again = Trainer(**arguments(tmp_path, max_epochs=1))
    again.fit(NumberTask(NumberData([1, 2, 3, 4], held_out=[1, 2, 3])), ckpt_path="last")
    assert again.callback_metrics["val_loss"] == 2.0
    assert again.global_step == 4


def test_one_that_comes_before_the_first_update_leaves_no_checkpoint(tmp_path, handlers):
    sends = Sends(signal.SIGTERM, step=0, hook="on_train_start")
    trainer = Trainer(**arguments(tmp_path, sends))
    with pytest.raises(TerminationRequested):
        trainer.fit(BoringTask())
    assert trainer.global_step == 0
    assert names(tmp_path) == []


def test_one_that_comes_after_the_last_window_is_not_lost(tmp_path, handlers):
    sends = Sends(signal.SIGTERM, step=8, hook="on_fit_end")
    trainer = Trainer(**arguments(tmp_path, sends))
    with pytest.raises(TerminationRequested):
        trainer.fit(BoringTask())
    assert names(tmp_path) == ["epoch=1-step=8.ckpt"]


def test_an_earlier_handler_runs_and_comes_back(tmp_path, handlers):
    calls = []

    def earlier(number, frame):
        calls.append(number)

    signal.signal(signal.SIGTERM, earlier)
    with pytest.raises(TerminationRequested):
        Trainer(**arguments(tmp_path, Sends(signal.SIGTERM))).fit(BoringTask())
    assert calls == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is earlier


def test_an_earlier_handler_that_raises_is_heard_after_the_window(tmp_path, handlers):
    def earlier(number, frame):
        raise SystemExit(7)

    signal.signal(signal.SIGTERM, earlier)
    asked = ModelCheckpoint(save_on_exception=True)
    trainer = Trainer(**arguments(tmp_path, Sends(signal.SIGTERM), asked))
    with pytest.raises(SystemExit) as raised:
        trainer.fit(BoringTask())
    assert raised.value.code == 7
    assert names(tmp_path) == ["exception-epoch=0-step=3.ckpt"]


def test_a_signal_that_is_ignored_stays_ignored(tmp_path, handlers):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    trainer = Trainer(**arguments(tmp_path, Sends(signal.SIGTERM)))
    trainer.fit(BoringTask())
    assert trainer.global_step == 8


def test_a_handler_that_a_callback_installs_stays(handlers):
    def later(number, frame):
        pass

    class Installs(Callback):
        def on_train_start(self, trainer, task):
            signal.signal(signal.SIGTERM, later)

    fitted(BoringTask(), max_epochs=1, callbacks=[Installs()])
    assert signal.getsignal(signal.SIGTERM) is later


def test_fit_works_outside_the_main_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(fitted(BoringTask(), max_epochs=1)))
    thread.start()
    thread.join()
    assert done[0].global_step == 4


def test_ctrl_c_inside_a_window_waits_for_its_end(tmp_path, handlers):
    class Interrupts(NumberTask):
        def training_step(self, batch):
            here = tf.equal(batch[0], 3.0)
            tf.cond(here, lambda: tf.py_function(interrupt, [], []), lambda: tf.no_op())
            return super().training_step(batch)

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    asked = ModelCheckpoint(save_on_exception=True)
    trainer = Trainer(**arguments(tmp_path, asked, log_every_n_steps=100))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(Interrupts(NumberData([1, 2, 3, 4, 5, 6])))
    # Weights and counters belong together: after n updates the weight is the sum so far.
    step = trainer.global_step
    assert step >= 3
    checkpoint = read_checkpoint(next((tmp_path / "checkpoints").iterdir()))
    assert checkpoint.run["progress"]["global_step"] == step
    assert float(checkpoint.tensors["task.weight.0000.weight"]) == -sum(range(1, step + 1))


def test_a_second_ctrl_c_does_not_wait(handlers):
    signals, seen = Signals(), []

    def press_twice():
        with signals.installed(), signals.held():
            signal.raise_signal(signal.SIGINT)
            seen.append("after the first")
            signal.raise_signal(signal.SIGINT)
            seen.append("never")

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert seen == ["after the first"]


class Slow(NumberData):
    """Data that take for ever to load."""

    def setup(self, stage):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # the handler runs between two of these
            pass
        raise AssertionError("the signal was put off")


def test_a_signal_before_the_first_step_ends_the_run_at_once(handlers):
    with pytest.raises(TerminationRequested):
        fitted(NumberTask(Slow([1.0, 2.0])), max_epochs=1)
