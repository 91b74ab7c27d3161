"""What the benchmarks share: ratios of rounds, targets with slack, contenders in turn."""

import json
import os
import subprocess
import sys

import pytest
from helpers.paths import ROOT

from benchmarks import gpu
from benchmarks.measure import Target, Timing, alternate, later_epoch, speed


def test_a_speed_is_the_median_of_the_ratios_of_rounds():
    # The machine was busy in the last round: both took ten times as long.
    ours, theirs = ([Timing(epoch, 9.0) for epoch in epochs] for epochs in ((1, 2, 10), (3, 6, 30)))
    assert speed(ours, theirs) == 3
    assert speed(theirs, ours) == pytest.approx(1 / 3)


def test_the_first_epoch_is_left_out():
    assert later_epoch([0.0, 100.0, 101.0, 104.0]) == 2.0


def test_slack_makes_either_bound_easier():
    above, below = Target("time", 1.2, at_most=1.1), Target("speed", 4.5, at_least=5)
    assert not above.is_met
    assert not below.is_met
    assert above.with_slack(1.25).is_met
    assert below.with_slack(1.25).is_met
    assert not Target("speed", 3.9, at_least=5).with_slack(1.25).is_met


@pytest.mark.slow
def test_contenders_take_turns_in_changing_order_behind_a_round_that_does_not_count():
    turns = []

    def contender(name):
        return lambda: turns.append(name) or Timing(len(turns), 0.0)

    contenders = {name: contender(name) for name in ("a", "b")}
    medians, rounds = alternate(contenders, 2)
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert [timing.epoch for timing in rounds["a"]] == [4, 5]
    assert medians["b"].epoch == 4.5
    turns.clear()
    alternate(contenders, 1, warm_up=False)
    assert turns == ["b", "a"]


def test_each_check_of_a_gpu_has_a_limit():
    import gpu_checks

    assert [*gpu.LIMITS] == [name for name in gpu_checks.CHECKS if name != "machine"]


def test_what_no_time_is_left_for_is_told_and_what_hangs_is_killed(capsys):
    (late,) = gpu.run_all(["tf32"], quick=True, budget=0.5, patience=1.0)
    assert (late["verdict"], late["text"]) == ("not run", "no time left")
    killed = gpu.run_check("tf32", 0.2, quick=True)
    assert killed["verdict"] == "crashed"
    assert "did not end within" in killed["text"]
    assert "| tf32 | not run |" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.distributed
def test_a_dry_run_says_that_nothing_was_measured_on_a_gpu(tmp_path):
    file = tmp_path / "gpu.json"
    only = ["tf32", "float16_jit", "determinism", "batch_size", "arrays", "two_gpus"]
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--quick", "--json", file, "--only"]
    done = subprocess.run(
        [*map(str, command), *only],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    if not told["about"]["gpus"]:
        assert done.stdout.count("Nothing below was measured on a GPU") == 2
        assert told["measured_on_gpu"] is False
    verdicts = {result["check"]: result["verdict"] for result in told["results"]}
    assert list(verdicts) == only
    assert {verdicts[name] for name in ("float16_jit", "determinism", "two_gpus")} == {"passed"}
