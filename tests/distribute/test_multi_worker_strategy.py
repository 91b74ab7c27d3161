"""What a Trainer says where workers cannot join, and what it takes."""

import pytest
import tensorflow as tf
from helpers.boring import quiet
from helpers.on_workers import run

from lightning_tf import Trainer
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.exceptions import ConfigurationError


def test_multi_worker_without_a_cluster_is_refused():
    with pytest.raises(ConfigurationError, match="neither TF_CONFIG nor SLURM"):
        Trainer(**quiet(max_epochs=1, strategy="multi_worker"))


def test_workers_after_tensorflow_began_are_refused(monkeypatch):
    cluster = Cluster(("127.0.0.1:1", "127.0.0.1:2"), 0)
    monkeypatch.setenv("TF_CONFIG", cluster.tf_config())
    tf.constant(0)  # TensorFlow runs
    with pytest.raises(ConfigurationError, match="make the Trainer before anything that computes"):
        Trainer(**quiet(max_epochs=1))


def test_mirrored_passes_over_a_cluster(monkeypatch):
    cluster = Cluster(("127.0.0.1:1", "127.0.0.1:2"), 0)
    monkeypatch.setenv("TF_CONFIG", cluster.tf_config())
    trainer = Trainer(**quiet(max_epochs=1, strategy="mirrored", accelerator="cpu", devices=2))
    assert trainer.workers.count == 1


@pytest.mark.distributed
def test_a_given_strategy_of_workers_is_taken(tmp_path):
    reports, _ = run("helpers.worker_cases:custom_strategy", tmp_path)
    assert [(index, count) for index, count, _ in reports] == [(0, 2), (1, 2)]
    assert reports[0][2] == reports[1][2]
