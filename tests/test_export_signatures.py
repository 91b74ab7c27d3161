"""Inputs and outputs of exported models are those that docs/serving.md lists."""

import re

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import quiet
from helpers.extras import needs
from helpers.paths import ROOT
from sklearn.datasets import load_wine

from lightning_tf import Trainer
from lightning_tf.data import DigitScenes
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    ObjectDetection,
    Regression,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
    TransferLearning,
)

IMAGES = np.random.default_rng(0).integers(0, 255, (32, 32, 32, 3)).astype("uint8")
WAVE = pd.DataFrame({"y": np.sin(np.arange(200) / 5.0)})
NUMBERS = np.random.default_rng(0).normal(size=(40, 3))
FEW = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "seed": 0}


def wine():
    table = load_wine(as_frame=True).frame
    return table.assign(kind=np.where(np.arange(len(table)) % 2, "a", "b"))


def backbone():
    layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((32, 32, 3)), *layers])


def keras_task():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    data = (np.ones((8, 4), "float32"), np.ones((8, 1), "float32"))
    return KerasTask(model, "mse", "adam", data=data)


SCENES = {"train_scenes": 16, "val_scenes": 8, "test_scenes": 8, "image_size": 64}
TASKS = {
    "ImageClassification": lambda: ImageClassification((IMAGES, np.arange(32) % 2), "convnet"),
    "TransferLearning": lambda: TransferLearning((IMAGES, np.arange(32) % 2), backbone()),
    "ObjectDetection": lambda: ObjectDetection(DigitScenes(**SCENES), backbone="small"),
    "TextClassification": lambda: TextClassification(
        (["good fine"] * 20 + ["bad poor"] * 20, [1] * 20 + [0] * 20)
    ),
    "TabularClassification": lambda: TabularClassification(wine(), target="target"),
    "Regression": lambda: Regression((NUMBERS, NUMBERS.sum(axis=1))),
    "TimeSeriesForecast": lambda: TimeSeriesForecast(
        WAVE, "mlp", data_options={"target": "y"}, history=20, horizon=3
    ),
    "KerasTask": keras_task,
    "GAN": lambda: GAN("digits"),
}
pytestmark = [
    pytest.mark.slow,
    needs("onnxruntime", "onnx"),
    needs("tf2onnx", "onnx"),
    pytest.mark.filterwarnings(
        "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
        "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
        "ignore:__array__ implementation:DeprecationWarning",
    ),
]


def shown(tensors):
    """Return tensors (name, dtype, shape) as the table has them."""
    cells = []
    for name, dtype, shape in sorted(tensors):
        sizes = [size if isinstance(size, int) and size >= 0 else "?" for size in shape]
        sizes[:1] = ["n"] if sizes and sizes[0] == "?" else sizes[:1]
        name = "the only one" if name.startswith("keras_tensor") else f"`{name}`"
        cells.append(f"{name} {dtype} [{', '.join(map(str, sizes))}]")
    return ", ".join(cells)


def of_specs(specs):
    return shown((name, s.dtype.name, s.shape.as_list()) for name, s in specs.items())


def of_saved_model(path):
    loaded = tf.saved_model.load(path)
    for name, function in loaded.signatures.items():
        if name not in ("serve", "columns", "class_names"):  # of no input, or the default again
            inputs = function.structured_input_signature[1]
            yield f"SavedModel `{name}`", of_specs(inputs), of_specs(function.structured_outputs)


def of_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    kinds = {"tensor(float)": "float32", "tensor(int32)": "int32"}
    sides = [session.get_inputs(), session.get_outputs()]
    yield "ONNX", *(shown((t.name, kinds[t.type], t.shape) for t in side) for side in sides)


def of_litert(path):
    interpreter = tf.lite.Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    sides = [runner.get_input_details(), runner.get_output_details()]
    yield (
        "LiteRT",
        *(
            shown(
                (name, np.dtype(d["dtype"]).name, d["shape_signature"].tolist())
                for name, d in side.items()
            )
            for side in sides
        ),
    )


READERS = {"saved_model": of_saved_model, "onnx": of_onnx, "litert": of_litert}


def rows_of_the_page(name):
    text = (ROOT / "docs/serving.md").read_text().partition("# Other servers")[2]
    rows = re.findall(rf"^\| {name} \| (.*?) \| (.*?) \| (.*?) \|", text, re.MULTILINE)
    return sorted(rows)


@pytest.fixture(scope="module", params=TASKS)
def fitted(request):
    task = TASKS[request.param]()
    Trainer(**quiet(**FEW)).fit(task)
    return request.param, task


def test_the_table_lists_what_is_exported(fitted, tmp_path):
    name, task = fitted
    found = []
    for format, read in READERS.items():
        found += read(task.export(tmp_path / format, format=format))
    wanted = "\n".join(f"| {name} | {' | '.join(row)} |" for row in found)
    assert rows_of_the_page(name) == sorted(found), wanted


def test_a_request_as_tensorflow_serving_makes_it_of_json_is_answered(tmp_path):
    """It decodes base64, stacks the instances, calls a signature and splits the outputs."""
    task = TASKS["ImageClassification"]()
    Trainer(**quiet(**FEW)).fit(task)
    loaded = tf.saved_model.load(task.export(tmp_path / "1"))
    files = [tf.io.encode_png(image).numpy() for image in IMAGES[:3]]
    answer = loaded.signatures["encoded"](tf.constant(files))
    expected = task.predict(files)
    assert [x.decode() for x in answer["label"].numpy()] == expected["label"].tolist()
    np.testing.assert_allclose(answer["probability"], expected["probability"], rtol=1e-4)


def test_onnx_and_litert_of_images_take_pixels_around_0_and_give_logits(tmp_path):
    import onnxruntime

    task = TASKS["ImageClassification"]()
    Trainer(**quiet(**FEW)).fit(task)
    pixels = IMAGES[:3].astype("float32") / 127.5 - 1
    session = onnxruntime.InferenceSession(task.export(tmp_path / "m", format="onnx"))
    (logits,) = session.run(None, {session.get_inputs()[0].name: pixels})
    runner = tf.lite.Interpreter(str(task.export(tmp_path / "m", format="litert")))
    runner = runner.get_signature_runner()
    (name,) = runner.get_input_details()
    expected = task.predict(IMAGES[:3]).frame[["probability_0", "probability_1"]]
    for given in (logits, runner(**{name: pixels})["output_0"]):
        np.testing.assert_allclose(tf.nn.softmax(given), expected, rtol=1e-3, atol=1e-5)


def test_onnx_of_a_table_takes_scaled_numbers_and_gives_logits_or_scaled_targets(tmp_path):
    import onnxruntime

    for name, finish in (
        ("TabularClassification", lambda task, found: tf.nn.softmax(found)),
        ("Regression", lambda task, found: task.target_scaler.inverse(tf.constant(found))),
    ):
        task = TASKS[name]()
        Trainer(**quiet(**FEW)).fit(task)
        rows = wine().head(3) if name == "TabularClassification" else NUMBERS[:3]
        arrays = task.columns.arrays(task.read_rows(rows))
        path = task.export(tmp_path / name, format="onnx")
        inputs = {"numbers": task.scaler(arrays["numbers"]), "categories": arrays["categories"]}
        session = onnxruntime.InferenceSession(path)
        (found,) = session.run(None, {n: np.asarray(x) for n, x in inputs.items()})
        expected = task.predict(rows).frame
        columns = [c for c in expected if c.startswith("probability_")] or list(expected)[1:]
        np.testing.assert_allclose(finish(task, found), expected[columns], rtol=1e-3, atol=1e-5)
