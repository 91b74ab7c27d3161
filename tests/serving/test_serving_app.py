"""A served model answers as `task.predict` does, for every kind of task."""

import base64
import hashlib
import io
import json

import keras
import numpy as np
import pandas as pd
import pytest
from helpers.boring import quiet
from helpers.served import b64, served
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from lightning_tf import Task, Trainer, serving_app
from lightning_tf.data import DigitScenes
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.serving.page import POLICY
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    ObjectDetection,
    Regression,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
)

FEW = {"max_epochs": 1, "limit_train_batches": 4, "limit_val_batches": 1, "seed": 0}
TEXTS = (["good fine film"] * 20 + ["bad poor film"] * 20, [1] * 20 + [0] * 20)
WAVE = pd.DataFrame({"y": np.sin(np.arange(200) / 5.0)})


def fitted(task):
    Trainer(**quiet(**FEW)).fit(task)
    return task


def png(index):
    buffer = io.BytesIO()
    pixels = np.round(load_digits().images[index] * 255 / 16).astype("uint8")
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def close(answer, records, drop=()):
    """Whether an answer holds records, numbers to rounding of batches of another size."""
    assert [list(one) for one in answer] == [list(one) for one in records]
    for one, other in zip(answer, records, strict=True):
        for name, value in other.items():
            if isinstance(value, float):
                assert one[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
            elif name not in drop:
                assert one[name] == value, name


@pytest.fixture(scope="module")
def digits():
    return fitted(ImageClassification("digits", "linear"))


@pytest.fixture
def client(digits):
    with served(serving_app(digits, max_body_mb=0.5, max_pixels=100_000)) as client:
        yield client


def test_images_in_base64_files_and_lists_are_predicted_as_by_the_task(digits, client):
    contents = [png(index) for index in range(3)]
    expected = digits.predict(contents).records()
    code, answer = client.predict(*map(b64, contents))
    assert code == 200
    close(answer["predictions"], expected)

    names = ["0.png", "ü, 1.png", "a/../../2.png"]
    code, answer = client.predict_files(*zip(names, contents, strict=True))
    assert code == 200
    assert [one.pop("file") for one in answer["predictions"]] == ["0.png", "ü, 1.png", "2.png"]
    close(answer["predictions"], [{k: v for k, v in x.items() if k != "row"} for x in expected])

    pixels = load_digits().images[:3]
    code, answer = client.predict(*pixels.tolist())
    assert code == 200
    close(answer["predictions"], digits.predict(pixels.astype("float32")[..., None]).records())


def test_a_trace_that_was_made_before_the_first_request_answers_all(digits):
    app = serving_app(digits)
    with served(app) as client:
        assert client.get("/health") == (200, {"status": "ready"})
        assert client.predict(b64(png(0)))[0] == 200


def test_the_model_tells_of_itself_and_the_page_loads_nothing(client):
    code, about = client.get("/model")
    assert code == 200
    assert (about["task"], about["checkpoint"]) == ("ImageClassification", None)
    assert about["classes"] == [str(n) for n in range(10)]
    assert about["input"]["network_image"] == {"height": 8, "width": 8, "channels": 1}
    code, page = client.get("/")
    assert code == 200
    assert "<h1>ImageClassification</h1>" in page
    assert "http:" not in page
    assert "https:" not in page
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in POLICY  # else browsers do not run it


def test_the_example_of_the_schema_is_answered(client):
    code, schema = client.get("/openapi.json")
    assert code == 200
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["instances"]["maxItems"] == 64
    code, answer = client.send(json.dumps(body["example"]))
    assert (code, len(answer["predictions"])) == (200, 1)


def test_texts_and_text_files(tmp_path):
    task = fitted(TextClassification(TEXTS, batch_size=8))
    texts = ["good fine", "bad ü"]
    expected = task.predict(texts).records()
    with served(serving_app(task)) as client:
        code, answer = client.predict(*texts)
        assert code == 200
        close(answer["predictions"], expected)
        code, answer = client.predict_files(("b.txt", texts[1].encode()))
        assert code == 200
        assert answer["predictions"][0]["label"] == expected[1]["label"]
        assert client.predict("good", 3)[1]["detail"] == "instance 1: it is a number; give a text."
        assert client.predict_files(("c.txt", b"\xff\xfe"))[0] == 415
        # A text is never taken for a path.
        (tmp_path / "secret.csv").write_text("text\nsecret\n")
        code, answer = client.predict(str(tmp_path / "secret.csv"))
        assert answer["predictions"][0]["text"] == str(tmp_path / "secret.csv")


def test_rows_and_a_table():
    wine = load_wine(as_frame=True).frame
    wine["kind"] = np.where(np.arange(len(wine)) % 2, "a", "b")
    task = fitted(TabularClassification(wine, target="target"))
    rows = wine.drop(columns="target").head(3)
    expected = task.predict(rows).records()
    with served(serving_app(task)) as client:
        code, answer = client.predict(*rows.to_dict("records"))
        assert code == 200, answer
        close(answer["predictions"], expected)
        for separator in ",;":
            table = rows.to_csv(index=False, sep=separator).encode()
            code, answer = client.predict_files(("new.csv", table))
            assert code == 200, answer
            assert [one["label"] for one in answer["predictions"]] == [
                one["label"] for one in expected
            ]
        code, answer = client.predict(*rows.to_dict("records"), {"alcohol": 3})
        assert (code, answer["detail"]) == (
            422,
            "instance 3: the column 'malic_acid' is missing.",
        )
        bad = {**rows.to_dict("records")[0], "alcohol": "much"}
        code, answer = client.predict(rows.to_dict("records")[0], bad)
        assert code == 422
        assert answer["detail"].startswith("instance 1: alcohol of row 0 is 'much', no number")
        assert client.predict_files(("new.xlsx", b"PK"))[0] == 415


def test_numbers_of_a_regression():
    x = np.random.default_rng(0).normal(size=(40, 3))
    task = fitted(Regression((x, x.sum(axis=1)), batch_size=8))
    names = task.columns.names
    with served(serving_app(task)) as client:
        code, answer = client.predict(dict(zip(names, x[0].tolist(), strict=True)))
    assert code == 200
    close(answer["predictions"], task.predict(x[:1]).records())


def test_a_history_is_answered_with_a_record_for_each_step():
    task = fitted(
        TimeSeriesForecast(WAVE, "mlp", data_options={"target": "y"}, history=20, horizon=3)
    )
    history = WAVE.tail(30)
    expected = task.predict(history).records()
    with served(serving_app(task)) as client:
        for given in (history.to_dict("records"), history.to_numpy().tolist()):
            code, answer = client.predict(given, {"history": given})
            assert code == 200, answer
            assert [one["row"] for one in answer["predictions"]] == [0, 1]
            for one in answer["predictions"]:
                close(one["records"], expected)
        code, answer = client.predict_files(("y.csv", history.to_csv(index=False).encode()))
        assert code == 200, answer
        close(answer["predictions"][0]["records"], expected)
        code, answer = client.predict(given, given[:5])
        assert code == 422
        assert answer["detail"].startswith("instance 1: ")


@pytest.mark.slow
def test_objects_stand_under_their_image():
    scenes = DigitScenes(train_scenes=16, val_scenes=8, test_scenes=8, image_size=64)
    task = ObjectDetection(scenes, backbone="small", score_threshold=0.01)
    task = fitted(task)
    scenes = np.random.default_rng(0).integers(0, 255, (2, 50, 70, 3)).astype("uint8")
    contents = []
    for scene in scenes:
        buffer = io.BytesIO()
        Image.fromarray(scene).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    expected = task.predict(list(scenes)).records()
    with served(serving_app(task)) as client:
        for answer in (
            client.predict(*map(b64, contents)),
            client.predict(*scenes.tolist()),
            client.predict_files(("a.png", contents[0]), ("a.png", contents[1])),
        ):
            assert answer[0] == 200, answer
            assert len(answer[1]["predictions"]) == 2
            flat = [box for one in answer[1]["predictions"] for box in one["records"]]
            close(flat, [{k: v for k, v in x.items() if k != "row"} for x in expected])


def test_arrays_of_a_keras_model_by_their_shape_and_names():
    a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    model = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
    x = {"a": np.ones((8, 2), "float32"), "b": np.ones((8, 1), "float32")}
    task = fitted(KerasTask(model, "mse", "adam", data=(x, np.ones((8, 1), "float32"))))
    with served(serving_app(task)) as client:
        code, answer = client.predict({"a": [1, 1], "b": [1]}, {"a": [0, 0], "b": [2]})
        assert code == 200, answer
        assert answer["predictions"][0]["prediction"] == pytest.approx(
            float(task.predict(x)["prediction"][0]), rel=1e-5
        )
        code, answer = client.predict({"a": [1, 1], "b": [1]}, {"a": [1], "b": [1]})
        assert (code, answer["detail"]) == (
            422,
            "instance 1: the shape of 'a' is (1,); give (2,).",
        )
        assert client.predict({"a": [1, 1]})[1]["detail"] == "instance 0: the inputs are a, b."


class Sums(Task):
    def __init__(self):
        self.data = (np.ones((8, 4), "float32"), np.ones((8, 1), "float32"))

    def configure_model(self):
        self.model = keras.Sequential([keras.layers.Dense(1)])

    def configure_optimizers(self):
        return keras.optimizers.Adam()

    def training_step(self, batch):
        return keras.ops.mean((self.model(batch[0], training=True) - batch[1]) ** 2)

    def predict_step(self, batch):
        return {"score": self.model(batch)}


def test_a_task_of_ones_own_takes_arrays_and_refuses_a_shape_that_the_model_does_not_take():
    task = fitted(Sums())
    with served(serving_app(task)) as client:
        code, answer = client.predict([1, 2, 3, 4], [0, 0, 0, 0])
        assert code == 200, answer
        assert list(answer["predictions"][1]) == ["row", "score"]
        code, answer = client.predict([1, 2])
        assert code == 422
        assert "have shape (2,), and the model takes (4,)" in answer["detail"]
        assert client.predict([1, 2, 3, 4], [1])[0] == 422


def test_what_cannot_be_served_is_refused_by_name(digits):
    with pytest.raises(ConfigurationError, match="there is no model yet"):
        serving_app(ImageClassification("digits"))
    with pytest.raises(ConfigurationError, match=r"GAN cannot be served: its input_kind is None"):
        serving_app(GAN("digits"))
    with pytest.raises(ConfigurationError, match="max_batch"):
        serving_app(digits, max_batch=0)
    with pytest.raises(ConfigurationError, match="max_body_mb=-1"):
        serving_app(digits, max_body_mb=-1)
    with pytest.raises(ConfigurationError, match="nowhere is no folder"):
        serving_app("nowhere")


class Brightness(Sums):
    """Reads images by itself."""

    input_kind = "image"

    def new_examples(self, data):
        pixels = [np.asarray(Image.open(io.BytesIO(content)), "float32") for content in data]
        return super().new_examples(np.stack([image[:1, :4].reshape(4) for image in pixels]))


def test_a_task_of_ones_own_may_read_images():
    task = fitted(Brightness())
    with served(serving_app(task)) as client:
        code, answer = client.predict(b64(png(0)), b64(png(1)))
        assert code == 200, answer
        close(answer["predictions"], task.predict([png(0), png(1)]).records())
        assert client.predict("/etc/passwd")[0] == 422
