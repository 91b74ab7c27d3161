"""Whoever hangs is told where, and ends; whoever moves is left alone."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from helpers.boring import BoringTask, fitted, quiet
from helpers.paths import SEARCHED

from lightning_tf import Trainer
from lightning_tf.distribute.activity import SILENT_SECONDS, Activity
from lightning_tf.distribute.workers import HEARTBEAT_SECONDS
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.watchdog import THREAD, WORKERS_STEP_SECONDS, Watchdog, _late

STUCK = """
import time
from helpers.boring import BoringTask, fitted
from lightning_tf import Callback

class Sleeps(Callback):
    def on_train_epoch_end(self, trainer, task):
        time.sleep(1e6)

fitted(BoringTask(), max_epochs=2, callbacks=[Sleeps()], step_timeout=3)
"""


def test_a_fit_that_moves_is_left_alone_and_leaves_no_thread():
    trainer = fitted(BoringTask(), max_epochs=2, step_timeout=timedelta(minutes=1))
    assert trainer.watchdog.step_timeout == 60.0
    assert trainer.watchdog.activity.begun > 2  # windows of both epochs, and validations
    assert THREAD not in {thread.name for thread in threading.enumerate()}


def test_one_device_has_no_limit_unless_it_is_given():
    trainer = Trainer(**quiet(max_steps=1))
    assert trainer.watchdog.step_timeout == 0.0
    assert trainer.settings["heartbeat_timeout"] == HEARTBEAT_SECONDS
    assert Watchdog(Two(), None, str).step_timeout == WORKERS_STEP_SECONDS
    assert Watchdog(Two(), 0.0, str).step_timeout == 0.0


class Two:
    """As many workers as the default asks for."""

    count, activity = 2, Activity()


@pytest.mark.distributed
def test_a_step_that_hangs_on_one_device_is_told_and_ends_the_process():
    environment = {**os.environ, "PYTHONPATH": SEARCHED, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(
        [sys.executable, "-c", STUCK],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode not in (0, -9)
    assert "no step has ended for " in ended.stderr
    assert "is in Sleeps.on_train_epoch_end (<string>:8, in on_train_epoch_end)" in ended.stderr
    assert 'File "<string>", line 8 in on_train_epoch_end' in ended.stderr


def test_the_workers_that_have_come_least_far_are_waited_for():
    reports = {i: {"begun": begun} for i, begun in enumerate((8, 7, 8, 7))}
    assert _late(reports) == {1, 3}
    assert _late({**reports, 2: None}) == {2}


def test_a_process_that_was_stopped_is_not_one_that_hangs(monkeypatch):
    activity = Activity()
    activity.look()
    assert activity.silence(within=10.0) == 0.0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 40.0)
    assert activity.silence(within=10.0) == pytest.approx(40.0, abs=1.0)
    assert activity.seconds < SILENT_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: now + 41.0)
    activity.look()
    monkeypatch.setattr(time, "monotonic", lambda: now + 45.0)
    activity.look()
    assert activity.silence(within=2.0) == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("heartbeat_timeout", 1), ("step_timeout", -1), ("step_timeout", "5"), ("step_timeout", True)],
)
def test_a_timeout_that_cannot_work_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} is {value!r}; give seconds"):
        Trainer(**quiet(max_steps=1, **{name: value}))
