"""Several labels of an image, and numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted

from lightning_tf import DataModule
from lightning_tf.data import image_data
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification, TransferLearning
from lightning_tf.tasks.common.multi_label_scores import MultiLabelScores

OPTIONS = {"network": "linear", "batch_size": 16, "learning_rate": 0.02, "schedule": "constant"}


def bright(count=96, offset=0.0):
    """Images with up to three bright rows, and how much light there is."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (count, 3))
    images = random.integers(0, 60, (count, 6, 6, 1)).astype("uint8")
    images[:, :3] += (labels * 150).astype("uint8")[..., None, None]
    return images, labels, images.mean(axis=(1, 2, 3)) + offset


@pytest.mark.slow
def test_several_labels_are_learnt_with_scores_of_each(tmp_path):
    images, labels, _ = bright()
    task = ImageClassification(
        (images, labels),
        **OPTIONS,
        objective="multi_label",
        label_smoothing=0.1,
        augmentation=["mixup"],
        data_options={"class_names": ["top", "middle", "low"], "val_fraction": 0.25},
    )
    trainer = fitted(task, max_epochs=25, seed=0)
    rows = trainer.callback_metrics
    for name in ("val_accuracy", "val_f1", "val_auc", "val_auc_low"):
        assert rows[name] == pytest.approx(1.0)
    assert 0.5 < rows["accuracy_top"] <= 1.0

    probabilities = np.asarray(task.predict_step(tf.constant(images)))
    assert ((probabilities > 0.5) == labels).all()
    targets = tf.constant(labels, tf.float32)
    loss = float(task.validation_step((tf.constant(images), targets)))
    p = probabilities.astype(np.float64)
    expected = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    assert loss == pytest.approx(expected, rel=1e-4)

    task.export(tmp_path / "out")
    serve = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    outputs = serve(tf.constant(images, tf.float32))
    assert list(outputs) == ["probabilities"]
    np.testing.assert_allclose(outputs["probabilities"], probabilities, atol=1e-5)


@pytest.mark.parametrize("offset", [pytest.param(0.0, marks=pytest.mark.slow), 1.7e9])
def test_numbers_are_learnt_in_the_units_of_the_data(offset, tmp_path):
    images, _, light = bright(offset=offset)
    task = ImageClassification((images, light), **OPTIONS, objective="regression")
    trainer = fitted(task, max_epochs=40, seed=0)
    rows = trainer.callback_metrics
    assert rows["val_r2"] > 0.9
    assert rows["val_mae"] < 5
    predicted = np.asarray(task.predict_step(tf.constant(images)))[:, 0]
    assert np.abs(predicted - light).mean() < 5
    task.export(tmp_path / "out")
    serve = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    np.testing.assert_allclose(
        serve(tf.constant(images, tf.float32))["values"][:, 0] - offset, predicted - offset,
        atol=1e-2,
    )  # fmt: skip


def test_scores_equal_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (200, 3))
    labels[:, 2] = 0  # a label that nobody has
    logits = np.round(random.normal(size=(200, 3)) + labels, 1).astype("float32")
    scores = MultiLabelScores(["a", "b", "c"])
    for half in (slice(0, 90), slice(90, 200)):
        scores.update_state(labels[half], logits[half])
    result = {name: float(value) for name, value in scores.result().items()}
    areas = [metrics.roc_auc_score(labels[:, i], logits[:, i]) for i in (0, 1)]
    assert result["auc_a"] == pytest.approx(areas[0], abs=0.01)
    assert np.isnan(result["auc_c"])
    assert result["auc"] == pytest.approx(np.mean(areas), abs=0.01)
    guessed = logits > 0
    assert result["f1_b"] == pytest.approx(metrics.f1_score(labels[:, 1], guessed[:, 1]))
    assert result["accuracy"] == pytest.approx((guessed == labels).mean())
    again = MultiLabelScores.from_config(scores.get_config())
    assert again.labels == scores.labels


def test_a_sigmoid_at_the_end_is_taken_for_probabilities():
    images, labels, _light = bright(32)

    def model(activation):
        layers = [keras.Input((6, 6, 1)), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(3, activation=activation)])

    task = ImageClassification((images, labels), model("sigmoid"), objective="multi_label")
    fitted(task, max_steps=1, seed=0)
    inputs = task.built.inputs(task._images(images))
    np.testing.assert_allclose(task.predict_step(images), task.model(inputs), atol=1e-5)
    with pytest.raises(ConfigurationError, match="ends in a softmax; labels that go together"):
        fitted(
            ImageClassification((images, labels), model("softmax"), objective="multi_label"),
            max_steps=1,
        )
    with pytest.raises(ConfigurationError, match="sigmoid; numbers of any size"):
        fitted(
            ImageClassification((images, labels), model("sigmoid"), objective="regression"),
            max_steps=1,
        )


@pytest.mark.parametrize("objective", ["multi_label", "regression"])
def test_features_of_a_backbone_learn_labels_and_numbers(objective):
    images, labels, light = bright(32)
    backbone = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3)])
    task = TransferLearning(
        (images, labels if objective == "multi_label" else light),
        backbone,
        objective=objective,
        cache_features=True,
        batch_size=16,
    )
    trainer = fitted(task, max_epochs=1, seed=0)
    outputs = task.predict_step(tf.constant(images))
    assert outputs.shape == (32, 3 if objective == "multi_label" else 1)
    assert ("val_auc" if objective == "multi_label" else "val_r2") in trainer.callback_metrics


def test_a_data_module_says_its_objective():
    images, labels, _ = bright(32)

    class Labels(DataModule):
        objective = "multi_label"
        value = 1.0

        def train_dataset(self, epoch):
            y = (labels * self.value).astype("float32")
            return tf.data.Dataset.from_tensor_slices((images, y)).batch(16)

    task = ImageClassification(Labels(), "linear")
    trainer = fitted(task, max_epochs=1, seed=0)
    assert "accuracy_2" in trainer.callback_metrics
    wrong = Labels()
    wrong.value = 2.0
    with pytest.raises(DataError, match="none of the 0 and 1"):
        fitted(ImageClassification(wrong, "linear"), max_epochs=1)


@pytest.mark.parametrize("objective", ["multi_label", "regression"])
def test_datasets_of_batches_learn_labels_and_numbers(objective):
    images, labels, light = bright(64)
    targets = labels if objective == "multi_label" else light

    def batches(y, x=images):
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)

    data = (batches(targets), batches(targets))
    task = ImageClassification(data, "linear", objective=objective, learning_rate=0.02)
    trainer = fitted(task, max_epochs=1, seed=0)
    assert ("val_auc_2" if objective == "multi_label" else "val_r2") in trainer.callback_metrics
    assert task.predict_step(tf.constant(images)).shape == (64, 3 if labels is targets else 1)
    assert "64 examples in 4 batches" in str(task.describe())

    wrong = targets.astype("float64")
    wrong[-1] = np.nan
    said = "must be 0 or 1" if objective == "multi_label" else "must be finite"
    with pytest.raises(DataError, match=f"train .* {said}"):
        fitted(ImageClassification(batches(wrong), "linear", objective=objective), max_epochs=1)
    held_out = batches(np.ones((64, 2), "float32"))
    with pytest.raises(DataError, match="val split has 2 targets"):
        image_data((batches(targets), held_out), objective=objective).setup("fit")
    with pytest.raises(ConfigurationError, match="has no classes: drop num_classes=3"):
        image_data(batches(targets), objective=objective, num_classes=3)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_several_labels_are_never_taken_for_one_class(dtype):
    images, labels, _light = bright(32)
    labels = labels.astype(dtype)
    for data in ((images, labels), tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)):
        with pytest.raises(DataError, match="objective='multi_label'"):
            fitted(ImageClassification(data, "linear"), max_epochs=1)


def test_options_of_classes_are_refused_for_other_targets():
    images, labels, _light = bright(32)
    for options, said in (
        ({"objective": "multi_label", "class_weight": "balanced"}, "class_weight='balanced'"),
        ({"objective": "regression", "label_smoothing": 0.1}, "label_smoothing=0.1"),
        ({"objective": "labels"}, "multi_label"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            ImageClassification((images, labels), **options)
    with pytest.raises(ConfigurationError, match="no meaning for data='digits'"):
        ImageClassification("digits", objective="regression")
