"""FID and KID equal their definitions."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from lightning_tf.tasks.gan.fid_kid import frechet_distance, kernel_distance


def features(count=200, size=6, seed=0, mean=0.0):
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(size, size))
    return mean + random.normal(size=(count, size)) @ mixed


def test_fid_equals_the_formula_with_a_matrix_root():
    one, other = features(), features(150, seed=1, mean=0.5)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    apart = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    expected = apart + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-6)


def test_fid_of_the_same_features_is_0_and_of_a_shift_its_square():
    one = features()
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(one, one + 3.0) == pytest.approx(6 * 9.0)


def test_fid_is_finite_for_more_features_than_images_and_for_constant_ones():
    assert frechet_distance(features(5), np.zeros((7, 6))) > 0.0
    assert frechet_distance(features(size=1), features(size=1)) == pytest.approx(0.0, abs=1e-6)


def test_kid_equals_the_sums_over_all_pairs():
    one, other = features(7), features(5, seed=1)

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def mean(x, y, same):
        pairs = [
            kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(y) if i != j or not same
        ]
        return np.mean(pairs)

    expected = mean(one, one, True) + mean(other, other, True) - 2 * mean(one, other, False)
    assert kernel_distance(one, other) == pytest.approx(expected)


def test_kid_is_about_0_for_the_same_distribution_and_not_for_another():
    points = np.random.default_rng(0).normal(size=(600, 4))
    assert abs(kernel_distance(points[:300], points[300:])) < 0.05
    assert kernel_distance(points[:300], points[300:] + 1.0) > 0.5
