"""What a GPU would wait for in a window, counted from the kernels that are registered."""

import pytest
import tensorflow as tf
from gpu_plan import STAGES, count
from graph_plan import plan

QUICK = ("images", "table", "texts, lstm")
LONG = (
    "table, numbers",
    "texts",
    "series, gru",
    "images, head",
    "images, fine-tuning",
    "detection, retinanet",
    "detection, ssd",
    "style, optimize",
    "style, fast",
    "GAN",
)


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


def test_what_is_computed_of_constants_is_computed_before_the_first_call():
    variable = tf.Variable(1.0)
    found = planned(lambda: tf.range(4.0) * 2.0 + variable)
    assert (dict(found.to_host), dict(found.launches)) == ({}, {"AddV2": 1})


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_a_training_window_waits_for_nothing_and_has_no_int32_variable(name):
    found = count(name)
    assert dict(found.batch.to_host) == {}  # the loop's predicate included
    assert found.int32_variables == set()


@pytest.mark.parametrize("stage", STAGES[1:])
@pytest.mark.parametrize("name", ["images", "table"])
def test_a_window_of_validation_or_prediction_waits_for_nothing(name, stage):
    found = count(name, stage)
    assert dict(found.batch.to_host) == {}
    assert found.int32_variables == set()


def test_a_window_in_float16_waits_for_the_finite_test_alone():
    found = count("images, float16")
    assert sum(found.batch.to_host.values()) == 1
    assert found.int32_variables == set()


def test_a_model_of_keras_waits_for_its_own_argmax_alone():
    """`keras.ops.argmax` of the metric takes a sign in int32, which a GPU compares on the host."""
    found = count("Keras' MLP")
    assert list(found.batch.to_host) == ["Less: Less"]
    assert found.int32_variables == set()
