"""What becomes of a run on several workers that is killed, asked to end, or broken on one."""

import logging
import os
import re
import signal
import time

import numpy as np
import pytest
from helpers.on_workers import run, start
from helpers.worker_cases import training

pytestmark = [pytest.mark.distributed, pytest.mark.slow]  # some wait for a heartbeat of 20 s


def started(tmp_path, update):
    """Workers that train, and the process of each, once all have reached an update."""
    process = start("helpers.worker_cases:training", tmp_path)
    pids, printed = {}, []
    for line in process.stdout:
        printed.append(line)
        match = re.match(r"\[(\d)\] pid (\d+) update (\d+)", line)
        if match and int(match[3]) >= update:
            pids[int(match[1])] = int(match[2])
        if len(pids) == 2:
            return process, pids, printed
    raise AssertionError("".join(printed)[-3000:])


def assert_ends_alike(resumed, unbroken):
    for worker in resumed:
        assert worker["resumed"]
        assert worker["step"] == unbroken["step"]
        assert worker["metrics"] == unbroken["metrics"]
        for name, value in unbroken["weights"].items():
            assert np.array_equal(worker["weights"][name], value), name


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The same run, left alone."""
    outcomes, _ = run("helpers.worker_cases:training", tmp_path_factory.mktemp("unbroken"))
    assert outcomes[0]["best"] == outcomes[1]["best"] != ""
    return outcomes[0]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_worker_ends_the_other_and_a_restart_resumes_exactly(tmp_path, unbroken, lost):
    process, pids, printed = started(tmp_path, 50)
    os.kill(pids[lost], signal.SIGKILL)
    killed = time.monotonic()
    rest, _ = process.communicate(timeout=90)
    seconds = time.monotonic() - killed
    printed = "".join(printed) + rest
    print(f"the other worker ended {seconds:.1f} s after the kill of worker {lost}")
    assert seconds < 60
    assert process.returncode == 128 + signal.SIGKILL
    assert re.search(rf"\[{1 - lost}\] .*WorkerLostError: worker {lost} \(127.0.0.1", printed)
    resumed, _ = run("helpers.worker_cases:training", tmp_path)
    assert_ends_alike(resumed, unbroken)


@pytest.mark.parametrize("asked", [0, 1])
def test_sigterm_to_one_worker_ends_all_with_a_checkpoint(tmp_path, unbroken, asked):
    process, pids, printed = started(tmp_path, 30)
    os.kill(pids[asked], signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 143, "".join(printed) + rest
    assert list(tmp_path.glob("runs/*/checkpoints/termination-*.ckpt"))
    resumed, _ = run("helpers.worker_cases:training", tmp_path)
    assert_ends_alike(resumed, unbroken)


def test_sigterm_to_the_launcher_ends_all_workers(tmp_path):
    process, _, _ = started(tmp_path, 30)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_one_worker_asks_for_a_stop_and_all_stop_at_the_same_update(tmp_path):
    (one, other), _ = run("helpers.worker_cases:stopped", tmp_path)
    assert one[0] == other[0] >= 7
    assert other[1] == "worker 1 has seen enough"
    assert one[2] == other[2] > 0


def test_an_error_of_one_worker_ends_the_other(tmp_path):
    began = time.monotonic()
    _, printed = run("helpers.worker_cases:broken", tmp_path, code=1)
    assert time.monotonic() - began < 60
    assert "[1] ValueError: worker 1 cannot read its data" in printed
    assert "WorkerLostError: worker 1 (127.0.0.1" in printed


@pytest.mark.parametrize("order", [(2, 1), (1, 2)])
def test_another_number_of_workers_goes_on_inside_an_epoch_and_nothing_differs(
    tmp_path, caplog, order
):
    said = ""
    for workers, steps in zip(order, (50, 70), strict=True):
        if workers == 1:
            with caplog.at_level(logging.WARNING, "lightning_tf"):
                last = training(tmp_path, steps)
            said += caplog.text
        else:
            (last, _), printed = run("helpers.worker_cases:training", tmp_path, steps)
            said += printed
        assert last["step"] == steps
    assert last["resumed"]
    assert "never interrupted" not in said
