"""docs/from_keras.md, row by row: what a Trainer does where fit does something."""

import os

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.paths import ROOT
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.callbacks import LambdaCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
FIT = {"verbose": 0, "shuffle": False}


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


def model(optimizer="sgd", *layers, **compiled):
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), *layers])
    net.compile(optimizer, "mse", metrics=["mae"], **compiled)
    return net


def batches(size=12):
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(size)


def task_of(net, **data):
    return KerasTask(net, data=batches(), validation_data=batches(24), **data)


def fit(net, callbacks=(), epochs=2, data=None):
    validation = {"validation_data": batches(24)}
    history = net.fit(data or batches(), epochs=epochs, callbacks=[*callbacks], **validation, **FIT)
    return history.history


def train(net, callbacks=(), **arguments):
    history = keras.callbacks.History()
    trainer = Trainer(
        **quiet(**{"max_epochs": 2, "accelerator": "cpu", **arguments}),
        callbacks=[*callbacks, history],
    )
    trainer.fit(task_of(net))
    return history.history, trainer


def assert_alike(values, expected):
    assert values.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-4, err_msg=name)


def assert_same_weights(one, other):
    for weight, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


def alike_with(make_optimizer, *layers, data=None, **arguments):
    """Train by fit and by the Trainer, and compare what both measure and leave."""
    by_fit = model(make_optimizer(), *[layer() for layer in layers])
    by_trainer = model(make_optimizer(), *[layer() for layer in layers])
    expected = fit(by_fit, data=data)
    values, trainer = train(by_trainer, **arguments)
    assert_same_weights(by_trainer, by_fit)
    return values, expected, trainer


def epochs(tmp_path):
    values, expected, _ = alike_with(lambda: "sgd", max_epochs=2)
    assert_alike(values, expected)
    assert train(model(), max_epochs=None, max_steps=3)[1].global_step == 3


def batch_size(tmp_path):
    runs = []
    for seed in (3, 3, 4):
        task = KerasTask(model(), data=(X, Y), batch_size=16)
        trainer = Trainer(**quiet(max_epochs=1, seed=seed))
        trainer.fit(task)
        assert trainer.global_step == 3
        runs.append(task.model.get_weights()[0])
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def validation(tmp_path):
    trainer = Trainer(**quiet(max_epochs=1, seed=0))
    task = KerasTask(model(), data=(X, Y), val_fraction=0.25)
    trainer.fit(task)
    assert "val_mae" in trainer.callback_metrics
    parts = [
        np.concatenate([x for x, _ in d.as_numpy_iterator()])
        for d in (task.data.train_dataset(0), task.data.val_dataset())
    ]
    assert [len(part) for part in parts] == [36, 12]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 48


def validation_freq(tmp_path):
    values, _ = train(model(), max_epochs=4, check_val_every_n_epoch=2)
    assert (len(values["loss"]), len(values["val_loss"])) == (4, 2)
    seen = []
    keep = keras.callbacks.LambdaCallback()
    keep.on_test_end = lambda logs: seen.append(logs["loss"])
    train(model(), [keep], max_epochs=1, val_check_interval=0.5)
    assert len(seen) == 2


def steps_per_epoch(tmp_path):
    counts = {"limit_train_batches": 3, "limit_val_batches": 1}
    net, by_fit = model(), model()
    history = keras.callbacks.History()
    repeated = KerasTask(net, data=batches().repeat(), validation_data=batches(24))
    Trainer(**quiet(max_epochs=2, callbacks=history, **counts)).fit(repeated)
    options = {"steps_per_epoch": 3, "validation_steps": 1, "validation_data": batches(24)}
    expected = by_fit.fit(batches().repeat(), epochs=2, **options, **FIT)
    assert_alike(history.history, expected.history)

    anew, _ = train(model(), **counts)  # finite data: both epochs see the first three batches
    first = model()
    first.fit(batches().take(3), epochs=2, **FIT)
    assert anew["loss"] == pytest.approx(first.history.history["loss"], rel=1e-4)


def weights(tmp_path):
    by_class = {0: 1.0, 1: 3.0}
    sample_weight = np.where(Y[:, 0] > 0, by_class[1], by_class[0])
    by_fit, net = model(), model()
    expected = by_fit.fit(X, Y[:, 0], batch_size=48, class_weight=by_class, **FIT).history
    task = KerasTask(net, data=(X, Y[:, 0], sample_weight), batch_size=48)
    values = fitted(task, max_epochs=1).callback_metrics
    assert values["loss"] == pytest.approx(expected["loss"][0], rel=1e-4)
    assert_same_weights(net, by_fit)


def callbacks(tmp_path):
    def make():
        return [keras.callbacks.EarlyStopping("val_loss", min_delta=9.0, patience=1)]

    assert_alike(train(model(), make(), max_epochs=9)[0], fit(model(), make(), epochs=9))


def resumed(tmp_path):
    whole, _ = train(model("adam"), max_epochs=3)
    first = Trainer(max_epochs=2, default_root_dir=tmp_path, **_shown(enable_checkpointing=True))
    first.fit(task_of(model("adam")))
    net, history = model("adam"), keras.callbacks.History()
    second = Trainer(
        max_epochs=3,
        callbacks=[history],
        default_root_dir=tmp_path,
        **_shown(enable_checkpointing=True),
    )
    second.fit(task_of(net), ckpt_path="last")
    assert history.history["loss"] == whole["loss"][2:]


def _shown(**arguments):
    off = quiet(**arguments)
    return {**off, "logger": True}


def verbose(tmp_path):
    for shown in (False, True):
        trainer = Trainer(
            **{**quiet(), "enable_progress_bar": shown, "enable_model_summary": shown}
        )
        trainer.add_default_callbacks(task_of(model()))
        kinds = {type(callback).__name__ for callback in trainer.callbacks}
        assert ({"ProgressBar", "ModelSummary"} <= kinds) == shown


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


def devices(tmp_path):
    assert_alike(train(model("adam"), devices=2)[0], train(model("adam"))[0])


def entry_points(tmp_path):
    net = model()
    task = task_of(net, test_data=batches())
    trainer = Trainer(**quiet())
    values = trainer.test(task)
    predicted = np.concatenate(trainer.predict(task, collect=True))
    validated = trainer.validate(task)
    expected = net.evaluate(batches(), return_dict=True, verbose=0)
    assert_alike(values, {f"test_{name}": value for name, value in expected.items()})
    assert_alike(validated, {f"val_{name}": value for name, value in expected.items()})
    np.testing.assert_allclose(predicted, net.predict(X, verbose=0), rtol=1e-4, atol=1e-6)


def history(tmp_path):
    expected = fit(model())
    trainer = Trainer(max_epochs=2, default_root_dir=tmp_path, **_shown())
    trainer.fit(task_of(model()))
    assert trainer.callback_metrics["val_mae"] == pytest.approx(expected["val_mae"][-1], rel=1e-4)
    table = pandas.read_csv(os.path.join(trainer.log_dir, "metrics.csv"))
    losses = table["train/loss_epoch"].dropna().tolist()
    assert losses == pytest.approx(expected["loss"], rel=1e-4)


ROWS = {
    "`epochs=5`": epochs,
    "`batch_size`, `shuffle`": batch_size,
    "`validation_data`, `validation_split`": validation,
    "`validation_freq`": validation_freq,
    "`steps_per_epoch=n`, `validation_steps=n`": steps_per_epoch,
    "`class_weight`, `sample_weight`": weights,
    "`callbacks`": callbacks,
    "`initial_epoch` and a weights file": resumed,
    "`verbose`": verbose,
    "`compile(steps_per_execution=n)`": steps_per_execution,
    "`compile(jit_compile=True)`": jit_compile,
    "`compile(run_eagerly=True)`": run_eagerly,
    "`keras.config.set_max_epochs`, `set_max_steps_per_epoch`": config_limits,
    "`clipnorm`, `clipvalue`, `global_clipnorm` of an optimizer": clipping,
    "`gradient_accumulation_steps` of an optimizer": accumulation,
    "`keras.mixed_precision`, LossScaleOptimizer": precision,
    "`use_ema=True` of an optimizer": averages,
    "an optimizer that overrides `apply_gradients`, `apply`, `update_step`, ...": own_optimizers,
    "metrics that a model or a layer has and updates itself": own_metrics,
    "`model.stop_training`, `stop_evaluating`, `stop_predicting` set by a callback": stops,
    "`logs` of `keras.callbacks`": logs,
    "`model.get_metrics_result()` in a callback": metrics_result,
    "`strategy.scope()` around everything": devices,
    "`evaluate`, `predict`": entry_points,
    "`history`": history,
}
# What other tests show too, more closely.
SLOW = {entry_points, averages, resumed, epochs, accumulation, devices, clipping, jit_compile}


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
