"""A real S3 server: moto's, in a process of its own, killed while a run goes on."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from helpers.runs_in_a_store import Line, every, fitted, weights

from lightning_tf.callbacks import LambdaCallback
from lightning_tf.exceptions import ConfigurationError

s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
pytest.importorskip("moto.server", reason="needs moto[server]")

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

BUCKET = "lightning-tf-test"
RUN = f"s3://{BUCKET}/run"


class Server:
    """moto's server; what it holds is lost when it is killed."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.process = subprocess.Popen(command, env=environment, **quiet)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.1)
        self.files().mkdir(BUCKET)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def files(self):
        s3fs.S3FileSystem.clear_instance_cache()
        return s3fs.S3FileSystem()


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server.start()
    yield server
    server.kill()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_run_goes_on_with_the_same_bits_past_damaged_and_half_uploads(
    server, tmp_path, other_machine, caplog
):
    _, undisturbed = fitted(tmp_path / "local", 22)
    fitted(RUN, 13, checkpoints=every(save_top_k=3))
    system = server.files()
    folder = f"{BUCKET}/run/runs/version_0/checkpoints"
    [tensors] = [p for p in system.find(f"{folder}/last.ckpt") if p.endswith(".safetensors")]
    content = bytearray(system.cat(tensors))
    content[-1] ^= 1
    system.pipe(tensors, bytes(content))
    system.rm(f"{folder}/epoch=1-step=12.ckpt/COMPLETE.json")

    other_machine()
    trainer, task = fitted(RUN, 22, ckpt_path="last", checkpoints=every(save_top_k=3))
    assert "step=8.ckpt" in trainer.ckpt_path
    assert "last.ckpt is damaged in the store" in caplog.text
    assert "step=12.ckpt was not uploaded whole" in caplog.text
    assert weights(task) == weights(undisturbed)

    other_machine("machine_2")
    [last] = {
        p.split("/")[5] for p in server.files().find(folder) if "/last" in p and "22" not in p
    }
    assert weights(Line.from_checkpoint(f"s3://{folder}/{last}")) == weights(undisturbed)


def test_a_server_killed_in_the_midst_and_back_has_the_last_checkpoint_when_fit_ends(
    server, tmp_path, other_machine, caplog
):
    _, undisturbed = fitted(tmp_path / "local", 30)
    caplog.clear()

    def injure(trainer, task):
        if trainer.global_step == 8:
            server.kill()
        if trainer.global_step == 16:
            deadline = time.monotonic() + 60  # until the run has noticed
            while "the run goes on" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.1)
            server.start()

    fitted(RUN, 24, LambdaCallback(on_train_batch_end=lambda t, task, *more: injure(t, task)))
    assert caplog.text.count("the run goes on") == 1
    assert "not uploaded" not in caplog.text

    other_machine()
    trainer, task = fitted(RUN, 30, ckpt_path="last")
    assert trainer.resumed
    assert weights(task) == weights(undisturbed)


def test_a_bucket_that_is_not_there_is_refused_before_training(server):
    with pytest.raises(ConfigurationError, match="s3://no-such-bucket/run cannot be written"):
        fitted("s3://no-such-bucket/run", 4)
