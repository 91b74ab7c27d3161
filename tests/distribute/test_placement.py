import pytest
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize("devices", ["auto", 1, "1"])
def test_one_device_needs_no_strategy(devices):
    placement = Placement("cpu", devices, "auto")
    assert placement.num_replicas == 1
    assert placement.strategy is None
    with placement.scope():
        assert not tf.distribute.has_strategy()


def test_cpu_means_the_cpu():
    with Placement("cpu", 1, "auto").scope():
        assert "CPU:0" in tf.zeros([]).device


def test_several_devices_are_mirrored():
    placement = Placement("cpu", 2, "auto")
    assert placement.num_replicas == 2
    with placement.scope():
        variable = tf.Variable(1.0)
        assert tf.distribute.get_strategy() is placement.strategy
    parts = placement.strategy.experimental_local_results(variable)
    assert [part.device[-5:] for part in parts] == ["CPU:0", "CPU:1"]


def test_trainers_of_the_same_devices_share_a_strategy():
    first, second = (Placement("cpu", 2, "auto").strategy for _ in range(2))
    assert first is second


def test_one_device_can_be_mirrored_too():
    placement = Placement("cpu", 1, "mirrored")
    assert isinstance(placement.strategy, tf.distribute.MirroredStrategy)
    assert placement.num_replicas == 1


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'mirrored'"):
        Placement("cpu", 2, "mirored")


def test_what_is_not_a_replicas_is_computed_on_the_first_device_or_on_a_tpus_host():
    placement = Placement("cpu", 2, "auto")
    assert placement.device == "/CPU:0"
    placement.devices = ("/job:worker/replica:0/task:0/device:TPU:0",) * 2
    assert placement.device == "/CPU:0"  # its host


def test_the_sum_over_replicas_is_the_sum_over_the_batch():
    for devices in (1, 2, 4):
        placement = Placement("cpu", devices, "auto")

        @tf.function
        def total(batch, placement=placement):
            def compute(own, part):
                count = tf.cast(tf.size(own), tf.float32) if part is None else part.examples
                return tf.reduce_mean(own) * count, None

            return placement.first(placement.reduce(compute, batch)[0])

        with placement.scope():
            assert float(total(tf.constant([1.0, 2.0, 4.0]))) == 7.0
