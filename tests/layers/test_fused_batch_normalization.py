from __future__ import annotations

import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.paths import ROOT
from tensorflow.python.framework.config import disable_op_determinism

from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.step_context import StepContext, enter_step_context

# Keras reads variables for a file in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IMAGES = (6, 5, 4, 3)


def _pair(**arguments):
    """A fused layer and Keras' layer with the same, uneven weights."""
    layers = [FusedBatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)]
    rng = np.random.default_rng(3)
    channels = rng.uniform(0.5, 2.0, (len(layers[0].get_weights()) or 4, IMAGES[-1]))
    for layer in layers:
        layer.build((None, *IMAGES[1:]))
        layer.set_weights(channels[: len(layer.weights)].astype("float32"))
    return layers


def _inputs(shape=IMAGES, dtype="float32"):
    return tf.constant(np.random.default_rng(0).normal(3.0, 2.0, shape), dtype)


def _run(layer, x, training):
    """Outputs, gradients towards the input and the trainable weights, and all weights after."""
    direction = tf.constant(np.random.default_rng(1).normal(size=x.shape), "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * direction)
    variables = [x, *[weight.value for weight in layer.trainable_weights]]
    return outputs, tape.gradient(loss, variables), [weight.numpy() for weight in layer.weights]


def _assert_close(left, right, tolerance=2e-5):
    for one, other in zip(tf.nest.flatten(left), tf.nest.flatten(right), strict=True):
        np.testing.assert_allclose(
            np.asarray(one, "float64"), np.asarray(other, "float64"), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"axis": 3, "momentum": 0.6, "epsilon": 1e-2}, {"scale": False}, {"center": False}],
)
def test_outputs_gradients_and_statistics_are_those_of_keras(arguments, training):
    fused, plain = _pair(**arguments)
    _assert_close(_run(fused, _inputs(), training), _run(plain, _inputs(), training))


def _operations(layer, training):
    call = tf.function(lambda x: layer(x, training=training))
    graph = call.get_concrete_function(tf.TensorSpec((None, *IMAGES[1:]))).graph
    return {operation.type for operation in graph.get_operations()}


def test_images_go_through_the_fused_operation_in_training_and_inference():
    layer, _ = _pair()
    assert "FusedBatchNormV3" in _operations(layer, training=True)
    assert "FusedBatchNormV3" in _operations(layer, training=False)


def test_deterministic_operations_leave_the_fused_operation_to_training():
    layer, _ = _pair()
    tf.config.experimental.enable_op_determinism()
    try:
        assert "FusedBatchNormV3" in _operations(layer, training=True)
        assert "FusedBatchNormV3" not in _operations(layer, training=False)
    finally:
        disable_op_determinism()


def test_a_frozen_layer_uses_and_keeps_the_moving_statistics():
    fused, plain = _pair()
    before = [weight.numpy() for weight in fused.weights]
    fused.trainable = plain.trainable = False
    ours, theirs = _run(fused, _inputs(), True), _run(plain, _inputs(), True)
    _assert_close(ours, theirs)
    _assert_close(ours[2], before, 0)


def test_the_last_smaller_batch_moves_the_statistics_as_keras_does():
    fused, plain = _pair()
    for layer in (fused, plain):
        step = tf.function(lambda x, bound=layer: bound(x, training=True))
        step(_inputs())
        step(_inputs((2, *IMAGES[1:])))
    _assert_close(fused.get_weights(), plain.get_weights())


def test_the_variance_of_one_pixel_is_zero():
    fused, plain = _pair()
    x = _inputs((1, 1, 1, 3))
    _assert_close(_run(fused, x, True), _run(plain, x, True))


def test_no_examples_leave_the_moving_statistics_alone():
    layer, _ = _pair()
    before = layer.get_weights()
    outputs, gradients, after = _run(layer, _inputs((0, *IMAGES[1:])), True)
    assert outputs.shape[0] == 0
    _assert_close(after, before, 0)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_gradients_with_moving_statistics_are_those_of_keras_also_towards_these(options):
    results = []
    for layer in _pair(**options):
        x = _inputs()
        variables = [x, *[weight.value for weight in layer.weights]]
        with tf.GradientTape() as tape:
            tape.watch(variables)
            loss = tf.reduce_sum(layer(x, training=False) ** 3)
        results.append([gradient / 100 for gradient in tape.gradient(loss, variables)])
    _assert_close(*results, 1e-4)


def test_a_graph_behind_a_frozen_layer_sums_nothing_over_the_batch():
    layer = _pair()[0]
    layer.trainable = False

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, x)

    graph = gradient.get_concrete_function(tf.TensorSpec((None, *IMAGES[1:]))).graph
    used, waiting = set(), [graph.outputs[0].op]
    while waiting:
        operation = waiting.pop()
        if operation not in used:
            used.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    assert "FusedBatchNormV3" in {operation.type for operation in used}
    assert not {"Sum", "FusedBatchNormGradV3"} & {operation.type for operation in used}


@pytest.mark.parametrize("training", [True, False])
def test_a_second_derivative_is_that_of_keras(training):
    results = []
    for layer in _pair():
        x = _inputs()
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x, training=training) ** 3)
            penalty = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        results.append(outer.gradient(penalty, x))
    _assert_close(results[0] / 100, results[1] / 100, 1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.03), ("float16", 0.004)])
@pytest.mark.parametrize("training", [True, False])
def test_under_mixed_precision_statistics_and_parameters_stay_float32(
    precision, tolerance, training
):
    fused, plain = _pair(dtype=f"mixed_{precision}")
    x = _inputs(dtype=precision)
    ours, theirs = _run(fused, x, training), _run(plain, x, training)
    assert ours[0].dtype == precision
    assert {weight.dtype for weight in fused.weights} == {"float32"}
    _assert_close(ours[0], theirs[0], tolerance)
    _assert_close(ours[1], theirs[1], 10 * tolerance)
    _assert_close(ours[2], theirs[2], 1e-5)


def test_it_compiles_with_xla_to_the_same_numbers():
    eager, compiled = _pair()[0], _pair()[0]
    step = tf.function(lambda x: compiled(x, training=True), jit_compile=True)
    _assert_close(step(_inputs()), eager(_inputs(), training=True))
    _assert_close(compiled.get_weights(), eager.get_weights())


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((8, 3), {}),
        ((8, 5, 3), {}),
        ((2, 3, 4, 5, 3), {}),
        ((6, 3, 5, 4), {"axis": 1}),
        (IMAGES, {"renorm": True}),
        (IMAGES, {"epsilon": 1e-6}),
        (IMAGES, {"dtype": "float64"}),
    ],
)
def test_what_the_operation_cannot_do_is_computed_as_keras_does(shape, arguments):
    layers = [FusedBatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)]
    dtype = arguments.get("dtype", "float32")
    results = [layer(_inputs(shape, dtype), training=True) for layer in layers]
    _assert_close(results[0], results[1], 1e-6)
    _assert_close(layers[0].get_weights(), layers[1].get_weights(), 1e-6)


def test_a_mask_leaves_positions_out_of_the_statistics():
    x = _inputs((6, 7, 3))
    mask = tf.constant(np.random.default_rng(2).random((6, 7)) < 0.6)
    layers = [FusedBatchNormalization(), keras.layers.BatchNormalization()]
    results = [layer(x, training=True, mask=mask) for layer in layers]
    _assert_close(results[0], results[1], 1e-6)
    unmasked = FusedBatchNormalization()
    unmasked(x, training=True)
    assert not np.allclose(unmasked.moving_mean, layers[0].moving_mean)


def test_the_config_is_that_of_keras_but_synchronized():
    fused, plain = _pair(momentum=0.7, beta_regularizer="l2", name="same")
    assert fused.get_config() == {**plain.get_config(), "synchronized": True}
    copy = FusedBatchNormalization.from_config(fused.get_config())
    assert copy.get_config() == fused.get_config()
    assert pickle.loads(pickle.dumps(FusedBatchNormalization)) is FusedBatchNormalization


def _model(layer_class):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            layer_class(),
            keras.layers.Conv2D(4, 3),
            layer_class(),
        ]
    )


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("written_by", [FusedBatchNormalization, keras.layers.BatchNormalization])
def test_the_weights_of_either_layer_load_in_the_other(tmp_path, written_by, suffix):
    classes = {FusedBatchNormalization, keras.layers.BatchNormalization}
    writer, reader = _model(written_by), _model((classes - {written_by}).pop())
    x = _inputs((4, 8, 8, 3))
    writer(x, training=True)
    path = tmp_path / f"model{suffix}"
    writer.save_weights(path) if suffix == ".weights.h5" else writer.save(path)
    assert not np.allclose(reader(x), writer(x))
    reader.load_weights(path)
    _assert_close(reader(x), writer(x), 1e-6)


WITHOUT_THE_PACKAGE = """
import sys, keras, numpy as np
names = {"lightning_tf>FusedBatchNormalization": keras.layers.BatchNormalization}
model = keras.saving.load_model(sys.argv[1], custom_objects=names)
assert type(model.layers[1]) is keras.layers.BatchNormalization
np.save(sys.argv[2], model(np.ones((1, 8, 8, 3), "float32")))
"""


@pytest.mark.slow
def test_a_keras_file_loads_as_itself_and_elsewhere_as_keras_layer(tmp_path):
    model, path, elsewhere = (
        _model(FusedBatchNormalization),
        tmp_path / "m.keras",
        tmp_path / "y.npy",
    )
    model(_inputs((4, 8, 8, 3)), training=True)
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded.layers[1]) is FusedBatchNormalization
    command = [sys.executable, "-c", WITHOUT_THE_PACKAGE, path, elsewhere]
    subprocess.run(command, cwd=tmp_path, timeout=120, check=True)
    ones = tf.ones((1, 8, 8, 3))
    _assert_close([loaded(ones), np.load(elsewhere)], [model(ones)] * 2, 1e-6)


REPLICAS = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from lightning_tf.layers import FusedBatchNormalization

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = np.random.default_rng(0).normal(50.0, 2.0, (7, 4, 4, 3)).astype("float32")
x += np.arange(7, dtype="float32").reshape(7, 1, 1, 1)
mask = np.random.default_rng(2).random((7, 4, 4)) < 0.6


def step(layer, x, direction, mask):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=True, mask=mask) ** 2 * direction)
    gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    context = tf.distribute.get_replica_context()
    return [gradients[0]] + [context.all_reduce("SUM", one) for one in gradients[1:]]


def new_layer():
    layer = FusedBatchNormalization(momentum=0.5)
    layer.build((None, 4, 4, 3))
    layer.moving_mean.assign([50.0, 49.0, 30.0])
    return layer


direction = np.random.default_rng(1).normal(size=x.shape).astype("float32")
for masked in (False, True):
    for first in (4, 5, 7):
        alone = new_layer()
        whole_mask = tf.constant(mask) if masked else None
        expected = step(alone, tf.constant(x), tf.constant(direction), whole_mask)
        with strategy.scope():
            layer = new_layer()
        parts = [slice(0, first), slice(first, None)]

        def replica_values(values):
            return strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(values[parts[context.replica_id_in_sync_group]])
            )

        arguments = [replica_values(values) for values in (x, direction, mask)]
        results = tf.function(
            lambda *values: strategy.run(
                lambda x, *rest: step(layer, x, rest[0], rest[1] if masked else None), values
            )
        )(*arguments)
        gradient = np.concatenate(strategy.experimental_local_results(results[0]))
        np.testing.assert_allclose(gradient, expected[0], atol=2e-4)
        for ours, theirs in zip(results[1:], expected[1:], strict=True):
            for replica in strategy.experimental_local_results(ours):
                np.testing.assert_allclose(replica, theirs, rtol=1e-4, atol=1e-3)
        for ours, theirs in zip(layer.weights, alone.weights, strict=True):
            for replica in strategy.experimental_local_results(ours.value):
                np.testing.assert_allclose(replica, theirs, rtol=1e-4)
print("equal on 1 and 2 replicas")
"""


@pytest.mark.distributed
def test_statistics_and_gradients_are_the_same_on_one_and_two_uneven_replicas():
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.stdout.strip() == "equal on 1 and 2 replicas", result.stderr[-3000:]


def normalized(devices, shape, options, masked):
    """Outputs and moving statistics after one training call on some logical CPUs."""
    random = np.random.default_rng(4)
    dtype = options.get("dtype", "float32")
    x = random.normal(3.0, 2.0, shape).astype(dtype)
    mask = random.random(shape[:-1]) < 0.7
    placement = choose_placement("cpu", devices, "auto")
    with placement.scope():
        layer = FusedBatchNormalization(momentum=0.5, **options)
        layer.build((None, *shape[1:]))

        def compute(batch, replica_batch):
            with enter_step_context(StepContext(replica_batch=replica_batch)):
                return layer(batch[0], training=True, mask=batch[1] if masked else None)

        outputs = tf.function(lambda *batch: placement.gather(compute, batch))
        values = outputs(tf.constant(x), tf.constant(mask)).numpy()
    return [values, *(variable.numpy() for variable in layer.variables)]


@pytest.mark.parametrize(
    ("shape", "options", "masked"),
    [
        ((5, 4, 4, 3), {}, False),
        ((3, 6), {}, False),  # of four replicas one is left without examples
        ((3, 4, 2), {}, True),
        ((3, 2, 4, 5), {"axis": 1}, False),
        ((5, 2, 3), {"axis": 1}, False),
        ((3, 6), {"dtype": "float64"}, False),
    ],
)
@pytest.mark.parametrize("devices", [2, pytest.param(4, marks=pytest.mark.distributed)])
def test_a_call_on_replicas_is_that_on_one_device(devices, shape, options, masked):
    one = normalized(1, shape, options, masked)
    several = normalized(devices, shape, options, masked)
    for alone, together in zip(one, several, strict=True):
        assert alone.dtype == together.dtype
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    if options.get("dtype") == "float64":
        np.testing.assert_allclose(several[0], one[0], rtol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_a_large_mean_costs_no_digits_over_replicas(masked):
    """A float32 of 1,000 has steps of 6e-5; sums of squares around 0 would lose 6e-2."""
    random = np.random.default_rng(4)
    x = random.normal(1000.0, 1.0, (6, 4, 4, 2)).astype("float32")
    direction = random.normal(size=x.shape).astype("float32")

    def call_and_gradient(devices):
        placement = choose_placement("cpu", devices, "auto")
        with placement.scope():
            layer = FusedBatchNormalization()
            layer.build((None, 4, 4, 2))

            def compute(batch, replica_batch):
                mask = tf.ones(tf.shape(batch[0])[:3], tf.bool) if masked else None
                context = StepContext(replica_batch=replica_batch)
                with enter_step_context(context), tf.GradientTape() as tape:
                    tape.watch(batch[0])
                    y = layer(batch[0], training=True, mask=mask)
                    loss = tf.reduce_sum(y**2 * batch[1])
                return y, tape.gradient(loss, batch[0])

            outputs = tf.function(lambda *batch: placement.gather(compute, batch))
            return [each.numpy() for each in outputs(tf.constant(x), tf.constant(direction))]

    for one, two in zip(call_and_gradient(1), call_and_gradient(2), strict=True):
        np.testing.assert_allclose(two, one, atol=5e-4)


FREE = {"Identity", "IdentityN", "Reshape", "Const", "Fill"}  # move no data, or stand in for x


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_synchronized_layer_writes_whole_images_five_times_in_the_compute_dtype(dtype):
    """Forward moments and result; backward the gradient of the result, what flows through the
    statistics, and their sum."""
    placement, shape, graphs = choose_placement("cpu", 2, "auto"), [4, 6, 6, 3], []
    kind = tf.bfloat16 if dtype == "mixed_bfloat16" else tf.float32
    with placement.scope():
        layer = FusedBatchNormalization(dtype=dtype)
        layer.build((None, *shape[1:]))

        def on_replica():
            x = tf.zeros(shape, kind)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
            graphs.append(tf.compat.v1.get_default_graph())
            return tape.gradient(y, x, output_gradients=x)

        function = tf.function(lambda: placement.strategy.run(on_replica))
        function.get_concrete_function()
    written = [
        op
        for op in graphs[0].get_operations()
        if "replica_1" not in op.name and any(o.shape == shape for o in op.outputs)
    ]
    passes = [op.type for op in written if op.type not in FREE]
    assert 5 <= len(passes) <= 12, passes
    assert {o.dtype for op in written for o in op.outputs if o.shape == shape} == {kind}


def test_a_second_derivative_over_replicas_is_that_of_one_device():
    """A penalty on gradients, as of WGAN-GP, through the statistics of all replicas."""
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 3, 3, 2)).astype("float32")

    def penalty(placement):
        with placement.scope():
            layer = FusedBatchNormalization()
            layer.build((None, 3, 3, 2))
            layer.gamma.assign([1.5, 0.5])

            def compute(x, replica_batch):
                with tf.GradientTape() as outer:
                    outer.watch(x)
                    with tf.GradientTape() as inner:
                        inner.watch(x)
                        total = tf.reduce_sum(layer(x, training=True) ** 3)
                    slope = inner.gradient(total, x)
                    square = tf.reduce_sum(slope**2)
                return outer.gradient(square, x)

            outputs = tf.function(lambda x: placement.gather(compute, x))(tf.constant(x))
            return outputs.numpy()

    one, two = (penalty(choose_placement("cpu", count, "auto")) for count in (1, 2))
    assert np.abs(one).max() > 0.1
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-4 * np.abs(one).max())
