"""Schedules: the rate of every update, and what is refused."""

import math

import keras
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.schedules import Warmup, build_schedule, check_schedule


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_cosine_starts_at_the_rate_is_half_in_the_middle_and_ends_at_its_final_fraction():
    assert rates(build_schedule("cosine", 0.2, 100), 0, 50, 100) == pytest.approx([0.2, 0.1, 0.0])
    schedule = build_schedule(("cosine", {"final_fraction": 0.1}), 0.2, 100)
    assert float(schedule(100)) == pytest.approx(0.02)


def test_linear_falls_in_a_straight_line():
    schedule = build_schedule("linear", 0.2, 100)
    assert rates(schedule, 0, 25, 100) == pytest.approx([0.2, 0.15, 0.0])


def test_exponential_falls_by_the_same_ratio_and_ends_at_its_final_fraction():
    schedule = build_schedule(("exponential", {"final_fraction": 0.01}), 1.0, 100)
    assert rates(schedule, 0, 50, 100) == pytest.approx([1.0, 0.1, 0.01])


def test_piecewise_drops_after_each_milestone():
    schedule = build_schedule("piecewise", 1.0, 100)
    expected = [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    assert rates(schedule, 0, 49, 50, 74, 75, 99) == pytest.approx(expected)


def test_constant_is_the_number_itself():
    assert build_schedule("constant", 0.3, None) == 0.3


def test_no_choice_is_cosine_where_the_length_is_known_and_else_constant():
    assert float(build_schedule(None, 0.2, 100)(50)) == pytest.approx(0.1)
    assert build_schedule(None, 0.2, None) == 0.2
    assert build_schedule(None, 0.2, math.inf) == 0.2


def test_a_warm_up_rises_to_the_rate_and_leaves_the_rest_to_the_schedule():
    schedule = build_schedule("cosine", 1.0, 110, warmup_steps=10)
    assert rates(schedule, 0, 4, 9, 10, 60, 110) == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])


def test_a_warm_up_may_be_a_fraction_of_all_updates():
    schedule = build_schedule("constant", 1.0, 200, warmup_steps=0.1)
    assert schedule.warmup_steps == 20
    assert rates(schedule, 0, 19, 20, 199) == pytest.approx([0.05, 1.0, 1.0, 1.0])


def test_a_warm_up_survives_its_configuration():
    schedule = Warmup(keras.optimizers.schedules.CosineDecay(1.0, 100), 10)
    again = Warmup.from_config(schedule.get_config())
    assert rates(again, 3, 60) == rates(schedule, 3, 60)


def test_keras_schedules_and_their_configurations_are_taken_as_they_are():
    decay = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.1)
    assert build_schedule(decay, 1.0, None) is decay
    config = keras.optimizers.schedules.serialize(decay)
    assert float(build_schedule(config, 1.0, None)(10)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("cosin", "Did you mean 'cosine'"),
        (("cosine", {"alpha": 0.1}), "alpha"),
        (("cosine", 0.1), "unknown"),
        ({"class_name": "NoSuchDecay", "config": {}}, "NoSuchDecay"),
        (7, "unknown"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_at_once(schedule, message):
    with pytest.raises(ConfigurationError, match=message):
        check_schedule(schedule)


@pytest.mark.parametrize("warmup_steps", [-1, 1.5, True, -0.1])
def test_a_warm_up_that_is_no_count_and_no_fraction_is_refused(warmup_steps):
    with pytest.raises(ConfigurationError, match="warmup_steps"):
        check_schedule("cosine", warmup_steps)


def test_a_schedule_with_its_own_rate_refuses_another():
    with pytest.raises(ConfigurationError, match="brings its own"):
        check_schedule(keras.optimizers.schedules.CosineDecay(1.0, 10), 0, learning_rate=0.1)


@pytest.mark.parametrize("updates", [None, math.inf])
def test_a_schedule_over_the_whole_run_needs_to_know_its_length(updates):
    with pytest.raises(ConfigurationError, match="max_steps"):
        build_schedule("linear", 1.0, updates)
    with pytest.raises(ConfigurationError, match="max_steps"):
        build_schedule("constant", 1.0, updates, warmup_steps=0.1)


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(ConfigurationError, match="warmup_steps=100 does not end"):
        build_schedule("cosine", 1.0, 100, warmup_steps=100)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "exponential", "piecewise"])
def test_a_run_of_no_updates_still_has_a_schedule(name):
    rate = build_schedule(name, 0.1, updates=0)
    assert float(rate if name == "constant" else rate(0)) == pytest.approx(0.1)
