"""A check that fails or hangs is a line, and the command tells problems by its exit code."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.paths import SEARCHED
from helpers.wandb_server import KEY, WandbServer

from lightning_tf.cli.main import main
from lightning_tf.doctor.child import run_child
from lightning_tf.doctor.doctor import isolated
from lightning_tf.doctor.finding import ok
from lightning_tf.doctor.wandb_login import check_wandb


def test_what_a_check_found_before_it_failed_stays():
    def check():
        yield ok("disk", "whole")
        raise OSError("stale file handle")

    first, last = isolated("disk", check, 10)
    assert first.text == "whole"
    assert (last.name, last.status) == ("disk", "problem")
    assert "OSError: stale file handle" in last.text


def test_a_check_that_hangs_is_given_up():
    end = threading.Event()
    (found,) = isolated("disk", lambda: [end.wait()], 0.05)
    assert found.status == "problem"
    assert "did not end within" in found.text
    end.set()


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that writes a module with a `main`, which children find."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, body):
        (tmp_path / f"{name}.py").write_text(
            f"import os, sys, time\ndef main(**given):\n  {body}\n"
        )
        return name

    return write


def test_a_child_returns_what_its_main_does_whatever_it_prints(programs):
    name = programs("talks", "print('noise'); sys.stderr.write('said'); return {'got': given}")
    told = run_child(name, 60, {"seconds": 1.5, "names": ["a'b", 'c"d']})
    assert told.value == {"got": {"seconds": 1.5, "names": ["a'b", 'c"d']}}
    assert (told.trouble, told.said) == ("", "said")


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ("raise ImportError('libfoo.so is missing')", "exit code 1: ImportError: libfoo.so is"),
        ("os.kill(os.getpid(), 4)", "was ended by SIGILL"),
        ("time.sleep(600)", "did not end within 1 s"),
    ],
)
def test_a_child_that_fails_crashes_or_hangs_is_told(programs, body, trouble):
    told = run_child(programs(f"ends{len(body)}", body), 1 if "sleep" in body else 60)
    assert told.value == {}
    assert trouble in told.trouble


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_child_that_cannot_be_killed_is_given_up(programs, monkeypatch):
    stuck = []  # as one in the kernel is: the signal is sent, and nothing happens
    monkeypatch.setattr("lightning_tf.doctor.child.os.killpg", lambda pid, _: stuck.append(pid))
    monkeypatch.setattr("lightning_tf.doctor.child.KILLED_SECONDS", 0.1)
    began = time.monotonic()
    told = run_child(programs("stuck", "time.sleep(20)"), 0.2)
    assert time.monotonic() - began < 10
    assert "did not end" in told.trouble
    os.kill(stuck[0], signal.SIGKILL)


def test_help_imports_neither_tensorflow_nor_numpy():
    code = (
        "import contextlib, sys\nfrom lightning_tf.cli.main import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['doctor', '--help'])\n"
        "assert not {'numpy', 'tensorflow', 'keras'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": SEARCHED}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--no-train" in done.stdout


@pytest.mark.parametrize("seconds", ["nan", "-3", "inf"])
def test_what_is_no_time_to_wait_is_refused(capsys, seconds):
    assert main(["doctor", "--wait", seconds]) == 2
    assert f"--wait {seconds}: give seconds" in capsys.readouterr().err


def test_a_wrong_address_is_refused_before_anything_is_looked_at(capsys):
    assert main(["doctor", "--workers", "node1:2222,node2"]) == 2
    assert "'node2' is no address; give host:port" in capsys.readouterr().err


def run_doctor(folder, *options, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "SLURM_"))}
    own = {"HOME": str(folder), "PYTHONPATH": SEARCHED, "WANDB_MODE": "offline"}
    command = [sys.executable, "-m", "lightning_tf", "doctor", "--json", *options]
    done = subprocess.run(
        command, cwd=folder, env={**kept, **own, **environment}, capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"]
    lines = {}
    for found in told["findings"]:
        assert (found["remedy"] == "") == (found["status"] == "ok")
        lines.setdefault(found["name"], []).append(found)
    return done.returncode, lines


@pytest.mark.slow
@pytest.mark.distributed
def test_this_machine_can_train(tmp_path):
    code, lines = run_doctor(tmp_path)
    assert code == 0, [f for found in lines.values() for f in found if f["status"] == "problem"]
    assert "updates/s" in lines["training"][0]["text"]
    assert "tensorflow 2." in lines["versions"][0]["text"]
    assert {"driver", "devices", "CUDA libraries", "folder", "wandb", "cluster"} <= set(lines)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


@pytest.mark.slow
@pytest.mark.distributed
def test_a_card_whose_driver_is_too_old_is_told_with_all_other_reasons(tmp_path):
    # A stand-in for nvidia-smi: this machine has no card.
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    row = "NVIDIA A100-SXM4-80GB, 470.57.02, 81920, 60000"
    smi.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --query*) echo "{row}";; *) echo "| CUDA Version: 11.4 |";; esac\n'
    )
    smi.chmod(0o755)
    path = f"{smi.parent}{os.pathsep}{os.environ['PATH']}"

    code, lines = run_doctor(tmp_path, "--no-train", PATH=path, CUDA_VISIBLE_DEVICES="-1")
    assert code == 1
    assert "A100" in lines["driver"][0]["text"]
    assert "58.6 of 80 GiB in use" in lines["driver"][1]["text"]
    reasons = " ".join(found["text"] for found in lines["devices"])
    assert "CUDA_VISIBLE_DEVICES='-1' hides all" in reasons
    assert "driver 470.57.02 runs CUDA up to 11.4" in reasons
    assert "training" not in lines


@pytest.mark.slow
@pytest.mark.distributed
def test_workers_that_are_launched_reach_each_other(tmp_path):
    doctor = [sys.executable, "-m", "lightning_tf", "doctor", "--no-train", "--wait", "120"]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_tf", "launch", "--workers", "2", "--", *doctor],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": SEARCHED, "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TF_CONFIG: this is worker 1 of 2" in done.stdout
    assert done.stdout.count("reached, and has reached") == 2


@pytest.mark.slow
@pytest.mark.parametrize(("key", "status"), [(KEY, "ok"), ("y" * 40, "problem")])
def test_a_login_is_tried_at_the_server(tmp_path, key, status):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    with WandbServer() as server:
        own = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": key, "HOME": str(tmp_path)}
        told = run_child("lightning_tf.doctor.wandb_login", 90, environment={**kept, **own})
    (found,) = check_wandb(told.value, told.trouble)
    assert found.status == status, told
    assert server.url in found.text
    assert key not in json.dumps(told.value) + found.text + found.remedy
