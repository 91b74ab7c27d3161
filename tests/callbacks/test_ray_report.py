"""Ray gets metrics and checkpoints, and what it starts again goes on exactly."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from helpers.extras import needs
from helpers.paths import SEARCHED

from lightning_tf.callbacks import RayReport
from lightning_tf.exceptions import ConfigurationError

RAY = needs("ray", "ray")
INIT = """
import json, sys, ray
ray.init(
    num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1",
    runtime_env={"env_vars": {"PYTHONPATH": sys.argv[1]}},
)
folder = sys.argv[2]
from helpers import ray_cases
"""
TRAIN = """
import ray.train
from ray.train.tensorflow import TensorflowTrainer

result = TensorflowTrainer(
    ray_cases.train,
    train_loop_config={"folder": folder, "killed_at": int(sys.argv[3])},
    scaling_config=ray.train.ScalingConfig(num_workers=2),
    run_config=ray.train.RunConfig(
        name="run", storage_path=folder, failure_config=ray.train.FailureConfig(2)
    ),
).fit()
print("RESULT", json.dumps({"step": result.metrics["step"], "loss": result.metrics["val_loss"]}))
"""
TUNE = """
import ray.tune
from ray.tune.schedulers import ASHAScheduler

results = ray.tune.Tuner(
    ray_cases.trial,
    param_space={"rate": ray.tune.grid_search([3e-3, 1e-3, 1e-5, 1e-6])},
    tune_config=ray.tune.TuneConfig(
        metric="val_accuracy",
        mode="max",
        scheduler=ASHAScheduler(max_t=4, grace_period=1, reduction_factor=2),
        max_concurrent_trials=1,
    ),
    run_config=ray.tune.RunConfig(name="run", storage_path=folder),
).fit()
trials = [
    [each.config["rate"], each.metrics["training_iteration"], each.checkpoint is None]
    for each in results
]
print("RESULT", json.dumps({"trials": trials, "best": results.get_best_result().config["rate"]}))
"""


def ray_program(program, folder, *arguments):
    """Run a program in a process of its own, which Ray leaves clean; return what it tells."""
    folder.mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-c", INIT + program, SEARCHED, str(folder), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": SEARCHED, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    told = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    assert told, (ended.stdout + ended.stderr)[-5000:]
    return json.loads(told[-1].removeprefix("RESULT "))


@RAY
@pytest.mark.slow
@pytest.mark.distributed
def test_a_killed_worker_is_started_again_by_ray_and_goes_on_exactly(tmp_path):
    unbroken = ray_program(TRAIN, tmp_path / "unbroken", -1)
    killed = ray_program(TRAIN, tmp_path / "killed", 30)
    assert (tmp_path / "killed" / "killed").exists()
    assert killed == unbroken
    assert unbroken["step"] == 63

    ends = [dict(np.load(tmp_path / name / "end.npz")) for name in ("unbroken", "killed")]
    assert [bool(end.pop("resumed")) for end in ends] == [False, True]
    assert all(np.array_equal(ends[1][name], value) for name, value in ends[0].items())


@RAY
@pytest.mark.slow
@pytest.mark.distributed
def test_tune_ends_bad_trials_early_and_has_a_checkpoint_of_each(tmp_path):
    result = ray_program(TUNE, tmp_path / "tuned")
    epochs = {rate: count for rate, count, _ in result["trials"]}
    assert result["best"] in (3e-3, 1e-3)
    assert max(epochs[3e-3], epochs[1e-3]) == 4
    assert epochs[1e-5] < 4
    assert epochs[1e-6] < 4
    assert not any(is_missing for *_, is_missing in result["trials"])


@RAY
@pytest.mark.slow  # in a process of its own: Ray's import sets variables of the environment
def test_outside_of_ray_it_says_where_to_make_it():
    ended = subprocess.run(
        [sys.executable, "-c", "from lightning_tf.callbacks import RayReport; RayReport()"],
        env={**os.environ, "PYTHONPATH": SEARCHED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "make it in the function that a TensorflowTrainer or a Tuner runs" in ended.stderr


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_it_names_the_extra():
    with pytest.raises(ConfigurationError, match=r"pip install 'lightning-tf\[ray\]'"):
        RayReport()
