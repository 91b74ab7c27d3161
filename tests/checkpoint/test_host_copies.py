import numpy as np
import pytest
import tensorflow as tf
from helpers.replicated import trainer_of

from lightning_tf.checkpoint.host_copies import HostCopies


@pytest.fixture
def away():
    """Variables on the second of two logical devices, which stands in for a GPU."""
    trainer_of(2)
    with tf.device("/CPU:1"):
        return {name: tf.Variable([float(i), 2.0]) for i, name in enumerate("abc")}


def test_variables_of_another_device_come_in_one_traced_call(away):
    copies = HostCopies()
    for _ in range(3):
        values = copies(away)
    assert [array.tolist() for array in values.values()] == [[0.0, 2.0], [1.0, 2.0], [2.0, 2.0]]
    assert copies._copy.experimental_get_tracing_count() == 1
    outputs = copies._copy.get_concrete_function().graph.outputs
    assert {output.op.inputs[0].device[-5:] for output in outputs} == {"CPU:0"}


def test_other_variables_are_traced_anew(away):
    copies = HostCopies()
    assert len(copies(away)) == 3
    assert copies({"b": away["b"]})["b"].tolist() == [1.0, 2.0]


def test_what_was_copied_stays_when_the_variable_moves_on(away):
    with tf.device("/CPU:0"):
        mixed = {**away, "host": tf.Variable([7.0]), "half": tf.Variable([1.5], dtype=tf.bfloat16)}
    values = HostCopies()(mixed)
    for variable in mixed.values():
        variable.assign_add(tf.ones_like(variable))
    assert values["a"].tolist() == [0.0, 2.0]
    assert values["host"].tolist() == [7.0]
    np.testing.assert_array_equal(values["half"], np.float32([1.5]))
