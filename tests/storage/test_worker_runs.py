"""Two workers, each with a cache of its own as on two machines, and one store."""

import fsspec
import pytest
from helpers.on_workers import run
from helpers.worker_runs_in_a_store import RUN

MODULE = "helpers.worker_runs_in_a_store"
CHECKPOINTS = "bucket/run/runs/version_0/checkpoints"


def trained(folder, *arguments):
    folder.mkdir(exist_ok=True)
    workers, _ = run(f"{MODULE}:trains", folder, *arguments)
    assert len(workers) == 2
    return workers


@pytest.mark.distributed
@pytest.mark.slow
def test_workers_with_empty_caches_go_on_from_the_store_with_the_same_bits(tmp_path):
    undisturbed = trained(tmp_path / "undisturbed", "machine", 22)
    folder = tmp_path / "in_two"
    chief, other = trained(folder, "machine", 10)
    store = fsspec.filesystem("file")
    found = {
        p.split(f"{CHECKPOINTS}/")[1].split("/")[0]
        for p in store.find(folder / "store" / CHECKPOINTS)
    }
    assert found == {"epoch=0-step=4.ckpt", "epoch=0-step=8.ckpt", "last.ckpt"}
    assert chief["writes"] > 0
    assert other["writes"] == 0
    assert other["files"] == []

    again = trained(folder, "new_machine", 22)
    for worker, expected in zip(again, undisturbed, strict=True):
        assert worker["resumed"]
        assert worker["step"] == 22
        assert worker["weights"] == expected["weights"]
        # The chief's, as each machine has them.
        assert worker["log_dir"] == f"remote/{RUN.replace('://', '/')}/runs/version_0"
        assert worker["best"].startswith("remote/shelf/bucket/run/runs/version_0/checkpoints/")
    assert again[1]["writes"] == 0


@pytest.mark.distributed
def test_a_store_that_takes_nothing_is_refused_on_all_workers(tmp_path):
    workers, _ = run(f"{MODULE}:is_refused", tmp_path)
    assert len(workers) == 2
    for said, is_written in workers:
        assert not is_written
        assert set(said) == {"root", "checkpoints", "predictions"}
        for kind, text in said.values():
            assert kind == "ConfigurationError"
            assert "the shelf is full" in text
    assert workers[0] == workers[1]
