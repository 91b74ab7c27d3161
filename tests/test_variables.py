import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.variables import (
    all_variables,
    components,
    optimizable_variables,
    trainable_variables,
)


class Owner:
    pass


def network(name=None):
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    return keras.Sequential([keras.Input((2,)), *layers], name=name)


@pytest.fixture
def owner():
    owner = Owner()
    owner.model = network()
    owner.heads = [keras.layers.Dense(1), keras.layers.Dense(1)]
    for head in owner.heads:
        head.build((None, 3))
    owner.parts = {"scale": keras.Variable(1.0, name="scale")}
    owner.raw = tf.Variable(2.0, name="raw")
    owner.fixed = tf.Variable(2.0, trainable=False)
    owner.noise = keras.random.SeedGenerator(1)
    owner.number, owner.text = 3, "text"
    return owner


def test_components_are_found_in_lists_and_dicts(owner):
    names = [name for name, _ in components(owner)]
    assert names == ["model", "heads.0", "heads.1", "parts.scale", "raw", "fixed", "noise"]


def test_all_variables_hold_statistics_and_seeds(owner):
    names = list(all_variables(owner))
    assert "model.0000.kernel" in names
    assert any("moving_mean" in name for name in names)
    assert len([name for name in names if "seed_generator_state" in name]) == 2
    assert len(names) == 7 + 4 + 1 + 2 + 1


def test_names_do_not_depend_on_how_many_layers_the_process_made_before():
    first, second = Owner(), Owner()
    first.model = network()
    network()
    second.model = network()
    assert list(all_variables(first)) == list(all_variables(second))


def test_a_generator_of_tensorflow_that_a_layer_holds_is_one_of_its_variables():
    owner = Owner()
    owner.model = keras.layers.Dropout(0.5)
    owner.model.generator = tf.random.Generator.from_seed(3)
    assert any(v is owner.model.generator.state for v in all_variables(owner).values())


def test_a_shared_variable_appears_once():
    owner = Owner()
    owner.model = network()
    owner.again = owner.model
    owner.layer = owner.model.layers[0]
    assert len(all_variables(owner)) == 7
    assert len(trainable_variables(owner)) == 4


def test_trainable_variables_are_those_that_train_now(owner):
    assert len(trainable_variables(owner)) == 4 + 4 + 1 + 1
    owner.model.layers[0].trainable = False
    assert len(trainable_variables(owner)) == 2 + 4 + 1 + 1
    assert len(trainable_variables(owner.model)) == 2
    assert len(trainable_variables(owner.heads)) == 4


def test_optimizable_variables_do_not_change_with_freezing(owner):
    before = [id(variable) for variable in optimizable_variables(owner)]
    for layer in (owner.model.layers[0], owner.heads[1]):
        layer.trainable = False
    assert [id(variable) for variable in optimizable_variables(owner)] == before
    owner.model.trainable = False
    assert [id(variable) for variable in optimizable_variables(owner)] == before


def test_statistics_and_seeds_are_never_optimizable():
    owner = Owner()
    owner.model = network()
    names = [variable.name for variable in optimizable_variables(owner)]
    assert sorted(names) == ["beta", "bias", "gamma", "kernel"]


def test_a_variable_is_reached_under_the_name_it_is_stored_by(owner):
    all_variables(owner)["model.0000.kernel"].assign(np.ones((2, 3)))
    assert np.asarray(owner.model.layers[0].kernel).sum() == 6.0


def test_keys_that_would_give_one_name_give_two():
    class Heads:
        def __init__(self):
            self.heads = {"a.b": variable(), "a": {"b": variable()}, 1: variable(), "1": variable()}

    def variable():
        return keras.Variable(0.0, name="kernel")

    assert len(all_variables(Heads())) == 4
