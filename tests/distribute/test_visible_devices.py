"""Each worker's share of the GPUs that it sees, with a list in the place of GPUs."""

import logging

import pytest
import tensorflow as tf
from helpers.stand_in_gpus import StandInGpus

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.devices import choose_devices
from lightning_tf.distribute.visible_devices import own_gpus, shares_of_gpus, shown_gpus
from lightning_tf.exceptions import ConfigurationError

ONE_HOST = tuple(f"n1:{port}" for port in (1, 2, 3, 4))
TWO_HOSTS = ("n1:1", "n1:2", "n2:1", "n2:2")


@pytest.fixture
def gpus(monkeypatch):
    stand_in = StandInGpus(4)
    stand_in.install(monkeypatch)
    for name in ("CUDA_VISIBLE_DEVICES", "LIGHTNING_TF_OWN_GPUS", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return stand_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", []),
        ("-1", []),
        ("4, 5", ["4", "5"]),
        ("0,-1,2", ["0"]),
        ("MIG-GPU-1/2/3,GPU-4", ["MIG-GPU-1/2/3", "GPU-4"]),
    ],
)
def test_what_an_environment_shows(text, expected):
    environment = {} if text is None else {"CUDA_VISIBLE_DEVICES": text}
    assert shown_gpus(environment) == expected


@pytest.mark.parametrize(
    ("workers", "each", "shown", "expected"),
    [
        (2, None, None, [None, None]),
        (2, None, "", [None, None]),
        (2, None, "7", [None, None]),
        (2, None, "4,5,6", ["4", "5"]),
        (2, 2, None, ["0,1", "2,3"]),
        (2, 0, "4,5", ["", ""]),
    ],
)
def test_shares_of_local_workers(workers, each, shown, expected):
    environment = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    assert shares_of_gpus(workers, each, environment) == expected


@pytest.mark.parametrize(
    ("addresses", "index", "environment", "expected"),
    [
        (ONE_HOST, 2, {"SLURM_GPUS_ON_NODE": "4"}, [2]),
        (ONE_HOST, 2, {}, [2]),
        (TWO_HOSTS, 1, {"SLURM_GPUS_ON_NODE": "4"}, [2, 3]),
        (TWO_HOSTS, 2, {"SLURM_GPUS_ON_NODE": "4"}, [0, 1]),
        (TWO_HOSTS, 1, {"SLURM_GPUS_ON_NODE": "8"}, [0, 1, 2, 3]),  # its own already
        (TWO_HOSTS, 1, {"TF_CONFIG": "{}"}, [2, 3]),
        (TWO_HOSTS, 1, {"TF_CONFIG": "{}", "CUDA_VISIBLE_DEVICES": "4,5,6,7"}, [0, 1, 2, 3]),
        (TWO_HOSTS, 1, {"TF_CONFIG": "{}", "LIGHTNING_TF_OWN_GPUS": "1"}, [0, 1, 2, 3]),
        (
            TWO_HOSTS,
            1,
            {"TF_CONFIG": "{}", "CUDA_VISIBLE_DEVICES": "4,5", "LIGHTNING_TF_OWN_GPUS": "0"},
            [2, 3],
        ),
        (("n1:1", "n2:1"), 1, {}, [0, 1, 2, 3]),
    ],
)
def test_workers_of_one_machine_take_their_share(addresses, index, environment, expected):
    assert own_gpus(Cluster(addresses, index), [0, 1, 2, 3], environment) == expected


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(ConfigurationError, match=r"4 workers share a machine .* sees 2 GPUs"):
        own_gpus(Cluster(ONE_HOST, 0), [0, 1], {})


def test_a_worker_takes_and_shows_its_share_alone(gpus, caplog):
    cluster = Cluster(TWO_HOSTS, 1)
    with caplog.at_level(logging.INFO, "lightning_tf"):
        assert choose_devices("auto", "auto", cluster) == ("/GPU:0", "/GPU:1")
    assert gpus.visible == gpus.physical[2:]
    assert "this worker takes GPUs [2, 3] of 4 that it sees" in caplog.text

    assert choose_devices("gpu", 1, cluster) == ("/GPU:0",)
    assert gpus.visible == gpus.physical[2:3]
    with pytest.raises(ConfigurationError, match="this worker's share is 2 GPUs"):
        choose_devices("gpu", 3, cluster)


def test_gpus_that_the_user_has_hidden_stay_hidden(gpus):
    tf.config.set_visible_devices(gpus.physical[1:3], "GPU")
    assert choose_devices("auto", "auto") == ("/GPU:0", "/GPU:1")
    assert gpus.visible == gpus.physical[1:3]


def test_one_gpu_hides_the_others_until_tensorflow_runs(gpus):
    assert choose_devices("auto", [3]) == ("/GPU:0",)
    assert gpus.visible == gpus.physical[3:]
    assert choose_devices("auto", 2) == ("/GPU:0", "/GPU:1")

    gpus.is_running = True
    assert choose_devices("auto", [1]) == ("/GPU:1",)
    with pytest.raises(ConfigurationError, match="was hidden when TensorFlow began to run"):
        choose_devices("auto", [2])
    assert tf.config.list_physical_devices("GPU") == gpus.physical
