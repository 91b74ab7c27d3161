"""A metric's result is numbers by name, exactly, or is refused with what it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.metric_results import metric_scalars, stack_scalars

EXACT = 2**24 + 1  # float32 holds 2**24 and not this


@pytest.mark.parametrize(
    ("result", "numbers"),
    [
        (3.0, {"m": 3.0}),
        (np.float64(0.1), {"m": 0.1}),
        (True, {"m": 1.0}),
        (tf.constant(0.5, tf.bfloat16), {"m": 0.5}),
        (tf.constant(EXACT, tf.int64), {"m": EXACT}),
        (tf.constant([1, EXACT], tf.int32), {"m_0": 1, "m_1": EXACT}),
        ([1.0, 2.0], {"m_0": 1.0, "m_1": 2.0}),
        ({"a": [[1.0]], "b": (2.0, 3.0)}, {"a": 1.0, "b_0": 2.0, "b_1": 3.0}),
        (tf.ragged.constant([[1.0], [2.0, 3.0]]), {"m_0": 1.0, "m_1": 2.0, "m_2": 3.0}),
    ],
)
def test_numbers_of_every_kind_come_out_exactly(result, numbers):
    scalars = metric_scalars("m", result)
    assert dict(zip(scalars, stack_scalars([*scalars.values()]).numpy(), strict=True)) == numbers


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "None"),
        ("much", "string"),
        (1.0 + 2.0j, "complex128"),
        ([1.0, [2.0, 3.0]], r"\[1.0, \[2.0, 3.0\]\]"),
        ({"a": {"b": 1.0}}, "'b'"),
        ({0: 1.0}, "key 0"),
        ({}, "empty dict"),
        ([], "empty tensor"),
        ({"a": tf.zeros([2, 0])}, r"\(2, 0\) for 'a'"),
        ({"a": [1.0, 2.0], "a_1": 3.0}, "two values called 'a_1'"),
        (keras.metrics.Mean, "Mean"),
    ],
)
def test_what_is_no_number_is_refused_by_name_with_what_it_is(result, said):
    with pytest.raises(ConfigurationError, match=f"metric 'm' is .*{said}.*; return from"):
        metric_scalars("m", result)


def test_an_unknown_length_is_refused_with_a_remedy():
    @tf.function(autograph=False)
    def traced(count):
        return metric_scalars("m", tf.range(count))

    with pytest.raises(ConfigurationError, match=r"unknown shape.*known"):
        traced(tf.constant(3))


def test_a_large_count_reaches_the_user_whole():
    class Counts(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.count = self.add_variable((), "zeros", dtype="int64")

        def update_state(self, values):
            self.count.assign_add(EXACT)

        def result(self):
            return self.count

    class Task(NumberTask):
        def configure_metrics(self):
            return {"count": Counts(), "mean": keras.metrics.Mean()}

        def training_step(self, batch):
            for metric in self.metrics.values():
                metric.update_state(batch)
            return super().training_step(batch)

    values = fitted(Task(NumberData([1.0, 0.5, 0.6])), max_epochs=1).callback_metrics
    assert values["count"] == 3 * EXACT
    assert values["mean"] == float(np.float32(0.7))
