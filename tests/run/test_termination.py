"""A program that is asked to end outside of fit ends cleanly, with the code for "try again"."""

import gc
import os
import signal
import subprocess
import sys
import threading

import pytest
from helpers.boring import BoringTask, quiet
from helpers.paths import ROOT, TESTS

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import TerminationRequested
from lightning_tf.run.termination import TERMINATION, TerminationGuard


class Owner:
    """Stands for a Trainer."""


@pytest.fixture
def guard(monkeypatch):
    """A guard of its own, where SIGTERM and SIGUSR1 have their default actions."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    before = {n: signal.signal(n, signal.SIG_DFL) for n in (signal.SIGTERM, signal.SIGUSR1)}
    yield TerminationGuard()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_raises_after_one_sentence(guard, caplog, number):
    owner = Owner()
    guard.watch(owner)
    with pytest.raises(TerminationRequested) as raised:
        signal.raise_signal(number)
    assert (raised.value.code, raised.value.signal) == (143, number.name)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{number.name}: the program ends here, outside of fit")
    signal.raise_signal(number)  # of a launcher and of a scheduler: one request


def test_the_default_action_comes_back_with_the_last_trainer(guard):
    one, other = Owner(), Owner()
    guard.watch(one)
    guard.watch(other)
    del one
    assert guard.owns(signal.getsignal(signal.SIGTERM))
    del other
    gc.collect()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


@pytest.mark.parametrize("present", [signal.SIG_IGN, lambda number, frame: None])
def test_handlers_of_the_user_stay(guard, present):
    owner = Owner()
    signal.signal(signal.SIGTERM, present)
    guard.watch(owner)
    assert signal.getsignal(signal.SIGTERM) is present
    del owner
    assert signal.getsignal(signal.SIGTERM) is present


def test_a_wait_of_tensorflow_keeps_the_default_action(guard):
    owner = Owner()
    guard.watch(owner)
    with guard.paused():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert guard.owns(signal.getsignal(signal.SIGTERM))


def test_nothing_is_installed_outside_the_main_thread(guard):
    thread = threading.Thread(target=lambda: guard.watch(Owner()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_nothing_is_installed_under_ipython(guard, monkeypatch):
    monkeypatch.setattr("lightning_tf.run.termination.in_ipython", lambda: True)
    owner = Owner()
    guard.watch(owner)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_forked_child_has_the_default_action(guard):
    owner = Owner()
    guard.watch(owner)
    guard._process += 1  # as if this were a child of the one that watches
    seen = []
    guard_action = signal.raise_signal
    try:
        signal.raise_signal = seen.append
        guard_action(signal.SIGTERM)
    finally:
        signal.raise_signal = guard_action
    assert seen == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


class Sends(Callback):
    """Asks this process to end in the first batch."""

    def on_test_batch_end(self, trainer, task, outputs, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGTERM)

    on_validation_batch_end = on_test_batch_end

    def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("test", "SIGTERM: test ends here."),
        ("validate", "SIGTERM: validate ends here."),
        ("predict", "SIGTERM: the program ends here, outside of fit"),
    ],
)
def test_every_entry_point_ends_with_one_sentence(guard, caplog, monkeypatch, entry_point, said):
    monkeypatch.setattr(TERMINATION, "_raised_at", -10.0)  # by the test before, a moment ago
    trainer = Trainer(**quiet(max_epochs=1), callbacks=[Sends()])
    with pytest.raises(TerminationRequested):
        list(getattr(trainer, entry_point)(BoringTask()))
    (line,) = [r.getMessage() for r in caplog.records if "SIGTERM" in r.getMessage()]
    assert line.startswith(said)


PROGRAM = """
import os, signal, sys
sys.path[:0] = sys.argv[1:3]
from helpers.boring import BoringTask
from lightning_tf import Trainer

trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False)
for batch in trainer.predict(BoringTask()):
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.slow
def test_a_script_that_iterates_predictions_ends_and_does_not_hang():
    """At the interpreter's end, where the exception let go of the data, a thread was started."""
    command = [sys.executable, "-c", PROGRAM, str(TESTS), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 143
    assert "SIGTERM: the program ends here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_command_ends_cleanly_while_it_imports_tensorflow(tmp_path):
    command = [sys.executable, "-m", "lightning_tf", "fit", "--task", "ImageClassification"]
    process = subprocess.Popen(
        [*command, "--data", "digits", "--max_epochs", "1"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "loading TensorFlow" in process.stderr.readline()
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "SIGTERM: the program ends here" in said


LOST = """
import sys
sys.path[:0] = sys.argv[1:3]
from helpers.boring import BoringTask
from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import WorkerLostError

class Loses(Callback):
    def on_train_start(self, trainer, task):
        raise WorkerLostError("worker 1 is gone")

trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, callbacks=[Loses()])
trainer.fit(BoringTask())
"""


@pytest.mark.slow
def test_a_script_that_loses_a_worker_exits_with_the_code_for_try_again():
    command = [sys.executable, "-c", LOST, str(TESTS), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 143
    assert done.stderr.rstrip().endswith("WorkerLostError: worker 1 is gone")
