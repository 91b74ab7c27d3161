"""Losses and metrics by Keras' names: the objects that Keras would make."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.keras_task.compile_choices import (
    named_metrics,
    output_losses,
    output_metrics,
)


def shapes(targets, outputs):
    symbolic = [keras.KerasTensor((None, *shape)) for shape in (targets, outputs)]
    return (*symbolic, None)


def loss_of(loss, targets=(1,), outputs=(1,)):
    return output_losses(loss, None, ["out"], shapes(targets, outputs), print)


def metrics_of(metrics, targets=(1,), outputs=(1,)):
    plain, _ = named_metrics(output_metrics(metrics, None, None, shapes(targets, outputs)))
    return {name: each.metric for name, each in plain.items()}


@pytest.mark.parametrize(
    ("targets", "outputs", "kind"),
    [
        ((), (3,), "SparseCategorical"),
        ((1,), (3,), "SparseCategorical"),
        ((3,), (3,), "Categorical"),
        ((1,), (1,), "Binary"),
        ((), (1,), "Binary"),
    ],
)
def test_accuracy_goes_by_the_shapes(targets, outputs, kind):
    metric = metrics_of(["accuracy"], targets, outputs)["accuracy"]
    assert type(metric).__name__ == f"{kind}Accuracy"
    assert loss_of("crossentropy", targets, outputs).built


def test_metrics_have_the_names_that_keras_gives_them():
    def off_by(y_true, y_pred):
        return keras.ops.abs(y_true - y_pred)

    choices = ["mse", off_by, keras.metrics.MeanAbsoluteError(name="distance")]
    metrics = metrics_of(choices)
    assert list(metrics) == ["mse", "off_by", "distance"]
    metrics["off_by"].update_state(tf.constant([[1.0], [2.0]]), tf.constant([[2.0], [4.0]]))
    assert float(metrics["off_by"].result()) == 1.5
    assert metrics_of(None) == {}
    assert list(metrics_of({"output": ["mae"]})) == ["mae"]
    assert list(metrics_of([["mae"]])) == ["mae"]
    assert list(metrics_of("mae")) == ["mae"]
    unnamed = [lambda y_true, y_pred: y_pred, lambda y_true, y_pred: y_true]
    assert list(metrics_of(unnamed)) == ["lambda", "lambda_1"]


def test_a_function_as_loss_does_not_spread_flat_targets_over_a_column():
    loss = loss_of(lambda y_true, y_pred: (y_true - y_pred) ** 2, targets=())
    y_true, y_pred = np.array([1.0, 2.0], "float32"), np.array([[1.0], [4.0]], "float32")
    assert float(loss(y_true, y_pred)) == 2.0
    assert float(loss(y_true, y_pred, sample_weight=np.array([1.0, 0.5]))) == 1.0


@pytest.mark.parametrize(
    "loss", [["mse"], {"any": ["mse"]}, {"class_name": "MeanSquaredError", "config": {}}]
)
def test_the_loss_of_one_output_may_stand_in_a_nest(loss):
    assert float(loss_of(loss)(np.array([[1.0]]), np.array([[3.0]]))) == 4.0


def test_what_keras_does_not_know_is_told():
    for loss in ("no_such_loss", {"other": "mse"}, ["mse", "mae", "mse"]):
        with pytest.raises(ConfigurationError, match=r"loss=.*: Keras says"):
            output_losses(loss, None, ["a", "b"], ([*shapes((1,), (1,))[:2]],) * 2 + (None,), print)
    with pytest.raises(ConfigurationError, match="no_such_metric"):
        metrics_of(["no_such_metric"])
    with pytest.raises(ConfigurationError, match="no targets"):
        output_metrics(["mae"], None, None, (None, *shapes((1,), (1,))[1:]))
