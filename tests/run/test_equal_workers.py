"""Workers that differ are refused by name before they compute together."""

import pytest
from helpers.on_workers import run

pytestmark = pytest.mark.distributed


def test_other_arguments_hyperparameters_and_graphs_are_refused_on_all_workers(tmp_path):
    reports, _ = run("helpers.liveness_cases:differing", tmp_path)
    assert reports[0] == reports[1]
    arguments, hyperparameters, graphs, nothing = reports[0]
    assert "worker 1 (127.0.0.1:" in arguments
    assert "has Trainer's accumulate_grad_batches 2 and worker 0 1: run the same" in arguments
    assert "has task's rate 0.2 and worker 0 0.1" in hyperparameters
    assert "the traced steps of the workers differ: operation" in graphs
    assert "Abs of float32 () on worker 1 (127.0.0.1" in graphs
    assert nothing == "1 update"


def test_another_version_is_refused_where_workers_join(tmp_path):
    (first, second), _ = run("helpers.liveness_cases:other_versions", tmp_path)
    assert first == second
    assert "worker 1 (127.0.0.1:" in first
    assert "has tensorflow '2.20.0' and worker 0 '2." in first
