"""`launch --max-restarts` brings a run to the end that nobody had killed; real processes."""

import os
import signal

import numpy as np
import pytest
from helpers.on_workers import run

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

TRAINING = "helpers.worker_cases:killed_training"


@pytest.mark.parametrize("lost", [0, 1])
def test_a_worker_killed_under_launch_ends_with_the_bits_of_an_undisturbed_run(tmp_path, lost):
    unbroken, _ = run("helpers.worker_cases:training", tmp_path / "unbroken", 120, None)
    restarted, printed = run(
        TRAINING, tmp_path / "killed", lost, launch=["--max-restarts", "2"], timeout=240
    )
    assert f"worker {lost} ended with {signal.SIGKILL.name}" in printed
    assert f"WorkerLostError: worker {lost} (127.0.0.1" in printed
    assert printed.count("restart 1 of 2") == 1
    assert "restart 1: fit goes on from what it saved last." in printed
    assert "restart 2 of 2" not in printed
    for worker in restarted:
        assert worker["resumed"]
        assert worker["step"] == unbroken[0]["step"] == 120
        assert worker["metrics"] == unbroken[0]["metrics"]
        for name, value in unbroken[0]["weights"].items():
            assert np.array_equal(worker["weights"][name], value), name
    assert os.listdir(tmp_path / "killed" / "runs") == ["version_0"]


def test_without_restarts_the_code_is_that_of_the_killed_worker(tmp_path):
    run(TRAINING, tmp_path, 1, code=128 + signal.SIGKILL)
    log = (tmp_path / "logs" / "worker_0.log").read_text()
    assert "WorkerLostError: worker 1 (127.0.0.1" in log


def test_an_error_of_the_program_on_one_worker_is_not_tried_again(tmp_path):
    _, printed = run(
        "helpers.worker_cases:broken", tmp_path, code=1, launch=["--max-restarts", "3"]
    )
    assert "ValueError: worker 1 cannot read its data" in printed
    assert "restart 1" not in printed
