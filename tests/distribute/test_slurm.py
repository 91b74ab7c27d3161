"""scripts/cluster/slurm.sh under real daemons: whatever the scheduler does, the run ends alike."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.slurm import Slurm, why_none

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

SCRIPT = ROOT / "scripts" / "cluster" / "slurm.sh"
TWO_TASKS = ["--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=1", "--gpus-per-task=0"]
EPOCHS = 60


@pytest.fixture(scope="module")
def slurm():
    """Daemons of this test alone."""
    reason = why_none()
    if reason:
        pytest.skip(reason)
    # Not tmp_path: the path of a socket must be short.
    folder = tempfile.mkdtemp(prefix="slurm", dir="/tmp")
    daemons = Slurm(folder)
    try:
        daemons.start()
        yield daemons
    finally:
        daemons.stop()
        shutil.rmtree(folder)


def submit(slurm, output, *options):
    output.mkdir()
    log = ["--output", output / "job.log", "--chdir", ROOT]
    arguments = ["--network", "mlp", "--epochs", EPOCHS, "--output", output]
    environment = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return slurm.submit(*TWO_TASKS, *log, *options, SCRIPT, *arguments, **environment)


def epochs_done(output):
    names = [path.name for path in output.glob("runs/version_0/checkpoints/*.ckpt")]
    return max((int(re.search(r"epoch=(\d+)", name)[1]) for name in names), default=-1)


def until(condition, what, output, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}:\n{(output / 'job.log').read_text()[-3000:]}"
        time.sleep(0.1)


def workers_of(job):
    """The processes of Python that a job runs, by the number of the worker."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = dict(
                pair.split("=", 1)
                for pair in (process / "environ").read_text().split("\0")
                if "=" in pair
            )
            command = (process / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        is_worker = environment.get("SLURM_JOB_ID") == job and "SLURM_PROCID" in environment
        if is_worker and command.startswith(sys.executable):
            found[int(environment["SLURM_PROCID"])] = int(process.name)
    return found


def last_checkpoint(output):
    (path,) = output.glob(f"runs/version_0/checkpoints/epoch={EPOCHS - 1}-*.ckpt")
    return (path / "state.safetensors").read_bytes()


def test_a_run_lives_through_signals_requeues_time_limits_and_killed_workers(slurm, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    job = submit(slurm, undisturbed)
    assert slurm.until_ended(job) == "COMPLETED", (undisturbed / "job.log").read_text()[-3000:]

    output = tmp_path / "disturbed"
    job = submit(slurm, output)

    def while_importing():
        slurm.run("scancel", "--signal=USR1", job)

    def usr1():
        slurm.run("scancel", "--signal=USR1", job)

    def requeue():
        slurm.run("scontrol", "requeue", job)

    def time_limit():
        # Below the 120 seconds of --signal: SLURM sends USR1 when it looks next.
        slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=2")

    def kill():
        os.kill(workers_of(job)[1], signal.SIGKILL)

    for number, event in enumerate((while_importing, usr1, requeue, time_limit, kill)):
        if event is while_importing:
            until(lambda: len(workers_of(job)) == 2, "two workers", output)
        else:
            wanted = epochs_done(output) + 3
            until(lambda w=wanted: epochs_done(output) >= w, f"epochs before {event}", output)
        event()
        restarts = f"Restarts={number + 1}"
        until(
            lambda r=restarts: r in slurm.run("scontrol", "show", "job", job),
            event.__name__,
            output,
        )
        slurm.start_now(job)
        if event is time_limit:
            slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=60")

    assert slurm.until_ended(job) == "COMPLETED", (output / "job.log").read_text()[-3000:]
    log = (output / "job.log").read_text()
    assert log.count("is requeued") == 4  # what `scontrol requeue` does is SLURM's own
    assert log.count("fit goes on from") == 4  # before the first signal nothing was saved
    assert log.count("USR1: training ends here") >= 2
    assert last_checkpoint(output) == last_checkpoint(undisturbed)


def test_an_error_of_the_program_and_a_canceled_job_are_not_requeued(slurm, tmp_path):
    output = tmp_path / "wrong"
    output.mkdir()
    environment = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    log = ["--output", output / "job.log", "--chdir", ROOT]
    job = slurm.submit(*TWO_TASKS, *log, SCRIPT, "--network", "none", **environment)
    assert slurm.until_ended(job) == "FAILED"
    assert "an error of the program" in (output / "job.log").read_text()
    assert "requeued" not in (output / "job.log").read_text()

    canceled = tmp_path / "canceled"
    job = submit(slurm, canceled)
    until(lambda: epochs_done(canceled) >= 2, "epochs", canceled)
    slurm.run("scancel", job)
    assert slurm.until_ended(job) == "CANCELLED"
    until(lambda: not workers_of(job), "the workers' end", canceled)
    time.sleep(5)
    assert slurm.state(job) == "CANCELLED"
