"""export_classifier: a SavedModel that another process can use without this package."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted
from PIL import Image

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification


@pytest.fixture(scope="module")
def task():
    """A classifier of light and dark, in grey."""
    x = np.random.default_rng(0).integers(0, 90, (40, 6, 6, 1)).astype("uint8")
    x[::2] += 150
    names = {"class_names": ["light", "dark"]}
    task = ImageClassification(
        (x, np.arange(40) % 2), "linear", data_options=names, batch_size=8, learning_rate=1e-2
    )
    fitted(task, max_epochs=20, seed=0)
    return task


def encoded(value, size=(9, 13)):
    file = io.BytesIO()
    Image.fromarray(np.full(size, value, "uint8")).save(file, "PNG")
    return file.getvalue()


def test_images_and_encoded_images_get_labels_and_probabilities(task, tmp_path):
    task.export(tmp_path / "exported")
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    assert loaded.signatures["class_names"]()["class_names"].numpy().tolist() == [b"light", b"dark"]
    out = loaded.signatures["encoded"](tf.constant([encoded(230), encoded(10)]))
    assert out["label"].numpy().tolist() == [b"light", b"dark"]
    images = np.full((2, 9, 13, 1), 230.0, "float32")
    images[1] = 10.0
    same = loaded.signatures["serving_default"](tf.constant(images))
    np.testing.assert_allclose(same["probabilities"], out["probabilities"], rtol=1e-5)
    np.testing.assert_allclose(out["probability"], np.max(out["probabilities"], axis=-1))
    expected = task.predict_step(np.array(images[:, :6, :6]))
    np.testing.assert_allclose(same["probabilities"], expected, rtol=1e-5)


@pytest.mark.slow
def test_a_process_without_the_package_can_use_it(task, tmp_path):
    task.export(tmp_path / "exported")
    (tmp_path / "image.png").write_bytes(encoded(230))
    code = (
        "import sys; sys.modules['lightning_tf'] = None\n"
        "import tensorflow as tf\n"
        "loaded = tf.saved_model.load('exported')\n"
        "content = tf.io.read_file('image.png')[None]\n"
        "print(loaded.signatures['encoded'](content)['label'].numpy()[0].decode())"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "light", done.stderr[-2000:]


def test_an_export_overwrites_nothing(task, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="something is there"):
        task.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_task_without_a_model_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="export before the models are made"):
        ImageClassification("digits").export(tmp_path / "exported")
