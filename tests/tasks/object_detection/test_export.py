"""A detector in every format finds what predict finds, in images of different sizes."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.exported_detectors import (
    NUMBERS,
    assert_same,
    needs_onnx,
    ran_by_litert,
    ran_by_onnx,
)
from helpers.rectangles import NAMES, RectangleData, scene
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data.boxes.letterbox import boxes_to_original, letterbox_frame, letterbox_image
from lightning_tf.data.boxes.unannotated_images import UnannotatedImages
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ObjectDetection
from lightning_tf.tasks.object_detection.export import computing_in_float32

SIZES = [(64, 64), (96, 80), (50, 120), (33, 47), (128, 64), (70, 71)]
THRESHOLDS = {"retinanet": 0.035, "ssd": 0.45}  # some images have a few detections, some all
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def detection(head="retinanet", data=None, **options):
    small = {
        "backbone": "small",
        "image_size": 64,
        "levels": (3, 4),
        "width": 8,
        "max_detections": 9,
    }
    return ObjectDetection(
        RectangleData() if data is None else data,
        head=head,
        augmentation=None,
        learning_rate=1e-2,
        warmup_steps=0,
        **{**small, **options},
    )


def predicted(task, images, resize="letterbox"):
    """Return what a Trainer predicts of files or arrays."""
    data, task.data = task.data, UnannotatedImages(images, image_size=64, resize=resize)
    (found,) = Trainer(**quiet()).predict(task, collect=True)
    task.data = data
    return found


@pytest.fixture(scope="module", params=["ssd", pytest.param("retinanet", marks=pytest.mark.slow)])
def task(request):
    """A detector that has seen a few images a few times: unsure, and no two scores are equal."""
    task = detection(request.param, score_threshold=THRESHOLDS[request.param])
    fitted(task, max_steps=30, limit_val_batches=0, seed=0, gradient_clip_val=10.0)
    return task


@pytest.fixture(scope="module")
def images():
    """Rectangles in images of different sizes."""
    return [scene([7, k], side=max(size))[0][: size[0], : size[1]] for k, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def expected(task, images):
    found = predicted(task, images)
    assert 1 <= found["count"].min() < found["count"].max()
    return found


def row(expected, k):
    return {name: expected[name][k : k + 1] for name in NUMBERS}


def written(images, folder):
    """Write PNG files, and one JPEG that a viewer turns."""
    folder.mkdir()
    paths = []
    for k, image in enumerate(images):
        paths.append(folder / f"{k}.png")
        Image.fromarray(image).save(paths[-1])
    exif = Image.Exif()
    exif[0x0112] = 6
    paths.append(folder / "turned.jpg")
    Image.fromarray(images[1]).save(paths[-1], quality=95, exif=exif)
    return paths


# ---- SavedModel


@pytest.mark.slow
def test_a_saved_model_finds_in_images_and_files_what_predict_finds(
    task, images, expected, tmp_path
):
    loaded = tf.saved_model.load(str(task.export(tmp_path / "exported")))
    names = loaded.signatures["class_names"]()["class_names"].numpy().tolist()
    assert names == [name.encode() for name in task.class_names]
    for k, image in enumerate(images):
        found = loaded.signatures["serving_default"](images=tf.constant(image[np.newaxis]))
        assert_same(found, row(expected, k))

    paths = written(images, tmp_path / "images")
    of_files = predicted(task, paths)
    found = loaded.signatures["encoded"](files=tf.constant([p.read_bytes() for p in paths]))
    assert_same(found, of_files)
    assert of_files["boxes"][-1].max() > 64  # of the turned image, 80 x 96

    count, labels = found["count"][0], found["labels"][0].numpy()
    assert [name.decode() for name in found["names"][0].numpy()] == [
        NAMES[labels[k]] if k < count else "" for k in range(9)
    ]


@pytest.mark.slow
def test_a_process_with_tensorflow_alone_finds_the_same(task, images, tmp_path):
    task.export(tmp_path / "exported")
    paths = written(images, tmp_path / "images")
    of_files = predicted(task, paths)
    code = (
        "import sys; sys.modules['lightning_tf'] = sys.modules['keras'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        "loaded = tf.saved_model.load('exported')\n"
        "files = tf.constant([open(path, 'rb').read() for path in sys.argv[1:]])\n"
        "found = loaded.signatures['encoded'](files=files)\n"
        "np.savez('found.npz', **{k: v for k, v in found.items() if k != 'names'})"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert_same(np.load(tmp_path / "found.npz"), of_files)


@pytest.mark.slow
def test_stretched_images_are_stretched_in_the_file_too(images, tmp_path):
    keras.utils.set_random_seed(0)
    task = detection(resize="stretch", score_threshold=0.0)  # all that a network sees untrained
    task.make_models()
    expected = predicted(task, images, resize="stretch")
    loaded = tf.saved_model.load(str(task.export(tmp_path / "exported")))
    found = loaded.signatures["serving_default"](images=tf.constant(images[2][np.newaxis]))
    assert_same(found, row(expected, 2))


# ---- a model of input images


@pytest.fixture(scope="module")
def inputs(images):
    pixels = [letterbox_image(image, (64, 64))[0] for image in images]
    return np.stack(pixels).astype("float32")


def in_originals(found, images):
    """Bring boxes back as the docstring of `detecting_model` says."""
    sizes = np.array([image.shape[:2] for image in images])
    boxes = np.array(
        boxes_to_original(np.asarray(found["boxes"]), letterbox_frame(sizes, (64, 64)))
    )
    sides = np.tile(sizes[:, np.newaxis, ::-1], 2)
    boxes = np.clip(boxes, 0.0, sides)
    boxes[np.asarray(found["labels"]) < 0] = 0.0
    return {**found, "boxes": boxes}


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
    "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
)
@pytest.mark.parametrize(
    ("format", "runs"),
    [
        ("litert", ran_by_litert),
        pytest.param("onnx", ran_by_onnx, marks=needs_onnx),
    ],
)
def test_a_file_with_its_detections_finds_what_predict_finds(
    task, images, inputs, expected, tmp_path, format, runs
):
    found = runs(task.export(tmp_path / "model", format=format), inputs)
    assert_same(in_originals(found, images), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
    "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
)
@pytest.mark.parametrize(
    ("format", "runs"),
    [("litert", ran_by_litert), pytest.param("onnx", ran_by_onnx, marks=needs_onnx)],
)
def test_a_detector_of_half_precision_computes_in_float32_in_a_file(inputs, tmp_path, format, runs):
    task = detection("ssd", score_threshold=0.45)
    half = {"precision": "mixed_bfloat16", "max_steps": 20, "limit_val_batches": 0, "seed": 0}
    fitted(task, gradient_clip_val=10.0, **half)
    before = task.predict_step(inputs)
    found = runs(task.export(tmp_path / "model", format=format), inputs)
    with computing_in_float32(task.model):
        assert_same(found, {k: v.numpy() for k, v in task.predict_step(inputs).items()})
    np.testing.assert_array_equal(task.predict_step(inputs)["boxes"], before["boxes"])


def test_a_detector_of_gray_images_is_refused_as_a_saved_model(tmp_path):
    data = RectangleData()
    data.train = data.val = (data.train[0][..., :1], data.train[1])
    data.input_shape = (64, 64, 1)
    task = detection(data=data)
    task.make_models()
    with pytest.raises(ConfigurationError, match="takes 1 channels"):
        task.export(tmp_path / "exported")


def test_a_keras_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"a \.keras file cannot hold .* give saved_model"):
        detection().export(tmp_path / "model", format="keras")
    assert not list(tmp_path.iterdir())
