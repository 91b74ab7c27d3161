import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, fitted

from lightning_tf import Trainer
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.xla import should_jit_compile

GPU, CPU = SingleDevice("/GPU:0"), SingleDevice("/CPU:0")


class Unable(keras.layers.Layer):
    supports_jit = False

    def __init__(self):
        super().__init__()
        self.supports_jit = False


class Holder:
    def __init__(self, *layers):
        self.model = keras.Sequential(layers)


def test_auto_compiles_on_a_gpu_alone():
    task = Holder(keras.layers.Dense(1))
    assert should_jit_compile("auto", GPU, task)
    assert not should_jit_compile("auto", CPU, task)


def test_auto_leaves_out_a_model_with_a_layer_that_xla_cannot_compile():
    nested = keras.Sequential([keras.layers.Dense(1), Unable()])
    assert not should_jit_compile("auto", GPU, Holder(nested))
    assert should_jit_compile(True, GPU, Holder(nested))


class Spelled(keras.layers.Layer):
    def call(self, x):
        return x + tf.cast(tf.strings.length(tf.strings.as_string(x)), x.dtype)


def test_operations_that_xla_cannot_compile_are_named_with_what_to_do():
    class Spells(BoringTask):
        def configure_model(self):
            super().configure_model()
            self.spelled = Spelled()

        def training_step(self, batch):
            return super().training_step(batch) + keras.ops.mean(self.spelled(batch[0]))

    with pytest.raises(ConfigurationError, match=r"compile AsString of \w+_step; pass"):
        fitted(Spells(), max_epochs=1, jit_compile=True)


def test_auto_leaves_out_deterministic_operations(monkeypatch):
    monkeypatch.setattr("lightning_tf.graph.xla.is_op_determinism_enabled", lambda: True)
    assert not should_jit_compile("auto", GPU, Holder(keras.layers.Dense(1)))


def test_auto_is_the_default_and_traces_no_xla_on_a_cpu():
    trainer = fitted(BoringTask(), max_epochs=1)
    assert trainer.jit_compile == "auto"
    definition = trainer.state.fit_loop.window._batch.function_def
    assert "_XlaMustCompile" not in definition.attr


def test_float16_and_xla_train_to_the_numbers_of_float16_without_it():
    """Its counters are int64: XLA has no place for variables of int32 on a GPU."""

    def weights(jit_compile):
        task = BoringTask()
        trainer = fitted(
            task, max_epochs=2, precision="mixed_float16", seed=0, jit_compile=jit_compile
        )
        definition = trainer.state.fit_loop.window._batch.function_def
        assert ("_XlaMustCompile" in definition.attr) == jit_compile
        return [np.asarray(variable) for variable in task.model.variables]

    for compiled, plain in zip(weights(True), weights(False), strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jit_compile": True, "deterministic": True, "seed": 0}, "no deterministic form"),
        ({"jit_compile": "yes"}, "give True, False or 'auto'"),
        ({"float32_matmul_precision": "medium"}, "float32_matmul_precision"),
    ],
)
def test_what_cannot_be_compiled_or_computed_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Trainer(max_steps=1, **arguments)


@pytest.mark.parametrize(("precision", "inside"), [("highest", False), ("high", True)])
def test_tf32_is_chosen_for_the_run_and_put_back_after_it(precision, inside):
    seen = []

    class Looks(BoringTask):
        def on_train_start(self):
            seen.append(tf.config.experimental.tensor_float_32_execution_enabled())

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    fitted(Looks(), max_epochs=1, float32_matmul_precision=precision)
    assert seen == [inside]
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before
