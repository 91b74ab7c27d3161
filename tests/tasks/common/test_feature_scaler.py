"""Scales are those of scikit-learn, by group, and come back."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.common.feature_scaler import FeatureScaler

ROWS = np.random.default_rng(0).normal(5.0, 3.0, (50, 2))


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_scaled_values_are_those_of_scikit_learn(kind):
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    scaler = FeatureScaler(2, kind)
    assert not scaler.is_fitted
    scaler.fit([ROWS])
    expected = {"standard": StandardScaler, "minmax": MinMaxScaler}[kind]().fit_transform(ROWS)
    np.testing.assert_allclose(scaler(tf.constant(ROWS)), expected, atol=1e-5)
    np.testing.assert_allclose(scaler.inverse(scaler(tf.constant(ROWS))), ROWS, rtol=1e-4)
    assert scaler.is_fitted


@pytest.mark.parametrize("columns", [1, 2, 20])
@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_scales_of_many_rows_are_those_of_numpy_to_the_bit(kind, columns):
    rows = np.random.default_rng(0).normal(5.0, 3.0, (20_001, columns)).astype(np.float32)
    scaler, exact = FeatureScaler(columns, kind), rows.astype(float)
    scaler.fit([rows])
    expected = {
        "standard": (exact.mean(axis=0), exact.std(axis=0)),
        "minmax": (exact.min(axis=0), np.ptp(exact, axis=0)),
    }[kind]
    for weight, numbers in zip((scaler.center, scaler.scale), expected, strict=True):
        np.testing.assert_array_equal(weight.numpy()[0], numbers.astype(np.float32))


def test_groups_have_scales_of_their_own():
    scaler = FeatureScaler(1, groups=2)
    scaler.fit([np.array([[0.0], [2.0]]), np.array([[0.0], [200.0]])])
    values = tf.constant([[[2.0], [4.0]], [[200.0], [400.0]]])
    scaled = scaler(values, tf.constant([0, 1]))
    assert scaled.numpy().ravel().tolist() == [1.0, 3.0, 1.0, 3.0]


def test_a_column_that_never_changes_becomes_nothing():
    for kind in ("standard", "minmax"):
        scaler = FeatureScaler(1, kind)
        scaler.fit([np.full((5, 1), 7.0)])
        assert scaler(tf.fill([3, 1], 7.0)).numpy().ravel().tolist() == [0.0, 0.0, 0.0]
