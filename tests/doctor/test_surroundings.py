"""Versions, folders, W&B, the cluster and what training tells, each by its own stand-in."""

from types import SimpleNamespace

import pytest

from lightning_tf.doctor.cluster_check import check_cluster
from lightning_tf.doctor.folders import GIB, Folder, check_folder, check_folders
from lightning_tf.doctor.training import alone, check_training
from lightning_tf.doctor.versions import check_import, check_versions
from lightning_tf.doctor.wandb_login import check_wandb

BOUNDS = ["keras<3.16,>=3.15", "tensorflow<2.22,>=2.21", "numpy>=2.0", "onnx>=1; extra == 'onnx'"]


def test_versions_out_of_bounds_are_told_with_what_to_install():
    installed = {"tensorflow": "2.19.0", "keras": "3.15.2", "tensorflow-cpu": "2.21.0"}
    told, keras, numpy, twice = list(check_versions(installed, [*BOUNDS[1:3], BOUNDS[3]]))
    assert told.status == "ok"
    assert keras.text == "tensorflow 2.19.0 is out of bounds (<2.22,>=2.21)"
    assert numpy.remedy == "pip install 'numpy>=2.0'"
    assert "pip uninstall tensorflow-cpu" in twice.remedy


def test_what_is_installed_here_is_within_the_bounds():
    assert [found.status for found in check_versions()] == ["ok"]


def test_another_backend_and_a_crash_are_told():
    (found,) = check_import({"backend": "jax"}, "")
    assert "KERAS_BACKEND" in found.remedy
    (found,) = check_import({}, "was ended by SIGILL")
    assert "AVX" in found.remedy
    (found,) = check_import({}, "ended with exit code 1: ... No module named 'jax'")
    assert "KERAS_BACKEND" in found.remedy


def test_a_variable_of_wandb_that_is_wrong_is_no_reason_to_install_it_anew():
    (found,) = check_wandb({}, "ended with exit code 1: ... WANDB_MODE is 'bogus'.")
    assert "correct that variable" in found.remedy
    (found,) = check_wandb({}, "ended with exit code 1: ... No module named 'wandb'")
    assert "pip install" in found.remedy


def test_a_folder_that_cannot_be_written_is_a_problem_where_runs_go(tmp_path):
    file = tmp_path / "file"
    file.touch()
    (found,) = check_folder(Folder("Keras", str(file / "keras"), "KERAS_HOME"))
    assert found.status == "warning"
    assert "export KERAS_HOME=FOLDER" in found.remedy
    (found,) = check_folder(Folder("runs", str(file / "runs")))
    assert found.status == "problem"


def test_little_room_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=GIB))
    (found,) = check_folder(Folder("TF-Hub", str(tmp_path / "hub"), "TFHUB_CACHE_DIR"))
    assert found.status == "warning"
    assert "1.0 GiB free" in found.text


def test_the_variables_that_move_folders_are_followed(tmp_path):
    environment = {"HOME": str(tmp_path), "KERAS_HOME": str(tmp_path / "k")}
    texts = [found.text for found in check_folders({**environment, "LIGHTNING_TF_DATA": "/none"})]
    assert any(f"{tmp_path / 'k'}," in text for text in texts)
    assert any("LIGHTNING_TF_DATA=/none is no folder" in text for text in texts)
    assert not (tmp_path / "k").exists()


TOLD = {"mode": None, "server": "https://w.example", "version": "0.31", "has_key": True}


@pytest.mark.parametrize(
    ("told", "status", "text"),
    [
        ({"mode": "offline"}, "ok", "offline, as it was chosen"),
        ({"has_key": False}, "warning", "no login"),
        ({"has_key": False, "mode": "online"}, "problem", "no login"),
        ({"reachable": False}, "warning", "https://w.example does not answer"),
        ({"reachable": True, "refusal": "401"}, "problem", "does not take the login: 401"),
        ({"reachable": True}, "ok", "online, logged in at https://w.example"),
    ],
)
def test_what_a_wandb_logger_will_do_is_told(told, status, text):
    (found,) = check_wandb({**TOLD, **told}, "")
    assert found.status == status
    assert text in found.text


def test_the_cluster_is_told_or_what_is_wrong_with_it():
    (found,) = check_cluster({})
    assert "one process" in found.text
    config = '{"cluster": {"worker": ["a:1", "a:2"]}, "task": {"type": "worker", "index": 1}}'
    (found,) = check_cluster({"TF_CONFIG": config})
    assert found.text == "TF_CONFIG: this is worker 1 of 2, a:2; 2 on this machine"
    (found,) = check_cluster({"TF_CONFIG": "{"})
    assert found.status == "problem"
    assert "srun" in list(check_cluster({"SLURM_JOB_ID": "7"}))[-1].remedy


TRAINED = {
    "device": "GPU:0",
    "steps": 100,
    "first_seconds": 2.0,
    "steps_per_second": 10.0,
    "loss": 0.1,
}


@pytest.mark.parametrize(
    ("told", "trouble", "status"),
    [
        ({}, "", "ok"),
        ({"loss": float("nan")}, "", "problem"),
        ({"loss": 2.3}, "", "problem"),
        ({"device": "CPU:0"}, "", "problem"),  # beside a GPU
        ({"first_seconds": 900.0}, "", "warning"),
        ({}, "was ended by SIGSEGV", "problem"),
    ],
)
def test_what_training_tells_is_judged(told, trouble, status):
    (found,) = check_training({**TRAINED, **told}, trouble, gpus=1)
    assert found.status == status


def test_the_training_takes_no_part_in_a_cluster():
    given = {"TF_CONFIG": "{}", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "HOME": "/"}
    assert alone(given) == {"HOME": "/"}
