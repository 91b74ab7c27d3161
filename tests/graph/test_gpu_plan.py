"""What a GPU would wait for in a window, counted from the kernels that are registered."""

import pytest
import tensorflow as tf
from gpu_plan import count
from graph_plan import plan


def planned(function, *specs):
    """Return the counts of a function that runs on the CPU that stands in for a GPU."""

    def run(*arguments):
        with tf.device("/CPU:1"):
            return function(*arguments)

    return plan(tf.function(run).get_concrete_function(*specs).graph, "CPU:1")


def test_a_loop_that_counts_in_int64_waits_and_one_in_int32_does_not():
    def loop(dtype):
        def run(count):
            return tf.while_loop(lambda i: i < count, lambda i: [i + 1], [tf.zeros([], dtype)])

        return planned(run, tf.TensorSpec([], dtype)).row()["to_host"]

    assert loop(tf.int32) == 0
    assert loop(tf.int64) == 1


def test_a_branch_on_what_the_device_has_computed_waits():
    variable = tf.Variable(1.0)

    def run():
        return tf.cond(variable > 0.0, lambda: variable + 1.0, lambda: tf.identity(variable))

    assert dict(planned(run).to_host) == {"If: cond": 1}


def test_a_window_of_images_waits_for_nothing():
    found = count("images")
    assert dict(found.batch.to_host) == {}
    assert found.int32_variables == set()


def test_a_window_in_float16_waits_for_the_finite_test_alone():
    found = count("images, float16")
    assert sum(found.batch.to_host.values()) == 1
    assert found.int32_variables == set()


def test_a_window_of_texts_by_cudnn_waits_for_nothing():
    """Neither masks nor shapes, nor counts, nor the seeds of dropout."""
    assert dict(count("texts, lstm").batch.to_host) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table", "texts", "series, gru", "GAN"])
def test_a_window_waits_for_nothing(name):
    assert dict(count(name).batch.to_host) == {}
