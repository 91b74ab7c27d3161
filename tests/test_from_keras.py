"""docs/from_keras.md, row by row: what a Trainer does where fit does something.

The rows of every argument are in test_from_keras_compile.py and test_from_keras_arguments.py.
"""

import os

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from helpers.beside_fit import (
    alike_with,
    assert_alike,
    batches,
    fit,
    model,
    shown,
    task_of,
    train,
)
from helpers.boring import quiet
from helpers.paths import ROOT
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.callbacks import EMA
from lightning_tf.exceptions import ConfigurationError


class Squared(keras.optimizers.SGD):
    def apply_gradients(self, grads_and_vars, **options):
        return super().apply_gradients([(g * tf.abs(g), v) for g, v in grads_and_vars])


class Activity(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean(name="activity")

    def call(self, x):
        self.mean.update_state(x)
        return x


def config_limits(tmp_path):
    keras.config.set_max_epochs(1)
    try:
        with pytest.raises(ConfigurationError, match=r"Trainer\(max_epochs=1\)"):
            train(model())
    finally:
        keras.config.set_max_epochs(None)


def clipping(tmp_path):
    brought, _ = train(model(keras.optimizers.SGD(0.5, global_clipnorm=0.1)))
    assert_alike(train(model(keras.optimizers.SGD(0.5)), gradient_clip_val=0.1)[0], brought)
    assert_alike(brought, fit(model(keras.optimizers.SGD(0.5, global_clipnorm=0.1))))


def accumulation(tmp_path):
    values, _ = train(model(keras.optimizers.SGD(0.1)), accumulate_grad_batches=2)
    brought, trainer = train(model(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)))
    assert_alike(brought, values)
    assert trainer.global_step == 4
    by_fit = model(keras.optimizers.SGD(0.1))
    expected = fit(by_fit, data=batches(24))
    np.testing.assert_allclose(values["val_loss"], expected["val_loss"], rtol=1e-4)


def precision(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    net = model(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)))
    keras.config.set_dtype_policy(before)
    values, _ = train(net, precision="mixed_bfloat16")
    assert values["loss"][-1] < values["loss"][0]
    assert keras.config.dtype_policy() == before


def averages(tmp_path):
    values, expected, trainer = alike_with(
        lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    )
    assert_alike(values, expected)
    trainer.save_checkpoint(tmp_path / "end")
    final = trainer.task.model.get_weights()[0]
    whole, _ = train(model(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)), max_epochs=3)
    history = keras.callbacks.History()
    net = model(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    again = Trainer(**quiet(max_epochs=3, callbacks=[history]))
    again.fit(task_of(net), ckpt_path=tmp_path / "end")
    assert history.history["loss"] == whole["loss"][2:]
    assert (final != net.get_weights()[0]).any()


def own_optimizers(tmp_path):
    values, expected, _ = alike_with(lambda: Squared(0.1))
    assert_alike(values, expected)


def own_metrics(tmp_path):
    values, expected, _ = alike_with(lambda: "sgd", Activity)
    assert_alike(values, expected)
    assert "val_activity" in values


def stops(tmp_path):
    class Stops(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = True

    assert_alike(train(model(), [Stops()], max_epochs=9)[0], fit(model(), [Stops()], epochs=9))


def logs(tmp_path):
    def make(seen):
        class Looks(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen.append((logs["loss"], logs["mae"]))

        return [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch)), Looks()]

    expected, seen = [], []
    assert_alike(train(model(), make(seen))[0], fit(model(), make(expected)))
    np.testing.assert_allclose(seen, expected, rtol=1e-4)


def metrics_result(tmp_path):
    def make(seen):
        class Looks(keras.callbacks.Callback):
            def on_test_batch_end(self, batch, logs=None):
                seen.append([float(v) for v in self.model.get_metrics_result().values()])

        return [Looks()]

    expected, seen = [], []
    train(model(), make(seen))
    fit(model(), make(expected))
    np.testing.assert_allclose(seen, expected, rtol=1e-4)


def history(tmp_path):
    expected = fit(model())
    trainer = Trainer(max_epochs=2, default_root_dir=tmp_path, **shown())
    trainer.fit(task_of(model()))
    assert trainer.callback_metrics["val_mae"] == pytest.approx(expected["val_mae"][-1], rel=1e-4)
    table = pandas.read_csv(os.path.join(trainer.log_dir, "metrics.csv"))
    losses = table["train/loss_epoch"].dropna().tolist()
    assert losses == pytest.approx(expected["loss"], rel=1e-4)


class OwnLoss(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 3.0 * super().compute_loss(x, y, y_pred, sample_weight, training)


def own_methods(tmp_path):
    def net():
        keras.utils.set_random_seed(1)
        own = OwnLoss()
        own.compile("sgd", "mse", metrics=["mae"])
        return own

    assert_alike(train(net())[0], fit(net()))


def frozen(tmp_path):
    def net():
        still = model()
        still.trainable = False
        return still

    with pytest.warns(UserWarning, match="does not have any trainable"):
        expected = fit(net())
    assert_alike(train(net())[0], expected)


def scope(tmp_path):
    one, _ = train(model("adam"))
    assert_alike(train(model("adam"), devices=2)[0], one)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        history = keras.callbacks.History()
        Trainer(**quiet(max_epochs=2, callbacks=[history])).fit(task_of(model("adam")))
    assert_alike(history.history, one)


ROWS = {
    "`keras.config.set_max_epochs`, `set_max_steps_per_epoch`": config_limits,
    "`clipnorm`, `clipvalue`, `global_clipnorm` of an optimizer": clipping,
    "`gradient_accumulation_steps` of an optimizer": accumulation,
    "`keras.mixed_precision`, LossScaleOptimizer": precision,
    "`use_ema=True` of an optimizer": averages,
    "an optimizer that overrides `apply_gradients`, `apply`, `update_step`, ...": own_optimizers,
    "metrics that a model or a layer has and updates itself": own_metrics,
    "`compute_loss`, `compute_metrics` or `predict_step` of the model's own": own_methods,
    "a model without trainable weights": frozen,
    "`model.stop_training`, `stop_evaluating`, `stop_predicting` set by a callback": stops,
    "`logs` of `keras.callbacks`": logs,
    "`model.get_metrics_result()` in a callback": metrics_result,
    "`history`": history,
    "`strategy.scope()` around everything": scope,
}
# What other tests show too, more closely.
SLOW = {averages, accumulation, clipping, own_methods, frozen, scope}


def test_every_row_of_the_table_is_run():
    table = (ROOT / "docs/from_keras.md").read_text().split("| `model.fit` | here |")[1]
    rows = [line for line in table.split("\n\n")[0].splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(ROWS)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "row",
    slow_but(ROWS, *(row for row, check in ROWS.items() if check not in SLOW)),
    ids=[check.__name__ for check in ROWS.values()],
)
def test_a_row_says_what_happens(row, tmp_path):
    ROWS[row](tmp_path)


REFUSED = {
    "`BackupAndRestore`": lambda folder: keras.callbacks.BackupAndRestore(folder),
    "`TensorBoard`": lambda folder: keras.callbacks.TensorBoard(folder),
    "`SwapEMAWeights(swap_on_epoch=True)`": lambda folder: keras.callbacks.SwapEMAWeights(True),
}


def test_the_callbacks_that_are_refused_are_listed(tmp_path):
    table = (ROOT / "docs/from_keras.md").read_text().split("| refused callback |")[1]
    rows = [line for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(REFUSED)
    for make in REFUSED.values():
        with pytest.raises(ConfigurationError, match=r"cannot watch|swap_on_epoch"):
            Trainer(**quiet(callbacks=[make(tmp_path)]))
    Trainer(**quiet(callbacks=[EMA(), keras.callbacks.SwapEMAWeights()]))
