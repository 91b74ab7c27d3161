"""For tests of W&B: nothing of the user's account, and nothing that outlives a test."""

import contextlib
import os
import time

import pytest
from helpers.wandb_server import WandbServer

FOLDERS = ("DIR", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR", "ARTIFACT_DIR")


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    """No key, no settings, no network; W&B's own folders below `tmp_path`."""
    import wandb

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in FOLDERS:
        folder = tmp_path / "of wandb" / name.lower()
        folder.mkdir(parents=True)
        monkeypatch.setenv(f"WANDB_{name}", str(folder))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody is there
    wandb.teardown(exit_code=0)
    yield
    deadline = time.monotonic() + 5.0  # a finish that was given up may end by itself
    while wandb.run is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    left = wandb.run and wandb.run.id
    with contextlib.suppress(ConnectionError):  # a test may have killed wandb's process
        wandb.teardown(exit_code=0)
    wandb.run = None  # as in a new process: a finish that hung leaves its run there
    assert left is None, f"the W&B run {left} is still open"


@pytest.fixture
def server(sealed):
    """A W&B server of this test's own, which was asked nothing that it does not know."""
    with WandbServer() as server:
        yield server
        assert server.unknown == []
