"""Balanced sampling, a fixed order and whole batches, of images, texts and tables."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet

from lightning_tf import Trainer
from lightning_tf.data import (
    detection_data,
    feature_data,
    image_data,
    text_data,
    time_series_data,
)
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import (
    ImageClassification,
    TabularClassification,
    TextClassification,
    TransferLearning,
)

LABELS = np.array([0] * 30 + [1] * 6)
IMAGES = np.arange(36 * 36, dtype="uint8").reshape(36, 6, 6, 1)


def images(**options):
    return image_data((IMAGES, LABELS), batch_size=8, val_fraction=0.0, **options)


def texts(**options):
    words = [f"word{n} text" for n in range(36)]
    return text_data((words, LABELS), batch_size=8, val_fraction=0.0, **options)


def table(**options):
    return feature_data(
        (IMAGES.reshape(36, -1), LABELS),
        classes=True,
        batch_size=8,
        val_fraction=0.0,
        test_fraction=0.0,
        **options,
    )


def labels_of(dataset):
    return [batch[1] for batch in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("make", [images, texts, table])
def test_classes_come_equally_often_and_an_epoch_goes_on_anywhere(make):
    data = make(sampling="balanced")
    data.setup("fit")
    batches = list(data.train_dataset(epoch=2).as_numpy_iterator())
    assert np.bincount(np.concatenate([batch[1] for batch in batches])).tolist() == [18, 18]
    rest = list(data.train_dataset_from(epoch=2, batch=3).as_numpy_iterator())
    assert len(rest) == len(batches) - 3
    for one, two in zip(batches[3:], rest, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, two)


@pytest.mark.parametrize("make", [images, texts, table])
def test_the_order_can_stay_and_the_rest_be_left_out(make):
    data = make(shuffle=False, drop_remainder=True)
    data.setup("fit")
    labels = labels_of(data.train_dataset(epoch=1))
    assert [len(batch) for batch in labels] == [8] * 4
    assert np.concatenate(labels).tolist() == LABELS[:32].tolist()
    data.batch_size = 40
    with pytest.raises(ConfigurationError, match="drop_remainder=True leaves no batch of 40"):
        data.train_dataset(epoch=0)


@pytest.mark.slow
def test_series_and_boxes_keep_their_order_and_have_no_classes_to_balance():
    order = {"shuffle": False, "drop_remainder": True}
    series = time_series_data(np.arange(60.0), history=4, val_fraction=0.0, **order)
    series.setup("fit")
    assert [len(batch) for batch in labels_of(series.train_dataset(epoch=1))] == [32]
    scenes = {"train_scenes": 5, "val_scenes": 2, "test_scenes": 2, "batch_size": 2}
    boxes = detection_data("digits", **scenes, **order)
    boxes.setup("fit")
    read = [batch["index"].tolist() for batch in labels_of(boxes.train_dataset(epoch=1))]
    assert read == [[0, 1], [2, 3]]
    with pytest.raises(ConfigurationError, match="sampling='balanced' has no meaning"):
        time_series_data(np.arange(60.0), sampling="balanced")
    with pytest.raises(ConfigurationError, match="Did you mean 'shuffle'"):
        images(suffle=False)


def test_a_balanced_run_that_stopped_inside_an_epoch_ends_as_one_that_did_not(tmp_path):
    def task():
        return ImageClassification(
            (IMAGES, LABELS), "linear", sampling="balanced", batch_size=8, schedule="constant"
        )

    whole, first, second = task(), task(), task()
    expected = fitted(whole, max_epochs=3, seed=5)
    fitted(first, max_steps=6, seed=5).save_checkpoint(tmp_path / "x")  # 4 updates an epoch
    resumed = Trainer(**quiet(max_epochs=3, seed=5))
    resumed.fit(second, ckpt_path=tmp_path / "x")
    assert resumed.global_step == expected.global_step == 12
    for one, other in zip(whole.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.callback_metrics["val_loss"] == expected.callback_metrics["val_loss"]


def small_backbone():
    return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3)])


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: ImageClassification((IMAGES, LABELS), "linear", **options),
        lambda **options: TransferLearning(
            (IMAGES, LABELS), small_backbone(), cache_features=True, **options
        ),
        lambda **options: TextClassification(([f"a{n % 7}" for n in range(36)], LABELS), **options),
        lambda **options: TabularClassification((IMAGES.reshape(36, -1), LABELS), **options),
    ],
    ids=["images", "features", "texts", "tables"],
)
def test_tasks_train_on_balanced_classes(make):
    task = make(sampling="balanced", batch_size=8)
    trainer = fitted(task, max_epochs=1, seed=3, limit_val_batches=0)
    labels = np.concatenate(labels_of(task.data.dataset_for("train", epoch=0)))
    low, high = np.sort(np.bincount(labels))
    assert high - low <= 1
    assert trainer.global_step == -(-len(labels) // 8)
    with pytest.raises(ConfigurationError, match="rare classes twice"):
        make(sampling="balanced", class_weight="balanced")


def test_features_come_in_the_balanced_order_of_their_images():
    task = TransferLearning(
        (IMAGES, LABELS),
        small_backbone(),
        cache_features=True,
        sampling="balanced",
        data_options={"seed": 3},
    )
    fitted(task, max_steps=1, seed=3)
    for one, two in zip(
        labels_of(task.data.dataset_for("train", epoch=1)),
        labels_of(task.images_data.dataset_for("train", epoch=1)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_what_cannot_be_drawn_is_refused_with_a_remedy():
    stream = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)
    for options, said in (
        ({"sampling": "balanced"}, "sample_from_datasets"),
        ({"drop_remainder": True}, "batch them there"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            image_data(stream, **options)
    with pytest.raises(ConfigurationError, match="give 'balanced'"):
        images(sampling="balance")
    with pytest.raises(ConfigurationError, match="drop shuffle=False"):
        images(sampling="balanced", shuffle=False)
    with pytest.raises(ConfigurationError, match="no meaning for objective='multi_label'"):
        ImageClassification(
            (IMAGES, np.eye(2)[LABELS]), objective="multi_label", sampling="balanced"
        )
