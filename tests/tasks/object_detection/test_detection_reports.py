"""What a detector's metric has seen reaches every logger: images, curves, confusion, a table."""

import numpy as np
import pytest
from helpers.boring import Rows, fitted, quiet
from helpers.detected_scenes import scenes
from helpers.given_detections import GivenDetections, NamedScenes, given_data, small_scenes

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger, JSONLinesLogger, TensorBoardLogger
from lightning_tf.callbacks.loggers.image_annotations import draw_annotations
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.average_precision_table import (
    AveragePrecisionTable,
)
from lightning_tf.tasks.object_detection.reports.detection_confusion import DetectionConfusion
from lightning_tf.tasks.object_detection.reports.detection_grid import DetectionGrid
from lightning_tf.tasks.object_detection.reports.precision_recall_curves import (
    PrecisionRecallCurves,
)

NAMES = ["cat", "dog"]
KINDS = {"figure": ("detections", "precision_recall", "detection_confusion")}
KINDS |= {"table": ("detection_confusion", "average_precision"), "images": ("detection_boxes",)}


class Sent(Rows):
    """Keeps what is logged, boxes too."""

    def log_images(self, name, images, step, captions=None, masks=None, boxes=None):
        self.sent.append(("images", name, step, (images, captions, boxes)))

    def log_table(self, name, columns, rows, step):
        self.sent.append(("table", name, step, (columns, rows)))

    def names(self):
        return sorted((kind, name) for kind, name, *_ in self.sent)

    def of(self, kind, name):
        return next(content for k, n, _, content in self.sent if (k, n) == (kind, name))


def reports():
    return [
        DetectionGrid(),
        PrecisionRecallCurves(),
        DetectionConfusion(),
        AveragePrecisionTable(),
    ]


def named(stage):
    return sorted((kind, f"{stage}/{name}") for kind, names in KINDS.items() for name in names)


def small_task(tmp_path, **options):
    return GivenDetections(NamedScenes(tmp_path, small_scenes(), **options), NAMES)


def test_reports_come_when_training_ends_and_after_every_validation_and_test(tmp_path):
    task, rows = small_task(tmp_path), Sent()
    trainer = fitted(task, max_epochs=2, logger=rows, callbacks=reports())
    assert rows.names() == named("val")  # once, not in every epoch
    assert {step for _, _, step, _ in rows.sent} == {trainer.global_step}
    for call, stage in ((trainer.validate, "val"), (trainer.test, "test")):
        rows.sent = []
        call(task)
        assert rows.names() == named(stage)


def test_nothing_is_reported_of_a_fit_whose_validation_never_ran(tmp_path):
    task, rows = small_task(tmp_path), Sent()
    trainer = Trainer(
        **quiet(logger=rows, callbacks=reports(), max_epochs=1, check_val_every_n_epoch=2)
    )
    trainer.test(task)
    rows.sent = []
    trainer.fit(task)  # its sanity check measures nothing
    assert rows.sent == []


@pytest.mark.slow
def test_without_a_logger_nothing_is_computed(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("computed without a logger")

    for name in ("curves", "confusion", "per_class"):
        monkeypatch.setattr(MeanAveragePrecision, name, refuse)
    task = small_task(tmp_path)
    monkeypatch.setattr(task.data, "original", refuse)
    trainer = fitted(task, max_epochs=1, callbacks=reports())
    trainer.validate(task)
    trainer.test(task)


def test_the_grid_shows_objects_and_detections_in_pixels_of_what_is_logged(tmp_path):
    task, rows = small_task(tmp_path, order=[3, 2, 0, 1]), Sent()
    Trainer(**quiet(logger=rows, callbacks=[DetectionGrid(count=3)])).test(task)
    images, captions, boxes = rows.of("images", "test/detection_boxes")
    assert captions == ["image 3", "image 0", "image 1"]  # evenly spread, ends among them
    assert images.shape == (3, 384, 384, 3)
    assert (images[1][288:] == 114).all()  # beside an image of 48 x 64
    assert (images[2][:, 192:] == 114).all()
    assert boxes[0]["truth"]["box_data"] == boxes[0]["prediction"]["box_data"] == []

    truth, prediction = boxes[1]["truth"]["box_data"], boxes[1]["prediction"]["box_data"]
    assert truth[1] == {
        "position": {"minX": 240.0, "minY": 60.0, "maxX": 360.0, "maxY": 264.0},
        "domain": "pixel",
        "class_id": 1,
        "box_caption": "dog",
    }
    assert [box["box_caption"] for box in prediction] == ["cat 0.90", "dog 0.60"]  # 0.1 is too low
    assert prediction[0]["scores"] == {"score": pytest.approx(0.9)}
    assert boxes[1]["truth"]["class_labels"] == {0: "cat", 1: "dog"}
    drawn, texts = draw_annotations(images, captions, boxes=boxes)
    assert len(drawn) == len(texts) == 6


def test_matched_missed_wrong_and_ignored_boxes_have_colors_of_their_own(tmp_path):
    outputs = small_scenes()
    outputs["truth"]["ignored"][2, 0] = True
    task, rows = GivenDetections(NamedScenes(tmp_path, outputs), NAMES), Sent()
    Trainer(**quiet(logger=rows, callbacks=[DetectionGrid()])).test(task)
    figure = rows.of("figure", "test/detections")
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert titles[:2] == ["image 0, truth: 2, 1 missed", "found: 2, 1 wrong"]
    assert titles[4:6] == ["image 2, truth: 0", "found: 1"]  # it lies in an ignored object
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "matched",
        "missed",
        "wrong",
        "ignored",
    ]
    left, right, *others = (np.asarray(image.get_array()) for image in figure.axes[0].images)
    assert has(left, (0, 158, 115))
    assert has(left, (255, 176, 0))
    assert has(right, (0, 158, 115))
    assert has(right, (220, 38, 60))
    assert not has(right, (255, 176, 0))
    assert has(others[3], (150, 150, 150))
    assert not has(others[3], (220, 38, 60))


def has(image, color):
    return (image == np.array(color)).all(axis=-1).any()


def test_of_data_without_originals_the_letterbox_is_cut_off():
    outputs = small_scenes()
    outputs["truth"]["size"] = np.array([[48, 64]] * 4, "int32")
    images = np.full((4, 32, 32, 3), 114, "uint8")
    images[:, 4:28] = 200  # an image of 48 x 64 in half its size, 4 rows below the top
    data = given_data(outputs, images)
    data.splits = None
    data.setup("fit")
    source = data.splits["val"].source
    rows = next(iter(source.batches(np.arange(4), 4)))
    objects = {name: part.numpy() for name, part in rows[1].items()}
    objects["frame"] = np.tile(np.array([[0, 4, 0.5, 0.5]], "float32"), (4, 1))
    data = type(data)(images, objects, val=(images, objects), test=(images, objects), batch_size=3)
    task, sent = GivenDetections(data, NAMES), Sent()
    Trainer(**quiet(logger=sent, callbacks=[DetectionGrid(count=4)])).test(task)
    logged, _, boxes = sent.of("images", "test/detection_boxes")
    assert (logged[:, :288] == 200).all()
    assert (logged[:, 288:] == 114).all()
    assert boxes[0]["truth"]["box_data"][1]["position"]["minX"] == 240.0


def test_the_confusion_matrix_and_the_table_say_what_the_metric_says(tmp_path):
    task, rows = small_task(tmp_path), Sent()
    callbacks = [DetectionConfusion(), AveragePrecisionTable(), PrecisionRecallCurves()]
    values = Trainer(**quiet(logger=rows, callbacks=callbacks)).test(task)

    columns, cells = rows.of("table", "test/detection_confusion")
    assert columns == ["true", "cat", "dog", "(missed)"]
    assert cells == [["cat", 2, 0, 0], ["dog", 0, 1, 1], ["(background)", 0, 1, 0]]
    title = rows.of("figure", "test/detection_confusion").axes[0].get_title()
    assert title.startswith("3 of 4 objects found, 1 detections wrong\n(score from 0.3 on")

    columns, cells = rows.of("table", "test/average_precision")
    table = [dict(zip(columns, row, strict=True)) for row in cells]
    assert [row["class"] for row in table] == NAMES
    assert [row["objects"] for row in table] == [2, 2]
    assert np.mean([row["map"] for row in table]) == pytest.approx(values["test_map"])
    assert np.mean([row["map_50"] for row in table]) == pytest.approx(values["test_map_50"])
    assert table[0]["best_f1"] == 1.0
    assert table[0]["threshold"] == pytest.approx(0.7)

    axes = rows.of("figure", "test/precision_recall").axes[0]
    assert axes.get_title().startswith(f"mAP50 {values['test_map_50']:.3f}; best mean F1 0.833")
    assert "from a score of 0.70 on" in axes.get_title()


@pytest.mark.slow
def test_every_logger_writes_them(tmp_path):
    loggers = [CSVLogger(tmp_path), JSONLinesLogger(tmp_path), TensorBoardLogger(tmp_path)]
    task = small_task(tmp_path / "images")
    Trainer(**quiet(logger=loggers, callbacks=reports())).test(task)
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    for name in ("detections", "precision_recall", "detection_confusion", "average_precision"):
        assert any(name in file for file in written), (name, written)
    assert any("detection_boxes" in file for file in written)


def test_wandb_takes_the_boxes(tmp_path):
    import wandb

    from lightning_tf.callbacks.wandb.media import images as wandb_images

    task, rows = small_task(tmp_path), Sent()
    Trainer(**quiet(logger=rows, callbacks=[DetectionGrid()])).test(task)
    images, captions, boxes = rows.of("images", "test/detection_boxes")
    (first, *_) = wandb_images(images, captions, boxes=boxes)(wandb)
    assert sorted(first._boxes) == ["prediction", "truth"]


@pytest.mark.slow
def test_many_classes_and_no_detection_at_all_can_be_shown(tmp_path):
    many, rows = scenes("plain", 4, 30), Sent()
    names = [f"kind {label}" for label in range(30)]
    task = GivenDetections(NamedScenes(tmp_path, many), names)
    trainer = Trainer(**quiet(logger=rows, callbacks=reports()))
    trainer.test(task)
    figure = rows.of("figure", "test/precision_recall")
    assert "more classes" in figure.legends[0].get_title().get_text()

    nothing = small_scenes()
    nothing["detections"]["labels"][:] = -1
    rows.sent = []
    trainer.test(GivenDetections(NamedScenes(tmp_path, nothing), NAMES))
    assert rows.names() == named("test")
    assert rows.of("figure", "test/precision_recall").axes[0].get_title() == "mAP50 0.000"


def test_images_without_objects_are_shown_and_measured_nowhere(tmp_path):
    empty, rows = small_scenes(), Sent()
    empty["truth"]["labels"][:] = -1
    empty["detections"]["labels"][:] = -1
    task = GivenDetections(NamedScenes(tmp_path, empty), NAMES)
    values = Trainer(**quiet(logger=rows, callbacks=reports())).test(task)
    assert list(values) == ["test_loss"]
    assert rows.names() == [("figure", "test/detections"), ("images", "test/detection_boxes")]
