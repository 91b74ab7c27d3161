import pytest
import tensorflow as tf

from lightning_tf.distribute import Placement
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize("devices", ["auto", 1, "1"])
@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_one_device_needs_no_strategy(accelerator, devices):
    placement = Placement(accelerator, devices, "auto")
    assert placement.num_replicas == 1
    with placement.scope():
        assert not tf.distribute.has_strategy()


def test_cpu_means_the_cpu():
    with Placement("cpu", 1, "auto").scope():
        assert "CPU:0" in tf.zeros([]).device


def test_an_unknown_accelerator_names_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'gpu'"):
        Placement("gpus", 1, "auto")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_missing_gpu_is_an_error_and_no_fallback():
    with pytest.raises(ConfigurationError, match="sees no GPU"):
        Placement("gpu", 1, "auto")


@pytest.mark.parametrize(
    ("devices", "strategy"), [(2, "auto"), (0, "auto"), ([0, 1], "auto"), (1, "ddp"), (-1, "auto")]
)
def test_what_is_not_there_yet_is_refused(devices, strategy):
    with pytest.raises(ConfigurationError, match="one device"):
        Placement("cpu", devices, strategy)
