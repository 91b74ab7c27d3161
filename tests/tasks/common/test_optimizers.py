"""Optimizers by name: what is built, what decays, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    check_optimizer,
    default_learning_rate,
    undecayed_variables,
)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_named_optimizer_brings_a_weight_nearer_to_its_target(name):
    weight = keras.Variable(np.ones((2, 2), "float32"))
    optimizer = build_optimizer(name, default_learning_rate(name, None))
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply([tf.convert_to_tensor(weight)], [weight])
    assert float(tf.reduce_max(weight)) < 1.0


def test_nesterov_and_momentum_differ_in_nothing_but_their_name_says_so():
    assert build_optimizer("nesterov", 0.1).nesterov
    momentum = build_optimizer("momentum", 0.1)
    assert (momentum.momentum, momentum.nesterov) == (0.9, False)
    assert build_optimizer("sgd", 0.1).momentum == 0.0


def test_options_beside_a_name_reach_keras():
    assert build_optimizer(("momentum", {"momentum": 0.5}), 0.1).momentum == 0.5
    assert build_optimizer(["adam", {"beta_1": 0.8}], 0.1).beta_1 == 0.8


def test_weight_decay_moves_kernels_and_spares_biases_and_normalization():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, bias_initializer="ones"),
            keras.layers.BatchNormalization(beta_initializer="ones"),
        ]
    )
    optimizer = build_optimizer("sgd", 0.1, 0.5, undecayed_variables(model))
    variables = model.trainable_variables
    optimizer.build(variables)
    before = [variable.numpy() for variable in variables]
    optimizer.apply([tf.zeros(variable.shape) for variable in variables], variables)
    kernel, *others = zip(before, variables, strict=True)
    np.testing.assert_allclose(kernel[1].numpy(), kernel[0] * (1 - 0.1 * 0.5), rtol=1e-6)
    for value, variable in others:
        np.testing.assert_array_equal(variable.numpy(), value)


def test_no_weight_decay_given_leaves_each_optimizer_its_own():
    assert build_optimizer("adamw", 1e-3).weight_decay == 0.004
    assert build_optimizer("adam", 1e-3).weight_decay is None
    assert build_optimizer("adamw", 1e-3, 0.0).weight_decay is None


def test_an_object_and_a_configuration_are_taken_as_they_are():
    rmsprop = keras.optimizers.RMSprop(0.03)
    assert build_optimizer(rmsprop) is rmsprop
    again = build_optimizer(keras.optimizers.serialize(rmsprop))
    assert float(again.learning_rate) == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("momentun",), "Did you mean 'momentum'"),
        ((("adam", {"momentum": 0.9}),), "momentum"),
        (({"class_name": "NoSuch", "config": {}},), "NoSuch"),
        ((3,), "unknown"),
        (("adam", 0.0), "learning_rate=0.0 must be a number and positive"),
        (("adam", -1e-3), "learning_rate"),
        (("adam", "fast"), "learning_rate='fast'"),
        (("adam", True), "learning_rate=True"),
        (("adam", float("nan")), "learning_rate=nan"),
        (("adam", 1e-3, -0.1), "weight_decay=-0.1 must be a number and not negative"),
    ],
)
def test_an_optimizer_that_cannot_be_is_refused_at_once(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        check_optimizer(*arguments)


def test_an_optimizer_with_its_own_numbers_refuses_others():
    for numbers in ({"learning_rate": 0.1}, {"weight_decay": 0.1}):
        with pytest.raises(ConfigurationError, match="brings its own"):
            check_optimizer(keras.optimizers.Adam(), **numbers)
