"""A trained detector's files have the mAP that Trainer.test measures, on images of many sizes."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet
from helpers.exported_detectors import (
    NUMBERS,
    assert_same,
    needs_onnx,
    ran_by_litert,
    ran_by_onnx,
)
from helpers.rectangles import NAMES, scene

from lightning_tf import Trainer
from lightning_tf.data.boxes.formats.write_voc import write_voc
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.unannotated_images import UnannotatedImages
from lightning_tf.tasks import ObjectDetection
from lightning_tf.tasks.object_detection.detections import MEASURING_THRESHOLD, in_original
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision

SIDE = 64
COUNTS = {"train": 32, "test": 40}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning",
        "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
        "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
    ),
]


def annotated(k):
    """Return rectangles in an image whose height and width are its own."""
    height, width = np.random.default_rng(k).integers(48, 129, 2)
    pixels, boxes, labels = scene([11, k], side=int(max(height, width)))
    boxes = boxes.clip(0, [width, height, width, height])
    seen = (labels >= 0) & (boxes[:, 2:] - boxes[:, :2] > 4).all(axis=1)
    names = [NAMES[label] for label in labels[seen]]
    return ImageAnnotation(
        None, (height, width), boxes[seen], names, pixels=pixels[:height, :width]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = write_voc(tmp_path_factory.mktemp("voc"), map(annotated, range(sum(COUNTS.values()))))
    stems = iter(sorted(path.stem for path in (root / "images").iterdir()))
    (root / "splits").mkdir()
    for split, count in COUNTS.items():
        lines = "".join(f"{next(stems)}\n" for _ in range(count))
        (root / "splits" / f"{split}.txt").write_text(lines)
    return root


@pytest.fixture(scope="module", params=["retinanet", "ssd"])
def trained(request, folder):
    """A detector after a short training, and its numbers on the test images."""
    task = ObjectDetection(
        folder,
        backbone="small",
        head=request.param,
        image_size=SIDE,
        levels=(3, 4, 5),
        width=16,
        learning_rate=3e-3,
        data_options={"val_fraction": 0},
    )
    trainer = Trainer(**quiet(max_epochs=30, seed=0, gradient_clip_val=10.0))
    trainer.fit(task)
    measured = trainer.test(task)
    assert measured["test_map"] > 0.02  # something is found
    return task, measured


@pytest.fixture
def measures(trained):
    """The task with the threshold that is measured with, which its files get."""
    task, _ = trained
    used, task.score_threshold = task.score_threshold, MEASURING_THRESHOLD
    yield task
    task.score_threshold = used


def image_paths(task):
    rows = task.data.splits["test"].indices
    return [task.data.annotations[row].path for row in rows]


def assert_map_is_measured(found, objects, trained):
    """Measure detections in pixels of the originals against the objects of the test batches."""
    task, measured = trained
    boxes = in_original(objects["boxes"], objects["frame"], objects["size"])
    metric = MeanAveragePrecision(task.class_names)
    metric.update({"truth": {**objects, "boxes": boxes}, "detections": found})
    for name, value in metric.compute().items():
        print(name, value, "differs by", abs(value - measured[f"test_{name}"]))
        assert value == pytest.approx(measured[f"test_{name}"], abs=1e-4), name


def whole_test_split(task):
    parts = list(task.data.test_dataset().as_numpy_iterator())
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def test_a_saved_model_of_encoded_files_has_the_map_of_the_test(trained, measures, tmp_path):
    loaded = tf.saved_model.load(str(measures.export(tmp_path / "exported")))
    files = tf.constant([path.read_bytes() for path in image_paths(measures)])
    found = loaded.signatures["encoded"](files=files)
    found = {name: found[name].numpy() for name in NUMBERS}
    assert_map_is_measured(found, whole_test_split(measures)[1], trained)


@pytest.mark.parametrize(
    ("format", "runs"),
    [("litert", ran_by_litert), pytest.param("onnx", ran_by_onnx, marks=needs_onnx)],
)
def test_a_file_of_input_images_has_the_map_of_the_test(trained, measures, tmp_path, format, runs):
    images, objects = whole_test_split(measures)
    found = runs(measures.export(tmp_path / "model", format=format), images.astype("float32"))
    found["boxes"] = in_original(found["boxes"], objects["frame"], objects["size"])
    assert_map_is_measured(found, objects, trained)


def test_forty_files_are_found_as_predict_finds_them(trained, tmp_path):
    task, _ = trained
    paths = image_paths(task)
    loaded = tf.saved_model.load(str(task.export(tmp_path / "exported")))
    found = loaded.signatures["encoded"](files=tf.constant([path.read_bytes() for path in paths]))
    data, task.data = task.data, UnannotatedImages(paths, image_size=SIDE, batch_size=len(paths))
    (expected,) = Trainer(**quiet()).predict(task, collect=True)
    task.data = data
    assert len(paths) == COUNTS["test"]
    assert expected["count"].sum() > 5
    assert_same(found, expected)
