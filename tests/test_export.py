"""What was trained, written in every format, loaded back, gives the same predictions."""

import importlib.util
import logging
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, quiet
from safetensors.numpy import load_file

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import ReflectionPadding
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables

X = np.random.default_rng(0).uniform(0, 255, (64, 8, 8, 3)).astype("uint8")
Y = np.arange(64) % 3
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def task():
    task = ImageClassification((X, Y), "convnet", batch_size=16, dropout=0.5)
    Trainer(**quiet(max_steps=4, limit_val_batches=0)).fit(task)
    return task


@pytest.fixture(scope="module")
def expected(task):
    return np.asarray(task.model(X.astype("float32"), training=False))


def ran_by_tensorflow(path):
    return tf.saved_model.load(path).serve(tf.constant(X, tf.float32))


def ran_by_keras(path):
    return keras.saving.load_model(path)(X.astype("float32"), training=False)


def ran_by_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: X.astype("float32")})[0]


def ran_by_litert(path):
    interpreter = tf.lite.Interpreter(model_path=str(path))
    (tensor,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(tensor["index"], X.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor["index"], X.astype("float32"))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxruntime", "tf2onnx"))),
    reason="onnx, onnxruntime or tf2onnx is not installed: pip install 'lightning-tf[onnx]'",
)


@pytest.mark.filterwarnings(
    "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
    "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
)
@pytest.mark.parametrize(
    ("format", "name", "runs"),
    [
        ("keras", "model.keras", ran_by_keras),
        ("litert", "model.tflite", ran_by_litert),
        pytest.param("onnx", "model.onnx", ran_by_onnx, marks=needs_onnx),
    ],
)
def test_a_model_that_is_loaded_back_predicts_the_same(
    task, expected, tmp_path, format, name, runs
):
    written = task.export(tmp_path / "model", format=format)
    assert written == tmp_path / name
    largest = np.abs(expected).max()
    np.testing.assert_allclose(runs(written), expected, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.slow
def test_a_keras_file_loads_where_this_package_is_not(task, expected, tmp_path):
    written = task.export(tmp_path / "model", format="keras")
    np.save(tmp_path / "x.npy", X.astype("float32"))
    program = (
        "import keras, numpy, sys\n"
        "y = keras.saving.load_model(sys.argv[1])(numpy.load(sys.argv[2]), training=False)\n"
        "numpy.save(sys.argv[3], y)\n"
        "assert 'lightning_tf' not in sys.modules"
    )
    files = [written, tmp_path / "x.npy", tmp_path / "y.npy"]
    subprocess.run([sys.executable, "-c", program, *files], check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-4, atol=1e-3)


def test_layers_that_keras_does_not_have_are_told(tmp_path, caplog):
    class Reflects(BoringTask):
        def exported_model(self):
            inputs = keras.Input((8, 8, 1))
            return keras.Model(inputs, ReflectionPadding(1)(inputs))

    caplog.set_level(logging.INFO, "lightning_tf")
    task = Reflects()
    Trainer(**quiet(max_steps=1)).fit(task)
    task.export(tmp_path / "model", format="keras")
    assert "finds its layers (such as ReflectionPadding of lightning_tf)" in caplog.text


class Doubling(BoringTask):
    """Exports a model that is made for it, as generators and detectors do."""

    def exported_model(self):
        inputs = keras.Input((32,), name="inputs")
        return keras.Model(inputs, keras.layers.Rescaling(2.0)(self.model(inputs)))


@needs_onnx
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")  # tf2onnx's
def test_a_model_that_was_never_called_is_written_as_onnx(tmp_path):
    import onnxruntime

    task = Doubling()
    Trainer(**quiet(max_steps=1)).fit(task)
    session = onnxruntime.InferenceSession(task.export(tmp_path / "model", format="onnx"))
    x = np.ones((3, 32), "float32")
    (doubled,) = session.run(None, {"inputs": x})
    np.testing.assert_allclose(doubled, 2.0 * task.model(x), rtol=1e-5)


def test_a_task_without_a_form_of_its_own_serves_its_model(tmp_path):
    task = BoringTask()
    Trainer(**quiet(max_steps=2)).fit(task)
    loaded = tf.saved_model.load(task.export(tmp_path / "model"))
    x = np.ones((3, 32), "float32")
    np.testing.assert_allclose(loaded.serve(x), task.model(x), rtol=1e-6)


def test_safetensors_hold_every_variable_by_its_name(task, tmp_path):
    loaded = load_file(task.export(tmp_path / "model", format="safetensors"))
    named = all_variables(task)
    assert set(loaded) == set(named)
    for name, variable in named.items():
        np.testing.assert_array_equal(loaded[name], variable)


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("model", "savedmodel", "Did you mean 'saved_model'"),
        ("model.keras", "litert", r"format='litert' has \.tflite files"),
        ("taken.keras", "keras", "something is there"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(task, tmp_path, name, format, message):
    (tmp_path / "taken.keras").write_text("mine")
    with pytest.raises(ConfigurationError, match=message):
        task.export(tmp_path / name, format=format)
    assert (tmp_path / "taken.keras").read_text() == "mine"


def test_a_missing_package_is_named_with_its_extra(task, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    monkeypatch.setitem(__import__("sys").modules, "onnx", __import__("types"))
    with pytest.raises(ConfigurationError, match=r"needs tf2onnx: pip install 'lightning-tf\[onnx"):
        task.export(tmp_path / "model", format="onnx")


def test_nothing_is_exported_before_it_is_made(tmp_path):
    with pytest.raises(ConfigurationError, match="before the models are made"):
        BoringTask().export(tmp_path / "model")


def test_int8_weights_predict_nearly_the_same():
    task = ImageClassification((X, Y), "mlp", batch_size=16)
    Trainer(**quiet(max_steps=4, limit_val_batches=0)).fit(task)
    before = np.asarray(task.model(X.astype("float32")))
    task.quantize()
    assert sum(v.dtype == "int8" for v in task.model.variables) >= 2
    after = np.asarray(task.model(X.astype("float32")))
    assert 0 < np.abs(after - before).max() < 0.1 * np.abs(before).max()


def test_what_has_nothing_to_quantize_says_so():
    with pytest.raises(ConfigurationError, match="no built layer that Keras can quantise"):
        BoringTask().quantize()
