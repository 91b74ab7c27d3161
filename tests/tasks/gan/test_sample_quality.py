"""ImageFeatures and SampleQuality: what a classifier sees, and collapse told."""

import logging

import keras
import numpy as np
import pytest
from helpers.boring import Rows, fitted, quiet
from helpers.small_gan import CLASSES, SIDE, few_images, small_gan

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.gan.fid_kid import frechet_distance
from lightning_tf.tasks.gan.image_features import ImageFeatures


@pytest.fixture(scope="module")
def classifier():
    task = ImageClassification(few_images(90), "mlp", batch_size=16, learning_rate=3e-3)
    fitted(task, max_epochs=8, seed=0, limit_val_batches=0)
    return task


def scaled(images):
    return images.astype("float32") / 127.5 - 1.0


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_task_its_checkpoint_its_model_and_its_file_see_the_same(classifier, tmp_path):
    x, y = few_images(30, seed=1)
    features, classes = ImageFeatures(classifier)(scaled(x))
    assert features.shape == (30, 256)
    assert (classes == y).mean() > 0.9
    logits = features @ classifier.model.layers[-1].kernel + classifier.model.layers[-1].bias
    np.testing.assert_array_equal(np.asarray(logits).argmax(axis=1), classes)
    classifier.export(tmp_path / "c", format="keras")
    for other in (classifier.model, tmp_path / "c.keras"):
        np.testing.assert_allclose(ImageFeatures(other)(scaled(x))[0], features, atol=1e-5)


def test_a_checkpoint_can_judge(tmp_path):
    task = ImageClassification("digits", "mlp")
    fitted(task, max_steps=2, seed=0).save_checkpoint(tmp_path / "c")
    x = np.random.default_rng(0).uniform(-1, 1, (20, 8, 8, 1)).astype("float32")
    expected = ImageFeatures(task)(x)[0]
    np.testing.assert_allclose(ImageFeatures(tmp_path / "c")(x)[0], expected, atol=1e-5)


def test_the_softmax_at_the_end_is_left_out():
    layers = keras.layers
    hidden = layers.Dense(5, activation="relu")
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), hidden, layers.Dense(3), layers.Softmax()]
    )
    x = np.random.default_rng(0).uniform(-1, 1, (6, 4, 4, 1)).astype("float32")
    features, _ = ImageFeatures(model)(x)
    np.testing.assert_allclose(features, hidden(x.reshape(6, 16)), atol=1e-6)


@pytest.mark.slow
def test_quality_is_measured_beside_what_real_images_have(classifier):
    rows = Rows()
    task = small_gan(data=few_images(90), quality=classifier, quality_every_n_epochs=2)
    trainer = Trainer(**quiet(max_epochs=4, seed=0, logger=rows))
    trainer.fit(task)
    assert len(rows.column("train/fid")) == 2
    metrics = trainer.callback_metrics
    split = task.data.images.splits["train"]
    (images, _), *_ = split.source.batches(split.indices, 1000).as_numpy_iterator()
    count = len(images) // 2
    see = ImageFeatures(classifier)
    real = see(scaled(images[: 2 * count : 2]))[0]
    other = see(scaled(images[1 : 2 * count : 2]))[0]
    fake = see(task.normalize(task.sample(count)))[0]
    assert metrics["fid"] == pytest.approx(frechet_distance(real, fake), rel=1e-3)
    assert metrics["fid_floor"] == pytest.approx(frechet_distance(real, other), rel=1e-3)
    assert metrics["fid"] > metrics["fid_floor"]


def test_real_images_cover_every_class_and_a_collapsed_generator_is_told(classifier, caplog):
    x, _ = few_images(90)
    task = small_gan(data=(x, few_images(90)[1]), quality=classifier)
    fitted(task, max_epochs=1, seed=0, limit_val_batches=0)
    task.sample = lambda n: x[:n].astype("float32")
    assert task.quality.measure(task)["classes_covered"] == CLASSES
    task.quality._warned = False
    caplog.clear()
    task.sample = lambda n: np.broadcast_to(x[:1], (n, SIDE, SIDE, 1)).astype("float32")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        assert task.quality.measure(task)["classes_covered"] == 1.0
    assert "1 of 3 classes" in caplog.text


def test_an_unsuitable_judge_is_told_before_training(classifier):
    x, y = few_images(90)
    wide = (np.concatenate([x, x], axis=2), y)
    with pytest.raises(ConfigurationError, match="cannot take images"):
        fitted(small_gan(data=wide, quality=classifier), max_epochs=1)
    with pytest.raises(ConfigurationError, match="not trained"):
        fitted(small_gan(quality=ImageClassification((x, y), "mlp")), max_epochs=1)
    with pytest.raises(DataError, match="quality needs 32"):
        fitted(small_gan(data=few_images(30), quality=classifier), max_epochs=1)
