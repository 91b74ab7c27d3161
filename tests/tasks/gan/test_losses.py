"""The losses of two networks that work against each other equal their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.gan.losses import LOSSES, get_adversarial_loss, gradient_penalty

REAL = np.array([[0.3], [-1.2], [2.0]], "float32")
FAKE = np.array([[-0.7], [0.4], [1.5]], "float32")


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


FORMULAS = {
    "minimax": (
        lambda r, f: -(log_sigmoid(r) + log_sigmoid(-f)).mean(),
        lambda f: -log_sigmoid(f).mean(),
    ),
    "lsgan": (
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda f: -f.mean(),
    ),
    "wgan-gp": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_loss_equals_the_formula_of_its_paper(name):
    discriminator, generator = FORMULAS[name]
    loss = LOSSES[name]
    value = loss.discriminator(tf.constant(REAL), tf.constant(FAKE), 1.0)
    assert float(value) == pytest.approx(discriminator(REAL, FAKE), rel=1e-5)
    assert float(loss.generator(tf.constant(FAKE))) == pytest.approx(generator(FAKE), rel=1e-5)


def test_label_smoothing_moves_the_target_of_real_images_alone():
    smoothed = LOSSES["minimax"].discriminator(tf.constant(REAL), tf.constant(FAKE), 0.9)
    expected = -(0.9 * log_sigmoid(REAL) + 0.1 * log_sigmoid(-REAL) + log_sigmoid(-FAKE)).mean()
    assert float(smoothed) == pytest.approx(expected, rel=1e-5)
    smoothed = LOSSES["lsgan"].discriminator(tf.constant(REAL), tf.constant(FAKE), 0.9)
    assert float(smoothed) == pytest.approx(
        0.5 * ((REAL - 0.9) ** 2).mean() + 0.5 * (FAKE**2).mean(), rel=1e-5
    )


@pytest.mark.parametrize(("name", "expected"), [("minimax", 0.5), ("hinge", 0.0)])
def test_the_score_is_a_probability_where_outputs_are_logits(name, expected):
    assert float(LOSSES[name].score(tf.zeros([4, 1]))) == expected


def test_the_penalty_of_a_linear_critic_is_its_slope_beyond_1():
    slope = tf.constant(np.random.default_rng(0).normal(size=(12, 1)), tf.float32)
    real, fake = tf.zeros([5, 2, 6, 1]), tf.ones([5, 2, 6, 1])

    def critic(images):
        return tf.matmul(tf.reshape(images, [-1, 12]), slope)

    penalty = gradient_penalty(critic, real, fake, tf.random.uniform([5, 1]))
    assert float(penalty) == pytest.approx((float(tf.norm(slope)) - 1) ** 2, rel=1e-5)


def test_the_penalty_is_taken_at_points_between_real_and_generated_images():
    real, fake = tf.fill([2, 1, 1, 1], 3.0), tf.fill([2, 1, 1, 1], 5.0)
    at = tf.constant([[0.0], [0.5]])
    # The gradient of x ** 2 is 2 x: 6 and 8.
    penalty = gradient_penalty(lambda x: tf.reshape(x**2, [-1, 1]), real, fake, at)
    assert float(penalty) == pytest.approx((25 + 49) / 2)


def test_a_dead_critic_has_a_penalty_whose_gradient_is_finite():
    slope = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(
            lambda x: tf.reshape(x * slope, [-1, 1]),
            tf.ones([2, 1, 1, 1]),
            tf.zeros([2, 1, 1, 1]),
            tf.ones([2, 1]),
        )
    assert np.isfinite(float(tape.gradient(penalty, slope)))


def test_an_unknown_loss_is_told_with_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'wgan-gp'"):
        get_adversarial_loss("wgangp")
