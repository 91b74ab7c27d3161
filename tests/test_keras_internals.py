"""What Keras does not promise to keep is as it was when keras_internals.py was checked."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf import keras_internals as internals
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.layers import FusedBatchNormalization


def nested_model():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    return keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1)])


def test_flat_layers_enter_nested_models_and_name_each_before_its_parts():
    model = nested_model()
    layers = internals.flat_layers(model)
    assert layers[0] is model
    assert sum(isinstance(layer, keras.layers.Dense) for layer in layers) == 3
    assert model not in internals.flat_layers(model, include_self=False)
    direct = internals.flat_layers(model, include_self=False, recursive=False)
    assert sum(isinstance(layer, keras.layers.Dense) for layer in direct) == 1


def test_sublayers_of_models_and_of_other_layers():
    assert len(internals.sublayers(nested_model())) == 2
    wrapped = keras.layers.Dense(2)
    assert internals.sublayers(keras.layers.TimeDistributed(wrapped)) == [wrapped]


def test_a_frozen_layer_still_tells_what_would_train():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    layer.trainable = False
    assert layer.trainable_variables == []
    assert internals.ever_trainable(layer) == [layer.kernel, layer.bias]


def test_a_symbolic_tensor_names_its_layer():
    layer = keras.layers.Dense(2)
    assert internals.producing_layer(layer(keras.Input((3,)))) is layer


def test_outputs_are_kept_inside_the_block_also_of_layers_in_nested_models():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="same")])
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1, name="same")])
    x = np.ones((4, 3), "float32")
    layers = {"inner": inner.layers[-1], "outer": outer.layers[-1]}
    with internals.kept_outputs(layers) as outputs:
        result = outer(x)
    np.testing.assert_array_equal(outputs["outer"], result)
    np.testing.assert_array_equal(outputs["inner"], inner(x))
    assert "call" not in vars(inner.layers[-1])


def test_a_layer_whose_outputs_were_kept_has_the_call_that_hid_its_own_before():
    layer = keras.layers.Dense(1)
    call = layer.call
    layer.call = hiding = lambda inputs: call(inputs) + 1.0
    with internals.kept_outputs({"layer": layer}) as outputs:
        result = layer(np.ones((1, 2)))
    np.testing.assert_array_equal(outputs["layer"], result)
    assert vars(layer)["call"] is hiding


def test_a_layer_owns_a_variable_that_was_made_before():
    layer, variable = keras.layers.Dense(1), keras.Variable([1.0])
    internals.track_variable(layer, variable)
    assert [id(v) for v in layer.variables] == [id(variable)]


def test_a_layer_of_another_class_keeps_weights_and_identity():
    layer = keras.layers.BatchNormalization()
    layer.build((None, 4, 4, 3))
    gamma = layer.gamma
    internals.change_class(layer, FusedBatchNormalization)
    assert isinstance(layer, FusedBatchNormalization)
    assert layer.gamma is gamma
    assert layer(np.ones((2, 4, 4, 3), "float32")).shape == (2, 4, 4, 3)


def test_the_wrapped_variable_is_tensorflows_and_not_cast():
    variable = keras.Variable([1.0], autocast=True)
    assert isinstance(internals.wrapped_variable(variable), tf.Variable)
    assert internals.wrapped_variable(variable).dtype == tf.float32
    plain = tf.Variable(1.0)
    assert internals.wrapped_variable(plain) is plain


def test_a_variable_is_made_anew_in_the_current_scope():
    variable = keras.Variable([1.0, 2.0])
    before = internals.wrapped_variable(variable)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        internals.initialize_again(variable, np.array([3.0, 4.0], "float32"))
    assert internals.wrapped_variable(variable) is not before
    assert isinstance(internals.wrapped_variable(variable), tf.distribute.DistributedValues)


def test_an_optimizers_schedule_and_decay():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.1)
    assert internals.learning_rate_of(optimizer) is schedule
    kernel, bias = keras.Variable([[1.0]], name="kernel"), keras.Variable([1.0], name="bias")
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build([kernel, bias])
    assert internals.decays_weight(optimizer, kernel)
    assert not internals.decays_weight(optimizer, bias)
    assert internals.slot_index(optimizer, bias) == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(0.1),
        keras.optimizers.AdamW(0.1),
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.optimizers.SGD(0.1),
    ],
    ids=["Adam", "AdamW", "SGD with momentum", "SGD"],
)
def test_slots_are_kept_under_the_known_names(optimizer):
    variables = [keras.Variable([1.0]), keras.Variable([1.0, 2.0])]
    optimizer.build(variables)
    names = internals.SLOT_ATTRIBUTES[type(optimizer)](optimizer)
    slots = [slot for name in names for slot in getattr(optimizer, name)]
    others = {id(optimizer.iterations), id(optimizer.learning_rate)}
    kept = {id(variable) for variable in optimizer.variables} - others
    assert {id(slot) for slot in slots} == kept


def test_a_replaced_update_is_called_by_apply_and_gone_afterwards():
    variable, calls = keras.Variable([1.0]), []
    optimizer = keras.optimizers.SGD(1.0, weight_decay=0.5)
    optimizer.build([variable])
    gradient = [tf.constant([1.0])]
    with internals.replaced_update(optimizer, lambda *arguments: calls.append(arguments)):
        optimizer.apply(gradient, [variable])
    assert len(calls) == 1
    assert variable.numpy().tolist() == [1.0]
    optimizer.apply(gradient, [variable])
    assert variable.numpy().tolist() != [1.0]


def test_an_optimizer_moves_with_its_slots():
    variable = keras.Variable([1.0])
    optimizer = keras.optimizers.SGD(1.0, momentum=0.9)
    optimizer.build([variable])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        for each in (variable, *optimizer.variables):
            internals.initialize_again(each, each.numpy())
        internals.move_optimizer(optimizer)
        assert internals.slot_index(optimizer, variable) == 0


def test_the_global_seed_generator_is_what_unseeded_draws_move():
    keras.random.uniform((1,))
    generator = internals.global_seed_generator()
    before = generator.state.numpy().tolist()
    keras.random.uniform((1,))
    assert generator.state.numpy().tolist() != before

    other, seen = keras.random.SeedGenerator(5), []

    def draw():
        internals.set_global_seed_generator(other)
        seen.append(internals.global_seed_generator() is other)

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert seen == [True]
    assert internals.global_seed_generator() is generator


def test_every_draw_passes_through_the_change():
    generator = keras.random.SeedGenerator(1)
    with internals.replaced_draw(lambda seed: seed * 0):
        assert generator.next().numpy().tolist() == [0, 0]
    assert generator.next().numpy().tolist() != [0, 0]


def test_each_thread_has_its_own_losses():
    layer, seen = keras.layers.ActivityRegularization(l2=1.0), []

    def call():
        layer(tf.ones((1, 2)))
        seen.append(len(layer.losses))

    with internals.losses_of_each_thread():
        for _ in range(2):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
    assert seen == [1, 1]
    assert layer.losses == []


def test_losses_are_not_divided_by_the_replicas():
    loss = keras.losses.MeanSquaredError()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def compute():
        with strategy.scope():
            values = strategy.run(lambda: loss(tf.zeros((2, 1)), tf.ones((2, 1))))
            return float(strategy.experimental_local_results(values)[0])

    assert compute() == pytest.approx(0.5)
    with internals.undivided_losses():
        assert compute() == pytest.approx(1.0)


def test_a_copied_variable_and_a_copied_tracker_belong_to_the_copy():
    metric = keras.metrics.Mean()
    metric.update_state(3.0)
    copied = internals.copy_variable(metric.total)
    copied.assign_add(1.0)
    assert (float(copied), float(metric.total)) == (4.0, 3.0)
    assert (copied.name, copied.dtype) == (metric.total.name, metric.total.dtype)

    stores = []
    tracker = internals.copy_tracker(metric._tracker, lambda store: stores.append([]) or stores[-1])
    assert internals.is_tracker(tracker)
    assert not internals.is_tracker(metric)
    tracker.track(copied)
    tracker.track(copied)
    assert [item for store in stores for item in store] == [copied]
    assert len(metric.variables) == 2


def test_recurrent_layers_leave_out_cudnn_in_a_step_of_the_cpu(monkeypatch):
    monkeypatch.setattr(internals.rnn, "_is_gpu_available", lambda: True)
    refuse = lambda *_, **__: pytest.fail("cuDNN's kernel was taken")  # noqa: E731
    monkeypatch.setattr(internals.rnn, "_cudnn_gru", refuse)
    layer = keras.layers.GRU(2)
    layer.build((None, 3, 2))
    with SingleDevice("/CPU:0").scope():
        assert layer(np.zeros((1, 3, 2), "float32")).shape == (1, 2)
    assert internals.rnn._is_gpu_available()
