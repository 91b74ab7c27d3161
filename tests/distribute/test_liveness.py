"""Workers that pause go on, workers that hang are named, and all leave together."""

import os
import pickle
import re
import signal
import time

import numpy as np
import pytest
from helpers.on_workers import run, start

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


def started(case, folder, *arguments, update=20):
    """Workers that train, the process of each once both have reached an update, what they said."""
    process = start(f"helpers.liveness_cases:{case}", folder, *arguments)
    pids, printed = {}, []
    for line in process.stdout:
        printed.append(line)
        match = re.match(r"\[(\d)\] pid (\d+) update (\d+)", line)
        if match and int(match[3]) >= update:
            pids[int(match[1])] = int(match[2])
        if len(pids) == 2:
            return process, pids, printed
    process.communicate()
    raise AssertionError("".join(printed)[-3000:])


def test_the_other_worker_leaves_when_the_chiefs_last_checkpoint_stands(tmp_path):
    process, pids, printed = started("slow_chief", tmp_path, 8)
    os.kill(pids[1], signal.SIGTERM)
    rest, _ = process.communicate(timeout=90)
    printed = "".join(printed) + rest
    assert process.returncode == 143, printed
    (written,) = re.findall(r"\[0\] written at ([\d.]+)", printed)
    left = {i: float(at) for i, at in re.findall(r"\[(\d)\] left at ([\d.]+)", printed)}
    assert float(written) <= min(left.values())
    assert max(left.values()) - min(left.values()) < 2
    assert "[1] worker 1 waits for the chief, which writes the last checkpoint, at most" in printed
    assert list(tmp_path.glob("runs/*/checkpoints/termination-*.ckpt"))


@pytest.mark.parametrize("paused", [0, 1])
def test_a_pause_of_45_seconds_changes_nothing(tmp_path, paused):
    unbroken, _ = run("helpers.liveness_cases:training", tmp_path / "unbroken")
    folder = tmp_path / "paused"
    folder.mkdir()
    process, pids, _ = started("training", folder)
    os.kill(pids[paused], signal.SIGSTOP)
    time.sleep(45)
    os.kill(pids[paused], signal.SIGCONT)
    rest, _ = process.communicate(timeout=90)
    assert process.returncode == 0, rest
    for index, alone in enumerate(unbroken):
        weights = pickle.loads((folder / f"worker_{index}.pickle").read_bytes())
        assert all(np.array_equal(weights[name], value) for name, value in alone.items())


@pytest.mark.parametrize("slept", [0, 1])
def test_a_worker_that_slept_too_long_says_so_itself(tmp_path, slept):
    process, pids, printed = started("short_patience", tmp_path)
    os.kill(pids[slept], signal.SIGSTOP)
    time.sleep(40)
    os.kill(pids[slept], signal.SIGCONT)
    rest, _ = process.communicate(timeout=90)
    printed = "".join(printed) + rest
    assert process.returncode == 143, printed
    lost = rf"\[{1 - slept}\] WorkerLostError: worker {slept} \(127"
    assert re.search(lost, printed), printed
    itself = rf"this one, worker {slept} \(\S+\) of 2, was silent for [34]\d s"
    said = rf"\[{slept}\] WorkerLostError: {itself}"
    assert re.search(said, printed), printed


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_stuck_in_a_hook_is_named_and_both_end(tmp_path, index):
    began = time.monotonic()
    process = start("helpers.liveness_cases:stuck", tmp_path, index)
    printed, _ = process.communicate(timeout=120)
    assert time.monotonic() - began < 90
    assert process.returncode == 143, printed

    hung, other = index, 1 - index
    assert f"[{hung}] worker {hung} (127.0.0.1" in printed
    assert re.search(rf"\[{hung}\] .* has not moved for \d+ s, the others wait", printed)
    assert re.search(rf'\[{hung}\]   File ".*liveness_cases.py", line \d+ in on_train', printed)
    named = rf"worker {other} of 2 waits for worker {hung} \(\S+\), which is in Sleeps.on_train_win"
    assert re.search(rf"\[{other}\] WorkerLostError: nothing has moved for .*{named}", printed)

    # One sentence on the screen, the traceback in its file.
    (file,) = tmp_path.glob(f"runs/*/lost_worker_seen_by_{other}.txt")
    assert "Traceback" in file.read_text()
    assert file.name in printed
    assert f"[{other}] Traceback" not in printed
