"""Detections are written as COCO's results, CSV and JSON, and drawn in images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.boring import NumberData, NumberTask, Rows, quiet
from helpers.detected_scenes import MEASURED, by_pycocotools, scenes
from helpers.given_detections import GivenDetections, NamedScenes, given_data, small_scenes
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.cli.main import main
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks.object_detection.detection_writer import DetectionWriter, detection_writer

NAMES = ["cat", "dog"]
FOUND = [  # file, class, score, xyxy
    ("part0/photo 0.png", "cat", 0.9, [5.0, 4.0, 24.0, 29.25]),
    ("part0/photo 0.png", "dog", 0.6, [30.0, 2.0, 40.0, 9.0]),
    ("part0/photo 0.png", "cat", 0.1, [1.0, 1.0, 9.0, 9.0]),
    ("part1/photo 1.jpg", "dog", 0.8, [5.0, 4.0, 24.0, 29.25]),
    ("part0/photo 2.jpg", "cat", 0.7, [5.0, 4.0, 24.0, 29.25]),
]


def task_in(folder, **options):
    return GivenDetections(NamedScenes(folder, small_scenes(), **options), NAMES)


def written(task, *args, logger=False, **options):
    writer = DetectionWriter(*args, **options)
    for _ in Trainer(**quiet(callbacks=[writer], logger=logger)).predict(task):
        pass
    return writer


def test_coco_results_name_image_and_category_by_number_and_name(tmp_path):
    writer = written(task_in(tmp_path), tmp_path / "out", format="coco")
    assert writer.files == [str(tmp_path / "out" / "detections.json")]
    results = json.loads(Path(writer.files[0]).read_text())
    expected = [
        {
            "image_id": int(file[-5]) + 1,
            "category_id": NAMES.index(name) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "score": score,
            "file_name": file,
            "category": name,
        }
        for file, name, score, (x0, y0, x1, y1) in FOUND
    ]
    assert results == expected


def test_pycocotools_measures_the_written_results_as_what_was_predicted(tmp_path):
    outputs = scenes("plain", 12)
    reference = by_pycocotools(outputs)
    writer = written(GivenDetections(NamedScenes(tmp_path, outputs), list("abcdef")), tmp_path)
    results = json.loads(Path(writer.files[0]).read_text())
    rows = {"boxes": 0, "scores": 0, "labels": -1}
    found = {name: np.full_like(outputs["detections"][name], value) for name, value in rows.items()}
    counts = np.zeros(12, int)
    for result in results:
        image = result["image_id"] - 1
        x, y, width, height = result["bbox"]
        found["boxes"][image, counts[image]] = [x, y, x + width, y + height]
        found["scores"][image, counts[image]] = result["score"]
        found["labels"][image, counts[image]] = result["category_id"] - 1
        counts[image] += 1
    again = by_pycocotools({"truth": outputs["truth"], "detections": found})
    np.testing.assert_allclose(again.stats, reference.stats, atol=2e-3)
    assert np.array_equal(found["scores"], outputs["detections"]["scores"])
    assert len(MEASURED) == len(again.stats)


def test_csv_has_a_row_for_each_detection_with_the_columns_of_annotations(tmp_path):
    writer = written(task_in(tmp_path), tmp_path / "out", format="csv")
    table = pd.read_csv(writer.files[0])
    corners = table[["xmin", "ymin", "xmax", "ymax"]].to_numpy().tolist()
    columns = (table["filename"], table["class"], table["score"], corners)
    assert list(zip(*columns, strict=True)) == FOUND
    assert table.loc[3, ["width", "height"]].tolist() == [32, 64]


def test_json_has_every_image_also_where_nothing_was_found(tmp_path):
    writer = written(task_in(tmp_path), tmp_path / "out", format="json")
    images = json.loads(Path(writer.files[0]).read_text())
    assert [image["index"] for image in images] == [0, 1, 2, 3]
    assert images[3] == {
        "file_name": "part1/photo 3.jpg",
        "index": 3,
        "width": 32,
        "height": 64,
        "detections": [],
    }
    assert images[2]["detections"] == [{"class": "cat", "score": 0.7, "box": FOUND[-1][3]}]


def test_the_data_decide_which_file_an_example_is_of(tmp_path):
    task = task_in(tmp_path, order=[2, 0])
    images = json.loads(Path(written(task, tmp_path / "out", format="json").files[0]).read_text())
    assert [(image["index"], image["file_name"]) for image in images] == [
        (2, "photo 2.jpg"),  # from the folder on that holds all that is predicted
        (0, "photo 0.png"),
    ]


def test_of_data_without_files_images_are_numbered(tmp_path):
    writer = written(FromMemory(), tmp_path, format="json")
    images = json.loads(Path(writer.files[0]).read_text())
    assert [image["file_name"] for image in images] == [f"image_{n:05d}" for n in range(4)]
    assert {image["width"] for image in images} == {None}


class FromMemory(GivenDetections):
    """Predicts batches with objects of plain arrays."""

    def __init__(self):
        super().__init__(given_data(small_scenes()), NAMES)
        self.data.predict_dataset = self.data.test_dataset


def test_images_are_drawn_with_their_boxes_in_their_own_size(tmp_path):
    logger = Rows()
    task = task_in(tmp_path)
    writer = written(task, tmp_path / "out", save_images=True, logger=logger)
    assert [sent[:2] for sent in logger.sent] == [("file", "detections")]
    names = [str(Path(path).relative_to(tmp_path / "out")) for path in writer.files[1:]]
    assert names == [f"images/part{n % 2}/photo {n}.{'jpg' if n else 'png'}" for n in range(4)]
    first = np.asarray(Image.open(writer.files[1]))
    assert first.shape == (48, 64, 3)
    assert (first == (31, 119, 180)).all(axis=-1).sum() > 60  # the color of class 0
    assert (first != task.data.original(0)).any()
    assert np.asarray(Image.open(writer.files[2])).shape == (64, 32, 3)


def test_a_prediction_that_fails_leaves_no_file(tmp_path):
    class Fails(Callback):
        def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
            raise RuntimeError("the disk is gone")

    writer = DetectionWriter(tmp_path / "out")
    with pytest.raises(RuntimeError, match="the disk is gone"):
        Trainer(**quiet(callbacks=[writer, Fails()])).predict(task_in(tmp_path))
    assert list((tmp_path / "out").iterdir()) == []
    assert writer.files == []


def test_nothing_found_is_a_whole_file(tmp_path):
    outputs = small_scenes()
    outputs["detections"]["count"][:] = 0
    task = GivenDetections(NamedScenes(tmp_path, outputs), NAMES)
    for format in ("coco", "csv"):
        content = Path(written(task, tmp_path / "out", format=format).files[0]).read_text()
        assert content == "[]\n" if format == "coco" else content.startswith("filename,width")


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="format is 'cocoa'"):
        DetectionWriter(format="cocoa")
    task = NumberTask(NumberData([1.0], held_out=[1.0]))
    task.class_names = NAMES
    with pytest.raises(DataError, match="predict_step gave no detections"):
        written(task, tmp_path)
    with pytest.raises(ConfigurationError, match="ArrayData has no method `original`"):
        written(FromMemory(), tmp_path, save_images=True)
    with pytest.raises(ConfigurationError, match="NumberTask has nothing to draw"):
        NumberTask(NumberData([1.0])).prediction_writer(tmp_path, "npz", save_images=True)
    assert detection_writer(None, "npz") is None


def test_the_command_line_writes_detections_and_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["predict", "--task", "helpers.given_detections.NamedDetections"]
    command += ["--trainer.enable_progress_bar", "false", "--trainer.logger", "false"]
    asked = ["--output", "out", "--format", "coco", "--save_images", "true"]
    assert main([*command, *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "written: out/detections.json"
    assert len(lines) == 5
    assert len(json.loads(Path("out/detections.json").read_text())) == 5

    assert main([*command, "--output", "npz"]) == 0
    assert capsys.readouterr().out == "written: npz/predictions.npz\n"
    assert main([*command, "--format", "xml"]) == 2
    assert "format is 'xml'" in capsys.readouterr().err
