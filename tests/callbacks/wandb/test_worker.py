"""Several workers with a WandbLogger: one run, and where asked, one more for each other machine."""

import pytest
from helpers.on_workers import run
from helpers.wandb_log import logged_runs

pytestmark = pytest.mark.distributed


def fitted(folder, mode, worker_metrics, expected, **options):
    """The id of the run, which all workers know."""
    (first, *others), _ = run(
        "helpers.wandb_workers:measured",
        folder,
        mode,
        worker_metrics,
        expected,
        timeout=300,
        **options,
    )
    assert len(others) == 1
    return first, others[0]


def test_without_being_asked_only_the_chief_has_a_run(sealed, tmp_path):
    run_id, _ = fitted(tmp_path, "offline", False, [0])
    (only,) = logged_runs(tmp_path)
    assert (only.id, only.group) == (run_id, "")
    assert any("cpu" in name for name in only.stats[0])


def test_every_worker_is_measured_offline_in_the_group_of_the_chiefs_run(sealed, tmp_path):
    chief_id, also = fitted(tmp_path, "offline", True, [0, 1])
    assert chief_id == also
    runs = {logged.id: logged for logged in logged_runs(tmp_path)}
    assert set(runs) == {chief_id, f"{chief_id}-worker-1"}
    chief, worker = runs[chief_id], runs[f"{chief_id}-worker-1"]
    assert chief.group == worker.group == chief_id
    assert any("cpu" in name for name in worker.stats[0])
    assert worker.history == []
    assert [step for step, _ in chief.column("val/loss")] != []
    assert (worker.config["worker"], worker.config["of_run"]) == (1, chief_id)
    assert "own" not in worker.config
    assert (worker.exit_code, chief.exit_code) == (0, 0)


def test_every_worker_is_measured_online(server, tmp_path, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    chief_id, _ = fitted(tmp_path, "online", True, [0, 1])
    chief, worker = server.run(chief_id), server.run(f"{chief_id}-worker-1")
    assert chief.group == worker.group == chief_id
    assert worker.lines["wandb-events.jsonl"]
    assert worker.history == []
    assert chief.history
    assert worker.exit_code == 0
