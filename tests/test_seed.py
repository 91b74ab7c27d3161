import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf import seed_everything
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.seed import MAX_SEED, get_last_seed, random_state, restore_random_state


def draws():
    return (
        random.random(),
        float(np.random.rand()),
        float(tf.random.uniform([])),
        float(keras.random.uniform([])),
    )


def test_one_seed_decides_all_four_generators():
    assert seed_everything(5) == 5
    first = draws()
    seed_everything(5)
    assert draws() == first
    seed_everything(6)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_the_last_seed_is_remembered():
    seed_everything(17)
    assert get_last_seed() == 17


@pytest.mark.parametrize("seed", [0, MAX_SEED])
def test_the_ends_of_the_range_work(seed):
    assert seed_everything(seed) == seed


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.0, "1", None, True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ConfigurationError, match=r"seed is .*; give an integer in 0"):
        seed_everything(seed)


def test_a_refused_seed_changes_nothing():
    seed_everything(3)
    with pytest.raises(ConfigurationError):
        seed_everything(-1)
    assert get_last_seed() == 3


def test_pythons_and_numpys_generators_come_back_through_json():
    state = json.loads(json.dumps(random_state()))
    drawn = random.random(), np.random.normal()
    random.random()
    restore_random_state(state)
    assert (random.random(), np.random.normal()) == drawn
