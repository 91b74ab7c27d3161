"""Losses and metrics by Keras' names: the objects that Keras would make."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.keras_task.compile_choices import loss_object, metric_objects, single


def spec(*shape):
    return tf.TensorSpec((None, *shape), tf.float32)


@pytest.mark.parametrize(
    ("targets", "outputs", "kind"),
    [
        (spec(), spec(3), "SparseCategorical"),
        (spec(1), spec(3), "SparseCategorical"),
        (spec(3), spec(3), "Categorical"),
        (spec(1), spec(1), "Binary"),
        (spec(), spec(1), "Binary"),
    ],
)
def test_accuracy_and_crossentropy_go_by_the_shapes(targets, outputs, kind):
    metric = metric_objects(["accuracy"], targets, outputs)["accuracy"]
    assert type(metric).__name__ == f"{kind}Accuracy"
    assert type(loss_object("crossentropy", targets, outputs)).__name__ == f"{kind}Crossentropy"


def test_metrics_have_the_names_that_keras_gives_them():
    def off_by(y_true, y_pred):
        return keras.ops.abs(y_true - y_pred)

    choices = ["mse", off_by, keras.metrics.MeanAbsoluteError(name="distance")]
    metrics = metric_objects(choices, spec(1), spec(1))
    assert list(metrics) == ["mse", "off_by", "distance"]
    metrics["off_by"].update_state(tf.constant([[1.0], [2.0]]), tf.constant([[2.0], [4.0]]))
    assert float(metrics["off_by"].result()) == 1.5
    assert metric_objects(None, spec(1), spec(1)) == {}
    assert list(metric_objects({"output": ["mae"]}, spec(1), spec(1))) == ["mae"]
    assert list(metric_objects([["mae"]], spec(1), spec(1))) == ["mae"]
    unnamed = [lambda y_true, y_pred: y_pred, lambda y_true, y_pred: y_true]
    assert list(metric_objects(unnamed, spec(1), spec(1))) == ["lambda", "lambda_1"]


def test_a_function_as_loss_does_not_spread_flat_targets_over_a_column():
    def error(y_true, y_pred):
        return (y_true - y_pred) ** 2

    loss = loss_object(error, spec(), spec(1))
    y_true, y_pred = np.array([1.0, 2.0], "float32"), np.array([[1.0], [4.0]], "float32")
    assert float(loss(y_true, y_pred)) == 2.0
    assert float(loss(y_true, y_pred, sample_weight=np.array([1.0, 0.5]))) == 1.0


def test_a_lambda_is_a_loss():
    loss = loss_object(lambda y_true, y_pred: y_pred, spec(), spec(1))
    assert float(loss(tf.constant([0.0]), tf.constant([[3.0]]))) == 3.0


def test_names_that_keras_does_not_know_are_told():
    with pytest.raises(ConfigurationError, match="no_such_loss"):
        loss_object("no_such_loss", spec(), spec(1))
    with pytest.raises(ConfigurationError, match="no_such_metric"):
        metric_objects(["no_such_metric"], spec(), spec(1))


def test_several_losses_are_refused():
    assert single("loss", {"output": "mse"}) == "mse"
    with pytest.raises(ConfigurationError, match="loss has 2 items"):
        single("loss", ["mse", "mae"])
