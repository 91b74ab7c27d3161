"""docs/from_keras.md: every argument of compile, run row by row."""

import keras
import pytest
from helpers.beside_fit import (
    FIT,
    assert_alike,
    assert_complete,
    assert_same_weights,
    batches,
    compiled,
    model,
    train,
)
from helpers.boring import fitted
from helpers.variants import slow_but

from lightning_tf.callbacks import LambdaCallback
from lightning_tf.tasks import KerasTask


def optimizers(tmp_path):
    for optimizer in ("adam", {"class_name": "SGD", "config": {"learning_rate": 0.1}}):
        net, by_fit = model(), model(optimizer)
        task = KerasTask(net, optimizer=optimizer, data=batches())
        fitted(task, max_epochs=2)
        by_fit.fit(batches(), epochs=2, **FIT)
        assert_same_weights(net, by_fit)


def losses(tmp_path):
    compiled(loss={"a": "mse", "b": lambda y, p: keras.ops.abs(y - p)})


def loss_weights(tmp_path):
    loss, weights = {"a": "mse", "b": "mae"}, {"a": 0.3, "b": 2.0}
    assert "a_loss" in compiled(loss=loss, loss_weights=weights)


def metrics(tmp_path):
    assert "b_mae" in compiled(metrics={"a": ["mse"], "b": ["mae", "mse"]})


def weighted_metrics(tmp_path):
    compiled(metrics={"a": ["mae"]}, weighted_metrics={"a": ["mae"], "b": ["mse"]})


def scaled_loss(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    net = model()
    keras.config.set_dtype_policy(before)
    assert isinstance(net.optimizer, keras.optimizers.LossScaleOptimizer)
    _, trainer = train(net, precision="mixed_float16")
    assert "skipped_updates" in trainer.callback_metrics


def steps_per_execution(tmp_path):
    ends = []
    look = LambdaCallback(
        on_train_window_end=lambda trainer, task: ends.append(trainer.global_step)
    )
    train(model(steps_per_execution=3), [look], max_epochs=1, log_every_n_steps=100)
    assert ends[-1] == 4
    watched = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    _, trainer = train(model(steps_per_execution=3), [watched], max_epochs=1)
    assert trainer.hooks.watches_batches("train")


def jit_compile(tmp_path):
    expected, _ = train(model())
    assert_alike(train(model(), jit_compile=True)[0], expected)


def run_eagerly(tmp_path):
    values, _ = train(model(run_eagerly=True))  # what it says: tests/tasks/keras_task
    assert_alike(values, train(model())[0])


ROWS = {
    "compile": {
        "optimizer": optimizers,
        "loss": losses,
        "loss_weights": loss_weights,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
        "run_eagerly": run_eagerly,
        "steps_per_execution": steps_per_execution,
        "jit_compile": jit_compile,
        "auto_scale_loss": scaled_loss,
    },
}


def test_the_table_has_every_argument():
    assert_complete(ROWS)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", slow_but(ROWS["compile"], "optimizer", "loss_weights"))
def test_a_row_says_what_happens(name, tmp_path):
    ROWS["compile"][name](tmp_path)
