import pytest
import tensorflow as tf

from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize("devices", ["auto", 1, "1"])
def test_one_device_needs_no_strategy(devices):
    placement = choose_placement("cpu", devices, "auto")
    assert isinstance(placement, SingleDevice)
    assert placement.num_replicas == 1
    with placement.scope():
        assert not tf.distribute.has_strategy()


def test_cpu_means_the_cpu():
    with choose_placement("cpu", 1, "auto").scope():
        assert "CPU:0" in tf.zeros([]).device


def test_several_devices_are_mirrored():
    placement = choose_placement("cpu", 2, "auto")
    assert placement.num_replicas == 2
    with placement.scope():
        variable = tf.Variable(1.0)
        assert tf.distribute.get_strategy() is placement.strategy
    copies = placement.strategy.experimental_local_results(variable)
    assert [copy.device[-5:] for copy in copies] == ["CPU:0", "CPU:1"]


def test_trainers_of_the_same_devices_share_a_strategy():
    first, second = (choose_placement("cpu", 2, "auto").strategy for _ in range(2))
    assert first is second


def test_one_device_can_be_mirrored_too():
    placement = choose_placement("cpu", 1, "mirrored")
    assert isinstance(placement.strategy, tf.distribute.MirroredStrategy)
    assert placement.num_replicas == 1


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'mirrored'"):
        choose_placement("cpu", 2, "mirored")


def test_what_is_not_a_replicas_is_computed_on_the_first_device_or_on_a_tpus_host():
    placement = choose_placement("cpu", 2, "auto")
    assert placement.device == "/CPU:0"
    placement.devices = ("/job:worker/replica:0/task:0/device:TPU:0",) * 2
    assert placement.device == "/CPU:0"  # its host


def total(placement, batch):
    """The sum of a batch, of which every replica adds up its examples."""

    def compute(batch, replica_batch):
        if replica_batch is None:
            count = tf.cast(tf.size(batch), tf.float32)
        else:
            count = replica_batch.examples
        return placement.all_reduce((tf.reduce_mean(batch) * count, None))

    return placement.first(placement.run(compute, batch)[0])


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_the_sum_over_replicas_is_the_sum_over_the_batch(devices):
    placement = choose_placement("cpu", devices, "auto")
    with placement.scope():
        assert float(tf.function(total)(placement, tf.constant([1.0, 2.0, 4.0]))) == 7.0


@pytest.mark.parametrize("devices", [1, 2])
def test_what_is_merged_acts_once_on_the_sums_of_all_replicas(devices):
    placement = choose_placement("cpu", devices, "auto")
    sums = []

    def compute(batch, replica_batch):
        gradients = placement.all_reduce([tf.reduce_sum(batch), None])
        placement.merge(lambda g: sums.append(placement.first(g[0])), gradients)
        return placement.all_reduce(tf.zeros([]))

    with placement.scope():
        graph = tf.function(lambda batch: (placement.run(compute, batch), sums[-1])[1])
        assert float(graph(tf.constant([1.0, 2.0, 4.0]))) == 7.0
    assert len(sums) == 1


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize(("predicate", "expected"), [(True, 10.0), (False, 3.0)])
def test_a_sum_over_replicas_may_stand_behind_a_condition(devices, predicate, expected):
    placement = choose_placement("cpu", devices, "auto")

    @tf.function
    def graph(predicate, batch):
        return placement.run_if(predicate, lambda x: x + total(placement, batch), tf.constant(3.0))

    with placement.scope():
        result = graph(tf.constant(predicate), tf.constant([1.0, 2.0, 4.0]))
        assert float(result) == expected
