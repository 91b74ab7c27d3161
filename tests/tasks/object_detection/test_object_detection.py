"""ObjectDetection, on colored rectangles: it learns, resumes, and gives what it promises."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, quiet
from helpers.rectangles import RectangleData, scenes
from helpers.replicated import assert_equal_on_replicas, furthest, outcome
from helpers.resumable import assert_resume_is_exact

from lightning_tf import Trainer
from lightning_tf.data import DigitScenes
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ObjectDetection

SIDE = 64
HEADS = ["retinanet", "ssd"]


def detection(data=None, **options):
    """A small network for rectangles, without augmentation."""
    small = {
        "backbone": "small",
        "image_size": SIDE,
        "levels": (3, 4, 5),
        "width": 16,
        "augmentation": None,
        "learning_rate": 3e-3,
    }
    return ObjectDetection(RectangleData() if data is None else data, **{**small, **options})


# ---- what it learns


def test_a_short_run_measures_map_and_tests_what_it_trained():
    task = detection(head="ssd", width=8, levels=(3, 4), max_detections=10)
    trainer = fitted(task, max_epochs=1, seed=0)
    assert {"loss", "class_loss", "box_loss", "val_loss", "val_map", "val_map_50"} <= set(
        trainer.callback_metrics
    )
    result = trainer.validate(task)
    assert result["val_map"] == trainer.callback_metrics["val_map"]


@pytest.mark.slow
@pytest.mark.parametrize(("head", "epochs"), [("retinanet", 120), ("ssd", 250)])
def test_eight_scenes_are_learnt_by_heart(head, epochs):
    data = DigitScenes(train_scenes=8, val_scenes=1, test_scenes=1)
    task = detection(data, head=head, image_size=96, width=32, levels=(3, 4, 5, 6))
    # The first training batch is what is validated.
    options = {"overfit_batches": 1, "check_val_every_n_epoch": epochs, "gradient_clip_val": 10.0}
    row = fitted(task, max_epochs=epochs, seed=0, **options).callback_metrics
    print({name: row[name] for name in ("loss", "val_loss", "val_map", "val_map_50")})
    assert row["val_map"] >= 0.95
    # Nothing normalises by batch: training and evaluation see the same network.
    assert row["val_loss"] == pytest.approx(row["loss"], rel=0.02)


@pytest.mark.slow
def test_a_few_updates_lower_the_loss_and_all_parts_are_logged():
    rows = Rows()
    task = detection(augmentation=("flip", "scale", "color"), mosaic=0.3)
    fitted(task, max_epochs=60, seed=0, logger=rows, gradient_clip_val=10.0)
    losses = [value for _, value in rows.column("train/loss_epoch")]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    before = [name for _, name, step, _ in rows.sent if step == 0]
    assert before == ["train/examples", "train/anchor_coverage"]
    for name in ("class_loss", "box_loss"):
        assert len(rows.column(f"val/{name}")) == 60
    val = [rows.column(f"val/{name}")[-1][1] for name in ("loss", "class_loss", "box_loss")]
    assert val[0] == pytest.approx(val[1] + val[2], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_images_without_objects_train_to_finite_numbers(head):
    trainer = fitted(detection(RectangleData(empty=True), head=head), max_epochs=2, seed=0)
    assert np.isfinite(list(trainer.callback_metrics.values())).all()
    assert trainer.callback_metrics["val_box_loss"] == 0.0


@pytest.mark.slow
def test_more_rows_of_padding_change_nothing():
    results = []
    for rows in (4, 9):
        task = detection(RectangleData(rows=rows))
        fitted(task, max_epochs=2, seed=0)
        results.append([weight.numpy() for weight in task.model.weights])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16", "64-true"])
def test_heads_and_losses_are_float32_under_every_precision(precision):
    task = detection(augmentation=("flip", "scale"))
    trainer = fitted(task, max_epochs=2, seed=0, precision=precision, gradient_clip_val=10.0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    raw = task.raw_outputs(scenes(2, side=SIDE))
    assert {value.dtype for value in raw.values()} == {tf.float32}
    dtype = "float64" if precision == "64-true" else precision.removeprefix("mixed_")
    assert task.model.get_layer("smooth3").compute_dtype == dtype


@pytest.mark.slow
def test_the_last_epochs_close_the_augmentation():
    task = detection(augmentation=["scale"], close_augmentation_epochs=2)
    plain = detection()
    seen = []
    for each in (task, plain):
        rows = Rows()
        # Nothing is learnt, so that each epoch's loss shows the images alone.
        each.optimizer_settings.learning_rate = 1e-12
        fitted(each, max_epochs=4, seed=0, logger=rows)
        seen.append([value for _, value in rows.column("train/loss_epoch")])
    changed, same = np.array(seen)
    assert (abs(changed - same)[:2] > 1e-4).all()
    np.testing.assert_allclose(changed[2:], same[2:], rtol=1e-4)


def test_closing_epochs_need_an_end():
    task = detection(augmentation=["scale"], close_augmentation_epochs=1)
    with pytest.raises(ConfigurationError, match="max_epochs"):
        fitted(task, max_steps=2)


# ---- the same numbers everywhere


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_replicas_make_the_same_updates(head):
    assert_equal_on_replicas(
        lambda: detection(RectangleData(20, batch_size=8), head=head, optimizer="sgd"),
        (2,) if head == "ssd" else (4,),
        predicts=False,
        max_epochs=3,
        gradient_clip_val=10.0,
    )


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_accumulated_batches_make_the_same_updates(head):
    def run(batch_size, accumulated):
        def make():
            data = RectangleData(16, batch_size=batch_size)
            return detection(data, head=head, optimizer="sgd")

        return outcome(
            make, 1, max_epochs=3, accumulate_grad_batches=accumulated, evaluates=False,
            predicts=False,
        )  # fmt: skip

    name, apart = furthest(run(8, 1), run(2, 4))
    assert apart < 1e-5, name


@pytest.mark.slow
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path):
    # A warm-up in updates: a share of them would be another number in the run that is stopped.
    rates = {"schedule": "constant", "warmup_steps": 2}

    def make():
        data = RectangleData(12, batch_size=4, shuffled=True)
        return detection(data, augmentation=("flip", "scale", "color"), mosaic=0.3, **rates)

    assert_resume_is_exact(tmp_path, make, list, stop=25, end=50)


# ---- what it gives


@pytest.mark.slow
def test_predictions_are_in_pixels_of_the_original():
    options = {"score_threshold": 0.0, "max_detections": 7}
    data = RectangleData(6, batch_size=4, frame=(4.0, 8.0, 0.5, 0.5))
    fitted(task := detection(data, **options), max_epochs=1, seed=0)
    results = Trainer(**quiet()).predict(task, collect=True)
    assert [len(result["count"]) for result in results] == [4, 2]
    for result in results:
        assert result["boxes"].shape[1:] == (7, 4)
        assert result["boxes"].dtype == result["scores"].dtype == np.float32
        assert result["labels"].dtype == result["count"].dtype == np.int32
        assert (np.diff(result["scores"], axis=1) <= 0).all()
        assert (result["labels"] >= -1).all()

    images, objects = data.train
    raw = task.raw_outputs((images, objects))
    inside = task.detections(raw, 0.0)["boxes"].numpy()
    expected = ((inside - [4, 8, 4, 8]) / 0.5).clip(0, SIDE)
    boxes = np.concatenate([result["boxes"] for result in results])
    np.testing.assert_allclose(boxes, expected, atol=1e-2)


@pytest.mark.slow
def test_images_alone_are_predicted_in_their_own_pixels():
    fitted(task := detection(score_threshold=0.0), max_epochs=1, seed=0)
    images, objects = scenes(2, side=SIDE)
    alone, framed = task.predict_step(images), task.predict_step((images, objects))
    np.testing.assert_allclose(alone["boxes"], framed["boxes"], atol=1e-4)


@pytest.mark.slow
def test_a_checkpoint_brings_classes_anchors_and_weights(tmp_path):
    task = detection(RectangleData(classes=3))
    trainer = fitted(task, max_epochs=2, seed=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = ObjectDetection.from_checkpoint(tmp_path / "run.ckpt", data=None)
    assert again.class_names == ["red", "green", "blue"]
    assert again.anchors.sizes == task.anchors.sizes
    images, _ = scenes(2, side=SIDE)
    for name, value in task.predict_step(images).items():
        np.testing.assert_array_equal(again.predict_step(images)[name], value)

    other = RectangleData(classes=3)
    other.class_names = ["blue", "green", "red"]
    swapped = ObjectDetection.from_checkpoint(tmp_path / "run.ckpt", data=None)
    swapped.data = other
    with pytest.raises(ConfigurationError, match="the network has learnt"):
        Trainer(**quiet()).validate(swapped)


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 100}, r"height 100 is no multiple of 32.*give 96 or 128"),
        ({"image_size": (64, 20)}, r"width 20 is no multiple of 32.*give 32"),
        ({"image_size": 0.5}, "give a side"),
        ({"head": "yolo"}, "head='yolo'.*retinanet"),
        ({"train": "some"}, "train='some'"),
        ({"levels": (3, 5)}, "levels that follow each other"),
        ({"levels": (6, 7)}, "first is at most 5"),
        ({"levels": ()}, "levels that follow each other"),
        ({"width": 20}, "multiple of 8"),
        ({"box_loss": "l2"}, "box_loss='l2'.*giou"),
        ({"class_loss": "hinge"}, "class_loss='hinge'.*focal"),
        ({"backbone": "MobileNetV9"}, "MobileNetV9"),
        ({"backbone": "small", "weights": "gone.h5"}, "trained from nothing"),
        ({"augmentation": ["flop"]}, "augmentation 'flop'"),
        ({"fixed_layers": "stem"}, "give a list of names"),
        ({"nms_iou": 1.5}, "nms_iou"),
        ({"score_threshold": -1}, "score_threshold"),
    ],
)
def test_what_cannot_work_is_told_at_once(options, message):
    with pytest.raises(ConfigurationError, match=message):
        detection(**options)


class Unlabeled(RectangleData):
    def train_dataset(self, epoch):
        return super().train_dataset(epoch).map(lambda images, objects: images)


def test_data_that_are_no_objects_are_told():
    with pytest.raises(DataError, match=r"must be \(images, objects\)"):
        fitted(detection(Unlabeled()), max_epochs=1)
    data = RectangleData()
    data.class_names = None
    with pytest.raises(DataError, match="class_names"):
        fitted(detection(data), max_epochs=1)
    without = ObjectDetection(None, backbone="small", image_size=SIDE)
    with pytest.raises(ConfigurationError, match="data is None"):
        without.configure_model()


# ---- what stays frozen


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [True, False])
def test_what_is_frozen_stays_as_it_was(freeze):
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    maps, outputs = inputs, []
    for level in range(1, 5):
        maps = layers.Conv2D(8, 3, 2, "same", name=f"down{level}")(maps)
        maps = layers.BatchNormalization(name=f"norm{level}")(maps)
        maps = layers.Activation("relu")(maps)
        outputs.append(maps)
    keras.utils.set_random_seed(0)
    backbone = keras.Model(inputs, outputs[2:], name="own")
    task = detection(backbone=backbone, levels=(3, 4), fixed_layers=["down1", "norm1"],
                     freeze_batch_norm=freeze)  # fmt: skip
    before = {v.path: v.numpy() for v in backbone.variables}
    fitted(task, max_epochs=2, seed=0)
    moved = {p for p, v in before.items() if not np.array_equal(v, backbone_value(task, p))}
    trained = {"down2", "down3", "down4"} | (set() if freeze else {"norm2", "norm3", "norm4"})
    assert {path.split("/")[-2] for path in moved} == trained


def backbone_value(task, path):
    (value,) = [v.numpy() for v in task.backbone.variables if v.path == path]
    return value


@pytest.mark.slow
def test_the_head_alone_trains():
    task = detection(train="head")
    fitted(task, max_epochs=1, seed=0)
    assert not task.backbone.trainable_variables
    assert task.model.trainable_variables


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 4}, "used as it is; set batch_size on it"),
        ({"max_objects": 9}, "set max_objects on it"),
        ({"data_options": {"empty": "drop"}}, "set empty on it"),
        ({"data_options": {"emtpy": "drop"}}, "no entry 'emtpy'.*empty"),
        ({"data_options": "drop"}, "data_options='drop': give a dict"),
        ({"augmentation": 3}, "augmentation is 3; give names"),
        ({"augmentation": True}, "augmentation is True; give names"),
    ],
)
def test_options_that_nothing_would_follow_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        ObjectDetection(RectangleData(1), backbone="small", **options)
