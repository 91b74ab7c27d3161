"""What replicas assign to variables of one copy, and what becomes of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.distribute.central_storage import CentralStorage, assign_central


def after(variable, assigned, fractions):
    """The variable after replicas with these fractions of a batch of 4 have assigned values."""
    movements, others = [], []
    for value, fraction in zip(assigned, fractions, strict=True):
        with CentralStorage() as storage:
            variable.assign(value)
            np.testing.assert_equal(float(variable.value), float(value))  # its own
        fraction = tf.constant(fraction)
        movements.append(storage.movements(4.0 * fraction, fraction))
        others.append(storage.others())
    reduced = [
        None if moves[0] is None else tf.add_n(moves) for moves in zip(*movements, strict=True)
    ]
    assign_central(storage.assigned, reduced, others[0])
    return float(variable.numpy())


def variable(aggregation, dtype="float32"):
    return keras.Variable(10, dtype=dtype, trainable=False, aggregation=aggregation)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_what_metrics_add_up_is_summed(dtype):
    assert after(variable("sum", dtype), [13, 11], [0.75, 0.25]) == 10 + 3 + 1


def test_a_replica_without_examples_counts_nowhere():
    assert after(variable("sum"), [13, np.inf], [1.0, 0.0]) == 13
    assert after(variable("none"), [14, np.nan], [1.0, 0.0]) == 14


@pytest.mark.parametrize("aggregation", ["none", "mean"])
def test_statistics_move_by_the_mean_over_examples(aggregation):
    assert after(variable(aggregation), [14, 18], [0.75, 0.25]) == 10 + 0.75 * 4 + 0.25 * 8


@pytest.mark.parametrize(
    ("aggregation", "dtype"), [("none", "int32"), ("only_first_replica", "float32")]
)
def test_what_is_equal_on_all_replicas_is_taken_once(aggregation, dtype):
    assert after(variable(aggregation, dtype), [11, 11], [0.5, 0.5]) == 11


def test_nothing_moves_before_all_have_run_and_a_variable_is_kept_once():
    total, other = variable("sum"), variable("none")
    with CentralStorage() as storage:
        total.assign_add(1.0)
        other.assign(total + 5.0)
        total.assign_add(1.0)
    assert [v is w for v, w in zip(storage.assigned, (total, other), strict=True)] == [True, True]
    assert (float(total.numpy()), float(other.numpy())) == (10.0, 10.0)
    one = tf.ones([])
    assert [float(value) for value in storage.movements(one, one)] == [2.0, 6.0]


def test_reading_a_variable_that_was_not_assigned_gives_the_variable_and_its_gradient():
    weight = keras.Variable(3.0)
    with CentralStorage(), tf.GradientTape() as tape:
        loss = tf.convert_to_tensor(weight) ** 2
    assert float(tape.gradient(loss, weight.value)) == 6.0
