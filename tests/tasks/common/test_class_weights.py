"""class_weight: examples of rare classes count more in the training loss, and nowhere else."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification, TabularClassification, TextClassification

RANDOM = np.random.default_rng(0)
Y = np.array([0] * 45 + [1] * 9 + [2] * 6)
X = RANDOM.normal(size=(60, 3)).astype("float32") + Y[:, np.newaxis]
ALL = {"val_fraction": 0, "test_fraction": 0}


def table(**options):
    return TabularClassification((X, Y), units=(), data_options=ALL, batch_size=60, **options)


def images(**options):
    x = RANDOM.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    data = {"val_fraction": 0, "class_names": ["a", "b", "c"]}
    return ImageClassification((x, Y), "linear", data_options=data, **options)


def texts(**options):
    words = ["red one", "green two", "blue three"]
    data = ([words[y] for y in Y], ["xyz"[y] for y in Y])
    return TextClassification(data, data_options={"val_fraction": 0}, **options)


@pytest.mark.parametrize(
    "make",
    [
        table,
        pytest.param(images, marks=pytest.mark.slow),
        pytest.param(texts, marks=pytest.mark.slow),
    ],
)
def test_balanced_weights_are_those_of_scikit_learn(make):
    from sklearn.utils.class_weight import compute_class_weight

    task = make(class_weight="balanced")
    fitted(task, max_steps=1)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    np.testing.assert_allclose(task.class_weights, expected, rtol=1e-6)


def test_balanced_weights_of_datasets_cost_one_pass():
    x = np.zeros((60, 8, 8, 1), np.uint8)
    data = tf.data.Dataset.from_tensor_slices((x, Y)).batch(16)
    task = ImageClassification(data, "linear", class_weight="balanced")
    fitted(task, max_steps=1)
    np.testing.assert_allclose(task.class_weights, 60 / (3 * np.array([45, 9, 6])), rtol=1e-6)


def test_an_update_with_class_weights_is_that_of_fit():
    weight = {0: 0.5, 2: 4.0}

    def trained(rate):
        task = table(class_weight=weight, optimizer="sgd", learning_rate=rate, scaler="none")
        fitted(task, max_epochs=1, seed=0)
        return [variable.numpy() for variable in task.model.trainable_variables]

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.set_weights(trained(1e-20))  # as they begin
    model.compile(
        keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(X, Y, batch_size=60, epochs=1, class_weight={**weight, 1: 1.0}, verbose=0)
    for ours, theirs in zip(trained(0.1), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_classes_are_named_or_numbered_and_others_weigh_one():
    for weight in ({"b": 3.0}, {1: 3.0}, {"1": 3.0}):
        task = images(class_weight=weight)
        fitted(task, max_steps=1)
        assert task.class_weights.tolist() == [1.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("balance", "give 'balanced'"),
        ([1.0, 2.0], "give 'balanced'"),
        ({"a": -1.0}, "class_weight of 'a' is -1.0"),
        ({"a": float("nan")}, "class_weight of 'a' is nan"),
    ],
    ids=["name", "list", "negative", "nan"],
)
def test_what_is_no_class_weight_is_refused_when_it_is_named(weight, message):
    with pytest.raises(ConfigurationError, match=message):
        images(class_weight=weight)


def test_a_class_that_is_none_is_refused_before_training():
    for weight in ({"d": 1.0}, {3: 1.0}):
        with pytest.raises(ConfigurationError, match="no class is"):
            fitted(images(class_weight=weight), max_steps=1)
