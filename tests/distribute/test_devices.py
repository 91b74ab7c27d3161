import subprocess
import sys

import pytest
import tensorflow as tf
from conftest import LOGICAL_CPUS

from lightning_tf.distribute.devices import choose_devices
from lightning_tf.exceptions import ConfigurationError

no_gpu = pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU, which auto takes"
)


@pytest.mark.parametrize("devices", ["auto", 1, "1", -1, "-1"])
def test_the_cpu_is_one_device_unless_more_are_asked_for(devices):
    assert choose_devices("cpu", devices) == ("/CPU:0",)


@pytest.mark.parametrize("devices", [2, "2"])
def test_several_logical_cpus(devices):
    assert choose_devices("cpu", devices) == ("/CPU:0", "/CPU:1")


def test_an_unknown_accelerator_names_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'gpu'"):
        choose_devices("gpus", 1)


@no_gpu
def test_a_missing_gpu_is_an_error_and_no_fallback():
    with pytest.raises(ConfigurationError, match="sees no GPU"):
        choose_devices("gpu", 1)


@pytest.mark.parametrize("devices", [0, -2, True, 1.5, "two", None, [], [0, 0], [-1]])
def test_what_is_no_count_is_refused(devices):
    with pytest.raises(ConfigurationError, match=r"devices=.*give a count"):
        choose_devices("cpu", devices)


@pytest.mark.parametrize(
    ("accelerator", "why"),
    [("auto", "TensorFlow sees none"), ("cpu", "accelerator='cpu' takes none")],
)
def test_a_list_of_gpus_where_there_is_none_says_so(accelerator, why):
    with pytest.raises(ConfigurationError, match=f"devices=.1.: a list takes GPUs .*{why}"):
        choose_devices(accelerator, [1])


def test_a_runtime_with_other_devices_is_an_error_that_says_what_to_do():
    tf.zeros([])  # TensorFlow runs
    with pytest.raises(ConfigurationError, match=f"runs already, with {LOGICAL_CPUS} logical CPU"):
        choose_devices("cpu", LOGICAL_CPUS + 1)


FRESH = """
from tensorflow.python.eager import context
from lightning_tf import Trainer
Trainer(max_epochs=1, accelerator="cpu", logger=False)
assert not context.context()._initialized, "one device started TensorFlow"
Trainer(max_epochs=1, accelerator="cpu", devices=3, logger=False)
assert not context.context()._initialized, "three devices started TensorFlow"
import tensorflow as tf
assert len(tf.config.list_logical_devices("CPU")) == 3
Trainer(max_epochs=1, accelerator="cpu", devices=2, logger=False)
"""


@pytest.mark.distributed
def test_a_trainer_makes_logical_cpus_and_does_not_start_tensorflow():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
