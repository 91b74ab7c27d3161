"""Every number of every epoch beside `Model.fit`, however metrics are given and validation runs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = (X @ RANDOM.normal(size=(4, 1)) > 0).astype("float32")
EPOCHS = 3

pytestmark = pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")


class Above(keras.metrics.Metric):
    """The share of predictions above a limit; has no get_config, and holds a metric."""

    def __init__(self, limit, name="above"):
        super().__init__(name=name)
        self.limit, self.mean = limit, keras.metrics.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.mean.update_state(keras.ops.cast(y_pred > self.limit, "float32"))

    def result(self):
        return self.mean.result()


def squared(factor):
    return keras.metrics.MeanMetricWrapper(lambda y, p: factor * (y - p) ** 2, name="squared")


METRICS = {
    "strings": lambda: {"metrics": ["accuracy", "mae"]},
    "objects": lambda: {
        "metrics": [keras.metrics.BinaryAccuracy(), keras.metrics.MeanAbsoluteError(name="mae")]
    },
    "mixed": lambda: {"metrics": [keras.metrics.MeanAbsoluteError(name="obj"), "mae"]},
    "built later": lambda: {"metrics": [keras.metrics.F1Score(threshold=0.5, name="f1")]},
    "own classes": lambda: {"metrics": [Above(0.3), Above(0.7, name="far_above"), squared(3.0)]},
    "one object twice": lambda: {"metrics": [keras.metrics.MeanAbsoluteError(name="shared")] * 2},
    "one name twice": lambda: {
        "metrics": [keras.metrics.Precision(0.3, name="p"), keras.metrics.Precision(0.6, name="p")],
        "weighted_metrics": [keras.metrics.Recall(0.3, name="p"), "mse"],
    },
    "weighted twice": lambda: {
        "weighted_metrics": [Above(0.2), Above(0.4), Above(0.6)],
    },
}


def data(scale):
    weights = np.linspace(0.5, 1.5, len(X)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((X * scale, Y, weights)).batch(8)


def compiled(metrics):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", **metrics)
    return model


def history_of_fit(metrics):
    model = compiled(metrics)
    fit = model.fit(data(1.0), validation_data=data(3.0), epochs=EPOCHS, verbose=0)
    return {name: np.ravel(values) for name, values in fit.history.items()}


def assert_equal_rows(expected, rows):
    for name, values in expected.items():
        stage, bare = ("val", name[4:]) if name.startswith("val_") else ("train", name)
        column = f"{stage}/{bare}" if stage == "val" else f"train/{name}_epoch"
        found = [value for _, value in rows.column(column)]
        # Of several validations in an epoch the last sees the epoch's weights.
        found = found[len(found) // EPOCHS - 1 :: len(found) // EPOCHS]
        np.testing.assert_allclose(found, values, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.parametrize(
    "kind", slow_but(METRICS, "strings", "built later", "own classes", "one name twice")
)
@pytest.mark.parametrize("sanity", [pytest.param(0, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("interval", [pytest.param(1.0, marks=pytest.mark.slow), 0.5])
@pytest.mark.parametrize("precompiled", [True, False], ids=["compiled", "given"])
def test_every_number_is_that_of_fit(kind, sanity, interval, precompiled):
    expected, rows = history_of_fit(METRICS[kind]()), Rows()
    metrics = METRICS[kind]()
    model = compiled(metrics if precompiled else {})
    task = KerasTask(
        model, data=data(1.0), validation_data=data(3.0), **({} if precompiled else metrics)
    )
    trainer = fitted(
        task,
        max_epochs=EPOCHS,
        num_sanity_val_steps=sanity,
        val_check_interval=interval,
        logger=rows,
        log_every_n_steps=3,
    )
    assert set(trainer.callback_metrics) == set(expected)
    assert_equal_rows(expected, rows)


@pytest.mark.parametrize("kind", slow_but(METRICS, "one object twice", "weighted twice"))
@pytest.mark.parametrize(
    "stop", [pytest.param(8, marks=pytest.mark.slow), 11], ids=["between epochs", "inside an epoch"]
)
def test_every_number_after_a_resume_is_that_of_fit(kind, stop, tmp_path):
    expected, rows = history_of_fit(METRICS[kind]()), Rows()

    def task():
        return KerasTask(compiled({}), data=data(1.0), validation_data=data(3.0), **METRICS[kind]())

    arguments = {"val_check_interval": 0.5, "log_every_n_steps": 3}
    fitted(task(), max_steps=stop, **arguments).save_checkpoint(tmp_path / "x")
    resumed = Trainer(**quiet(max_epochs=EPOCHS, logger=rows, **arguments))
    resumed.fit(task(), ckpt_path=tmp_path / "x")
    epochs = {name: values[1:] for name, values in expected.items()}
    for name in (name for name in epochs if not name.startswith("val_")):
        found = [value for _, value in rows.column(f"train/{name}_epoch")]
        np.testing.assert_allclose(found, epochs[name], atol=1e-6, rtol=0, err_msg=name)
    for name, value in resumed.callback_metrics.items():
        np.testing.assert_allclose(value, expected[name][-1], atol=1e-6, rtol=0, err_msg=name)


def test_objects_of_the_user_stay_as_they_were_and_serve_two_trainers():
    metric = keras.metrics.MeanAbsoluteError(name="mae")
    task = KerasTask(compiled({}), metrics=[metric], data=data(1.0), validation_data=data(3.0))
    trainer = fitted(task, max_steps=3, limit_val_batches=0)
    half = trainer.running_metrics()["mae"]
    Trainer(**quiet()).validate(task)
    assert trainer.running_metrics()["mae"] == half
    assert float(metric.result()) == 0.0
