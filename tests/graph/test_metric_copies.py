"""A copy of a metric counts what the metric would, and touches nothing of the original."""

from collections import deque
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.graph.metric_copies import copy_metric

RANDOM = np.random.default_rng(3)
SHAPE = (12, 3)


class Limited(keras.metrics.Metric):
    """Counts what is above a limit; has no get_config."""

    def __init__(self, limit=0.5, scale=None):
        super().__init__()
        self.limit, self.scale = limit, scale or (lambda count: 2.0 * count)
        self.count = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(keras.ops.sum(keras.ops.cast(y_pred > self.limit, "float32")))

    def result(self):
        return self.scale(self.count)


class Wrapped(keras.metrics.Metric):
    """Passes on to metrics that it holds in every way, and gives their results."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.listed, self.named = inner, [Limited(0.1)], {"mean": keras.metrics.Mean()}
        self.pair, self.update = (inner, 1), inner.update_state

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.update(y_true, y_pred, sample_weight=sample_weight)
        self.listed[0].update_state(y_true, y_pred)
        self.named["mean"].update_state(y_pred)

    def result(self):
        assert self.pair[0] is self.inner
        return self.inner.result() + self.listed[0].result() + self.named["mean"].result()

    def get_config(self):
        return {"inner": self.inner}


class WithModel(keras.metrics.Metric):
    """Compares what a network makes of targets and predictions."""

    def __init__(self):
        super().__init__()
        self.network = keras.Sequential([keras.Input(SHAPE[1:]), keras.layers.Dense(2)])
        self.total = self.add_variable((), "zeros")
        self.raw = tf.Variable(0.0)

    def update_state(self, y_true, y_pred, sample_weight=None):
        apart = self.network(y_true) - self.network(y_pred)
        self.total.assign_add(keras.ops.mean(apart**2))
        self.raw.assign_add(1.0)

    def result(self):
        return self.total / tf.convert_to_tensor(self.raw)


class Calls(keras.metrics.Metric):
    """Counts by functions that hold it, or a variable or metric of it."""

    def __init__(self, way):
        super().__init__()
        if way == "partial, first":
            self.count = partial(self.count_up, self)  # before there is what it leads to
        self.total, self.queue = self.add_variable((), "zeros"), deque([keras.metrics.Sum()])
        total, queue = self.total, [self.queue]
        if way == "lambda":
            self.count = lambda x: self.total.assign_add(x)
        elif way == "variable":
            self.count = lambda x: total.assign_add(x)
        elif way == "default":
            self.count = lambda x, total=total: total.assign_add(x)
        elif way == "nested":
            self.count = partial(lambda add, x: add(x), lambda x: queue[0][0].update_state(x))

    @staticmethod
    def count_up(self, x):
        self.total.assign_add(x)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count(keras.ops.sum(y_pred))

    def result(self):
        return self.total + self.queue[0].result()

    def reset_state(self):
        super().reset_state()
        self.queue[0].reset_state()


def counts_by(way):
    return lambda: Calls(way)


def around_a_metric():
    inner = keras.metrics.Mean()

    def running(y_true, y_pred):
        inner.update_state(y_pred)
        return inner.result() + 0.0 * y_pred

    return keras.metrics.MeanMetricWrapper(running)


def closure():
    factor = 3.0
    return keras.metrics.MeanMetricWrapper(lambda y, p: factor * (y - p) ** 2, name="closure")


MAKERS = [
    lambda: keras.metrics.MeanAbsoluteError(name="mae"),
    lambda: keras.metrics.AUC(num_thresholds=7),
    lambda: keras.metrics.AUC(multi_label=True, num_labels=3),
    lambda: keras.metrics.F1Score(average=None, threshold=0.4),
    lambda: keras.metrics.Precision(thresholds=[0.2, 0.7], name="p_1"),
    lambda: keras.metrics.SensitivityAtSpecificity(0.5),
    lambda: keras.metrics.R2Score(),
    lambda: keras.metrics.CosineSimilarity(axis=-1),
    lambda: keras.metrics.OneHotMeanIoU(num_classes=3),
    lambda: keras.metrics.TopKCategoricalAccuracy(k=2),
    lambda: keras.metrics.RootMeanSquaredError(),
    closure,
    Limited,
    lambda: Limited(0.9, scale=lambda count: -count),
    lambda: Wrapped(keras.metrics.MeanSquaredError()),
    lambda: Wrapped(Limited(0.3)),
    WithModel,
    *map(counts_by, ["lambda", "partial, first", "variable", "default", "nested"]),
    around_a_metric,
]


def batch():
    truth = tf.one_hot(RANDOM.integers(0, 3, SHAPE[0]), 3)
    return truth, tf.constant(RANDOM.uniform(0.01, 0.99, SHAPE), tf.float32)


def value(metric):
    return np.asarray(metric.result())


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("used", [False, True], ids=["new", "used before"])
def test_a_copy_counts_as_the_original_and_apart_from_it(make, used):
    original, first, second = make(), batch(), batch()
    if used:
        original.update_state(*first)
    copied = copy_metric(original, {})
    assert type(copied) is type(original)
    assert {id(v) for v in copied.variables}.isdisjoint(map(id, original.variables))
    if not used:
        original.update_state(*first)
        copied.update_state(*first)
    np.testing.assert_array_equal(value(copied), value(original))

    before = value(original)
    copied.update_state(*second)
    np.testing.assert_array_equal(value(original), before)
    original.update_state(*second)
    np.testing.assert_array_equal(value(copied), value(original))
    copied.reset_state()
    assert len(copied.variables) == len(original.variables)


def test_what_a_metric_tracks_later_is_its_own():
    original = Limited()
    copied = copy_metric(original, {})
    copied.more = keras.metrics.Mean()
    copied.again = copied.count
    assert len(copied.variables) == 3
    assert len(original.variables) == 1


def test_what_two_metrics_share_their_copies_share():
    inner = Limited(0.2)
    memo = {}
    one, other = copy_metric(Wrapped(inner), memo), copy_metric(inner, memo)
    assert one.inner is other
    assert other is not inner


def test_a_function_that_leads_to_no_state_stays_itself():
    scale = [1.0]
    original = Limited(scale=lambda count: scale[0] * count)
    assert copy_metric(original, {}).scale is original.scale
