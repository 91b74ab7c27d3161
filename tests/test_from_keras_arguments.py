"""docs/from_keras.md: every argument of fit, evaluate and predict, run row by row."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.beside_fit import (
    FIT,
    W,
    X,
    Y,
    alike_with,
    assert_alike,
    assert_complete,
    batches,
    compiled,
    fit,
    model,
    shown,
    table_rows,
    task_of,
    train,
)
from helpers.boring import fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, UnknownArgumentError
from lightning_tf.tasks import KerasTask


def forms(tmp_path):
    def net():
        keras.utils.set_random_seed(1)
        inputs = [keras.Input((4,), name="p"), keras.Input((4,), name="q")]
        both = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.concatenate(inputs)))
        both.compile("sgd", "mse")
        return both

    expected = net().fit([X, 2.0 * X], Y, batch_size=12, **FIT).history["loss"]
    listed = [((X[i : i + 12], 2.0 * X[i : i + 12]), Y[i : i + 12]) for i in range(0, 48, 12)]
    in_turn = {"batch_size": 12, "shuffle": False}
    for data, options in (
        (([X, 2.0 * X], Y), in_turn),
        (({"q": 2.0 * X, "p": X, "more": X}, Y), in_turn),
        (tf.data.Dataset.from_tensor_slices(((X, 2.0 * X), Y)).batch(12), {}),
        (listed, {"shuffle": False}),
        (lambda: iter(listed), {}),
    ):
        history = keras.callbacks.History()
        fitted(KerasTask(net(), data=data, **options), max_epochs=1, callbacks=[history])
        assert history.history["loss"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ConfigurationError, match="can be read only once"):
        KerasTask(net(), data=iter(listed))


def targets(tmp_path):
    compiled()


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


def epochs(tmp_path):
    values, expected, _ = alike_with(lambda: "sgd", max_epochs=2)
    assert_alike(values, expected)
    assert train(model(), max_epochs=None, max_steps=3)[1].global_step == 3


def verbose(tmp_path):
    for on in (False, True):
        trainer = Trainer(**{**quiet(), "enable_progress_bar": on, "enable_model_summary": on})
        trainer.add_default_callbacks(task_of(model()))
        kinds = {type(callback).__name__ for callback in trainer.callbacks}
        assert ({"ProgressBar", "ModelSummary"} <= kinds) == on


def callbacks(tmp_path):
    def make():
        return [keras.callbacks.EarlyStopping("val_loss", min_delta=9.0, patience=1)]

    assert_alike(train(model(), make(), max_epochs=9)[0], fit(model(), make(), epochs=9))


def validation_split(tmp_path):
    options = {"validation_split": 0.25, "batch_size": 12, "shuffle": False}
    expected = model().fit(X, Y, epochs=2, verbose=0, **options)
    history = keras.callbacks.History()
    fitted(KerasTask(model(), data=(X, Y), **options), max_epochs=2, callbacks=[history])
    assert_alike(history.history, expected.history)
    drawn(tmp_path)


def drawn(tmp_path):
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


def validation_data(tmp_path):
    for held_out in ((X[:20], Y[:20], W[:20]), batches(24)):
        expected = model().fit(X, Y, batch_size=12, validation_data=held_out, **FIT)
        history = keras.callbacks.History()
        task = KerasTask(
            model(), data=(X, Y), validation_data=held_out, batch_size=12, shuffle=False
        )
        fitted(task, max_epochs=1, callbacks=[history])
        assert_alike(history.history, expected.history)


def class_weight(tmp_path):
    by_class = {0: 1.0, 1: 3.0}
    expected = model().fit(X, Y, batch_size=12, class_weight=by_class, **FIT).history["loss"]
    task = KerasTask(model(), data=(X, Y), batch_size=12, shuffle=False, class_weight=by_class)
    assert fitted(task, max_epochs=1).callback_metrics["loss"] == pytest.approx(expected[0])


def sample_weight(tmp_path):
    expected = model().fit(X, Y, sample_weight=W, batch_size=12, **FIT).history["loss"]
    task = KerasTask(model(), data=(X, Y, W), batch_size=12, shuffle=False)
    assert fitted(task, max_epochs=1).callback_metrics["loss"] == pytest.approx(expected[0])
    compiled()  # by output


def initial_epoch(tmp_path):
    expected = model().fit(batches(), initial_epoch=2, epochs=4, **FIT)
    history = keras.callbacks.History()
    fitted(KerasTask(model(), data=batches(), initial_epoch=2), max_epochs=4, callbacks=[history])
    assert history.epoch == expected.epoch == [2, 3]
    assert_alike(history.history, expected.history)
    resumed(tmp_path)


def resumed(tmp_path):
    whole, _ = train(model("adam"), max_epochs=3)
    first = Trainer(max_epochs=2, default_root_dir=tmp_path, **shown(enable_checkpointing=True))
    first.fit(task_of(model("adam")))
    net, history = model("adam"), keras.callbacks.History()
    second = Trainer(
        max_epochs=3,
        callbacks=[history],
        default_root_dir=tmp_path,
        **shown(enable_checkpointing=True),
    )
    second.fit(task_of(net), ckpt_path="last")
    assert history.history["loss"] == whole["loss"][2:]


def steps_per_epoch(tmp_path):
    for data in (batches(), batches().repeat()):
        expected = model().fit(data, epochs=3, steps_per_epoch=3, **FIT)
        history = keras.callbacks.History()
        task = KerasTask(model(), data=data, steps_per_epoch=3)
        fitted(task, max_epochs=3, callbacks=[history])
        assert_alike(history.history, expected.history)

    anew, _ = train(model(), limit_train_batches=3)  # both epochs see the first three batches
    first = model()
    first.fit(batches().take(3), epochs=2, **FIT)
    assert anew["loss"] == pytest.approx(first.history.history["loss"], rel=1e-4)


def validation_steps(tmp_path):
    expected = model().fit(batches(), validation_data=batches(), validation_steps=2, **FIT)
    task = KerasTask(model(), data=batches(), validation_data=batches())
    values = fitted(task, max_epochs=1, limit_val_batches=2).callback_metrics
    assert values["val_loss"] == pytest.approx(expected.history["val_loss"][0], rel=1e-5)


def validation_batch_size(tmp_path):
    options = {"batch_size": 12, "validation_batch_size": 20}
    task = KerasTask(model(), data=(X, Y), validation_data=(X, Y), **options)
    assert [len(x) for x, _ in task.data.val_dataset()] == [20, 20, 8]
    assert len(task.data.train_dataset(0)) == 4


def validation_freq(tmp_path):
    values, _ = train(model(), max_epochs=4, check_val_every_n_epoch=2)
    seen = []
    keep = keras.callbacks.LambdaCallback()
    keep.on_test_end = lambda logs: seen.append(logs["loss"])
    train(model(), [keep], max_epochs=1, val_check_interval=0.5)
    assert len(seen) == 2
    for freq in (2, [1, 4]):
        expected = model().fit(
            batches(), epochs=4, validation_data=batches(), validation_freq=freq, **FIT
        )
        values, _ = train(model(), max_epochs=4, check_val_every_n_epoch=freq)
        assert len(values["val_loss"]) == len(expected.history["val_loss"]) == 2


def tested(tmp_path):
    net = model()
    whole = net.evaluate(X, Y, verbose=0)
    validated = Trainer(**quiet()).validate(KerasTask(net, validation_data=(X, Y)))
    np.testing.assert_allclose(list(validated.values()), whole, rtol=1e-5)
    expected = net.evaluate(X, Y, sample_weight=W, steps=2, batch_size=12, verbose=0)
    seen = []
    looks = keras.callbacks.LambdaCallback()
    looks.on_test_end = lambda logs: seen.append(logs["loss"])
    trainer = Trainer(**quiet(limit_test_batches=2, callbacks=[looks]))
    values = trainer.test(KerasTask(net, test_data=(X, Y, W), batch_size=12))
    assert list(values) == ["test_loss", "test_mae"]
    np.testing.assert_allclose(list(values.values()), expected, rtol=1e-5)
    assert seen == [values["test_loss"]]


def predicted(tmp_path):
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])  # not compiled
    seen = []
    looks = keras.callbacks.LambdaCallback()
    looks.on_predict_batch_end = lambda batch, logs: seen.append(len(logs["outputs"]))
    trainer = Trainer(**quiet(limit_predict_batches=2, callbacks=[looks]))
    outputs = trainer.predict(KerasTask(net, test_data=X, batch_size=20), collect=True)
    expected = net.predict(X, batch_size=20, steps=2, verbose=0)
    np.testing.assert_allclose(np.concatenate(outputs), expected, rtol=1e-5, atol=1e-7)
    assert seen == [20, 20]


ROWS = {
    "fit": {
        "x": forms,
        "y": targets,
        "batch_size": batch_size,
        "epochs": epochs,
        "verbose": verbose,
        "callbacks": callbacks,
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": batch_size,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
    },
    "evaluate": {
        **dict.fromkeys(("x", "y", "batch_size"), tested),
        "verbose": verbose,
        **dict.fromkeys(("sample_weight", "steps", "callbacks", "return_dict"), tested),
    },
    "predict": {
        **dict.fromkeys(("x", "batch_size"), predicted),
        "verbose": verbose,
        **dict.fromkeys(("steps", "callbacks"), predicted),
    },
}
# Each check once, however many rows it is of.
CHECKS = list(dict.fromkeys(check for rows in ROWS.values() for check in rows.values()))
# Nothing shows these more closely.
QUICK = {validation_batch_size, validation_steps, callbacks, predicted}


def test_the_table_has_every_argument():
    assert_complete(ROWS)


OF_THE_TRAINER_TOO = ("callbacks", "jit_compile", "run_eagerly")


@pytest.mark.parametrize("row", table_rows("compile", *ROWS), ids=lambda row: row[0])
def test_same_is_an_argument_of_keras_task_and_the_others_say_what_to_write(row):
    name = row[0].partition("(")[2].removesuffix(")`")
    if name in ("x", "y", "sample_weight") or name in inspect.signature(KerasTask).parameters:
        assert row[1] in ("same", "other")
        return
    assert row[1] in ("other", "none")
    with pytest.raises(UnknownArgumentError, match="Instead: "):
        KerasTask(model(), data=batches(), **{name: 1})
    with pytest.raises((UnknownArgumentError, ConfigurationError)):
        Trainer(**{name: 7 if name in OF_THE_TRAINER_TOO else 1})


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize(
    "check", slow_but(CHECKS, *QUICK), ids=[check.__name__ for check in CHECKS]
)
def test_a_row_says_what_happens(check, tmp_path):
    check(tmp_path)
