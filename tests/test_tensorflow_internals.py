"""What TensorFlow does not promise to keep is as it was when it was checked."""

import sys

import keras
import pytest
import tensorflow as tf

from lightning_tf import tensorflow_internals as internals


@tf.custom_gradient
def halved(x):
    return x, lambda upstream: upstream / 2.0


def test_custom_gradients_stand_in_the_table_until_they_are_forgotten():
    traced = tf.function(halved).get_concrete_function(tf.TensorSpec([]))
    names = internals.custom_gradient_names(traced.graph)
    table = internals.ops.gradient_registry._registry
    assert names
    assert all(name in table for name in names)
    internals.forget_custom_gradients(names)
    assert not any(name in table for name in names)


def test_tensorflow_hub_is_imported_where_setuptools_is_absent(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorflow_hub"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("setuptools", "pkg_resources"):
        monkeypatch.setitem(sys.modules, name, None)  # an import finds nothing
    hub = internals.import_tensorflow_hub()
    assert callable(hub.resolve)
    assert hub is sys.modules["tensorflow_hub"]
    assert "pkg_resources" not in sys.modules  # the stand-in is gone


def test_this_threads_graphs_are_called_with_the_options_that_are_set():
    before, other = internals.get_call_options(), internals.make_call_options()
    internals.set_call_options(other)
    try:
        assert internals.get_call_options() is other
        assert int(tf.function(lambda x: x + 1)(tf.constant(1))) == 2
        assert internals.make_call_options() is None  # somebody has chosen
    finally:
        internals.set_call_options(before)
    assert internals.get_call_options() is before


def test_shuffles_and_their_seeds_are_found_in_a_pipeline():
    plain = tf.data.Dataset.range(8)
    assert internals.shuffles_of(plain.batch(2)) == []
    seeded = plain.shuffle(8, seed=3, reshuffle_each_iteration=False).map(lambda x: x).batch(2)
    (shuffle,) = internals.shuffles_of(seeded)
    assert internals.shuffle_seeds(shuffle) != (0, 0)
    assert not internals.reshuffles(shuffle)
    (first,), (second,) = (internals.shuffles_of(plain.shuffle(8)) for _ in range(2))
    assert internals.shuffle_seeds(first) != internals.shuffle_seeds(second)
    assert internals.reshuffles(first)
    assert len(internals.shuffles_of(tf.data.Dataset.zip(seeded, seeded))) == 2


def test_mirrored_strategies_have_keys_of_their_own():
    devices = ["CPU:0", "CPU:1"]
    one, other = (internals.make_mirrored_strategy(devices, key) for key in (1, 2))
    assert (one._collective_key_base, other._collective_key_base) == (1, 2)
    assert "_collective_key_base" in vars(tf.distribute.MirroredStrategy)


def test_the_objects_in_an_object_are_found():
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    assert any(child is module.weight for child in internals.tracked_children(module))
    assert internals.tracked_children("text") == []


def test_one_process_is_no_multi_worker_run_and_has_started():
    assert not internals.is_multi_worker(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    tf.constant(1)
    assert internals.has_started()


def test_keras_optimizers_update_from_outside_the_replicas_inside_the_block_only():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        variable = keras.Variable([1.0])
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([variable])

        def update():
            gradients = strategy.run(lambda: tf.ones([1]))
            optimizer.apply([gradients], [variable])

        with internals.merged_replicas():
            tf.function(update, autograph=False)()
        assert variable.numpy().tolist() == [0.0]
        with pytest.raises(AttributeError, match="merge_call"):
            tf.function(update, autograph=False)()


def test_determinism_is_off_unless_it_is_asked_for():
    assert internals.is_op_determinism_enabled() is False
