"""Regression and TabularClassification: tables are learnt, drawn, carried on and exported."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, quiet
from helpers.replicated import assert_equal_on_replicas
from helpers.resumable import assert_resume_is_exact

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import Regression, TabularClassification
from lightning_tf.tasks.tabular.decision_boundary import boundary_figure


def houses(count=300, seed=0):
    """The price is 10 a room and 100 more in Rom; every third is sold."""
    random = np.random.default_rng(seed)
    rooms = random.integers(1, 9, count)
    town = random.choice(["Rom", "Ulm"], count)
    price = 10.0 * rooms + 100.0 * (town == "Rom") + random.normal(size=count)
    sold = np.where(price > 90, "yes", "no")
    return pd.DataFrame({"rooms": rooms, "town": town, "price": price, "sold": sold})


PRICE = {"target": "price", "data_options": {"features": ["rooms", "town"]}}
SOLD = {"target": "sold", "data_options": {"features": ["rooms", "town"]}}


def regression(data=None, **options):
    defaults = {**PRICE, "units": (16,), "learning_rate": 0.02}
    return Regression(houses() if data is None else data, **{**defaults, **options})


def classification(data=None, **options):
    defaults = {**SOLD, "units": (16,), "learning_rate": 0.02}
    return TabularClassification(houses() if data is None else data, **{**defaults, **options})


def regression_model(**options):
    task = regression(**options)
    fitted(task, max_steps=1, limit_val_batches=0)
    return task.model


# ---- they learn


def test_numbers_and_categories_make_a_price(tmp_path):
    houses().to_csv(tmp_path / "houses.csv", index=False)
    task = regression(tmp_path / "houses.csv")
    metrics = fitted(task, max_epochs=25, seed=0).test(task)
    assert metrics["test_mae"] < 2.5
    assert metrics["test_r2"] > 0.99
    asked = pd.DataFrame({"town": ["Rom", "Ulm"], "rooms": [3, 3]})
    np.testing.assert_allclose(task.predict_table(asked).ravel(), [130, 30], atol=4)
    assert task.hparams["data"] == str(tmp_path / "houses.csv")


def test_metrics_are_those_of_scikit_learn():
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    y = np.stack([1000.0 + x[:, 0], x[:, 1] - x[:, 2]], axis=1)
    task = Regression((x, y), units=(8,))
    metrics = fitted(task, max_epochs=2, seed=0).test(task)
    test = task.data.splits["test"].indices
    predicted = task.predict_table(x[test])
    assert metrics["test_mae"] == pytest.approx(mean_absolute_error(y[test], predicted), rel=1e-3)
    expected = root_mean_squared_error(y[test].ravel(), predicted.ravel())
    assert metrics["test_rmse"] == pytest.approx(expected, rel=1e-3)
    assert metrics["test_r2"] == pytest.approx(r2_score(y[test], predicted), abs=1e-3)


@pytest.mark.parametrize(
    "data",
    ["xor", *(pytest.param(n, marks=pytest.mark.slow) for n in ("and", "or", "circles"))],
)
def test_the_playgrounds_of_the_plane_are_solved(data):
    task = TabularClassification(
        data, units=(16,), learning_rate=0.03, data_options={"examples": 400}
    )
    assert fitted(task, max_epochs=20, seed=0).test(task)["test_accuracy"] >= 0.97


@pytest.mark.slow
def test_the_spirals_are_unwound():
    task = TabularClassification("spirals", learning_rate=0.01)
    assert fitted(task, max_epochs=60, seed=0).test(task)["test_accuracy"] >= 0.98


@pytest.mark.slow
def test_make_regression_is_learnt_to_its_noise():
    task = Regression("make_regression", units=(16,), learning_rate=0.01)
    assert fitted(task, max_epochs=40, seed=0).test(task)["test_mae"] <= 10.0


@pytest.mark.slow
def test_one_layer_cannot_solve_xor():
    task = TabularClassification("xor", units=(), learning_rate=0.03)
    assert fitted(task, max_epochs=5, seed=0).test(task)["test_accuracy"] < 0.8


def test_classes_by_name_are_learnt():
    task = classification()
    assert fitted(task, max_epochs=20, seed=0).test(task)["test_accuracy"] >= 0.9
    assert task.class_names == ["no", "yes"]
    predictions = task.predict_table({"rooms": [8, 1], "town": ["Rom", "Ulm"]})
    assert predictions.argmax(axis=1).tolist() == [1, 0]


# ---- what goes in and comes out


def test_scales_and_categories_are_of_the_training_part_alone():
    train = pd.DataFrame({"a": [1.0, 3.0] * 5, "b": ["x", "y"] * 5, "y": [0.0, 4.0] * 5})
    other = pd.DataFrame({"a": [99.0], "b": ["z"], "y": [99.0]})
    task = Regression(train, "y", data_options={"val": other, "test": other})
    trainer = fitted(task, max_steps=1)
    assert task.columns.categories == {"b": ["x", "y"]}
    assert [float(task.scaler.center[0, 0]), float(task.scaler.scale[0, 0])] == [2.0, 1.0]
    assert [float(task.target_scaler.center[0, 0]), float(task.target_scaler.scale[0, 0])] == [2, 2]
    inputs, y = next(iter(task.data.test_dataset()))
    assert (inputs["categories"].numpy().tolist(), y.numpy().tolist()) == ([[0]], [[99.0]])
    assert np.isfinite(trainer.test(task)["test_loss"])


@pytest.mark.parametrize("make", [pytest.param(regression, marks=pytest.mark.slow), classification])
def test_an_exported_model_takes_rows_as_they_stand_in_the_table(tmp_path, make):
    task = make()
    fitted(task, max_epochs=1, seed=0)
    task.export(tmp_path / "model")
    table = pd.DataFrame({"rooms": [2, 5, 7], "town": ["Rom", "Ulm", "Bonn"]})
    exported = tf.saved_model.load(tmp_path / "model")
    predictions = exported.serve(
        tf.constant(table[["rooms"]].to_numpy("float32")),
        tf.constant(table[["town"]].to_numpy(str)),
    )
    np.testing.assert_allclose(predictions, task.predict_table(table), rtol=1e-5)


@pytest.mark.parametrize("make", [pytest.param(regression, marks=pytest.mark.slow), classification])
def test_a_checkpoint_answers_without_data(tmp_path, make):
    task = make()
    fitted(task, max_epochs=1, seed=0).save_checkpoint(tmp_path / "c", weights_only=True)
    again = type(task).from_checkpoint(tmp_path / "c", data=None)
    asked = {"rooms": [2, 5], "town": ["Rom", "Ulm"]}
    np.testing.assert_array_equal(again.predict_table(asked), task.predict_table(asked))


@pytest.mark.slow
def test_numbers_far_from_zero_are_learnt_like_those_around_it(tmp_path):
    near, far = pd.DataFrame({"x": np.arange(200.0) % 17}), 1.7e9
    near["y"] = 20.0 * near.x
    moved = Regression(near + far, "y", units=(8,))
    task = Regression(near, "y", units=(8,))
    metrics = [fitted(t, max_epochs=2, seed=0).test(t) for t in (task, moved)]
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-5)
    predicted = moved.predict_table(near + far)
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted - far, task.predict_table(near), atol=1e-3)

    moved.export(tmp_path / "model")
    exported = tf.saved_model.load(tmp_path / "model")
    numbers = tf.constant(near[["x"]].to_numpy() + far)  # float64
    rows = exported.serve(numbers, tf.zeros((len(near), 0), tf.string))
    np.testing.assert_allclose(rows, predicted, rtol=0, atol=1e-4)


def test_values_that_are_equal_after_scaling_are_told(caplog):
    x = np.concatenate([np.arange(100) * 1e-12, [1e6] * 40])
    fitted(Regression({"x": x, "y": np.arange(140.0)}, "y"), max_steps=1, limit_val_batches=0)
    assert "of its different values are equal in float32 after scaling" in caplog.text


def test_a_missing_number_becomes_what_training_said_in_questions_and_files(tmp_path):
    table = houses().astype({"rooms": float})
    table.loc[::5, "rooms"] = np.nan
    task = regression(table, data_options={**PRICE["data_options"], "missing": 4})
    fitted(task, max_epochs=1, seed=0)
    asked = {"rooms": [np.nan, 4.0], "town": ["Rom", "Rom"]}
    first, second = task.predict_table(asked)
    assert first == second
    task.export(tmp_path / "model")
    exported = tf.saved_model.load(tmp_path / "model")
    rows = exported.serve(tf.constant([[np.nan], [4.0]], tf.float32), tf.constant([["Rom"]] * 2))
    np.testing.assert_allclose(rows, [first, second], rtol=1e-6)


def test_an_array_has_its_columns_in_the_order_of_the_training_array():
    x = np.stack([np.arange(90) % 3, np.arange(90.0)], axis=1)
    task = Regression((x, x[:, 0]), units=(4,), data_options={"categorical": ["x_0"]})
    fitted(task, max_steps=1, limit_val_batches=0)
    assert task.columns.names == ["x_1", "x_0"]
    named = {"x_0": x[:, 0], "x_1": x[:, 1]}
    np.testing.assert_array_equal(task.predict_table(x), task.predict_table(named))


def test_columns_of_many_categories_get_an_embedding():
    task = regression(embed_above=1)
    assert fitted(task, max_epochs=25, seed=0).test(task)["test_r2"] > 0.95
    assert [layer.output.shape[-1] for layer in task.model.layers if "embed" in layer.name] == [3]
    assert not [layer for layer in regression_model(embed_above=2).layers if "embed" in layer.name]


# ---- with the rest of the house


@pytest.mark.parametrize("make", [regression, pytest.param(classification, marks=pytest.mark.slow)])
def test_training_goes_on_exactly_where_a_checkpoint_stopped(tmp_path, make):
    options = {"dropout": 0.3, "batch_norm": True, "schedule": "constant"}
    assert_resume_is_exact(tmp_path, lambda: make(**options), list, stop=4, end=14)


@pytest.mark.distributed
@pytest.mark.parametrize("make", [regression, pytest.param(classification, marks=pytest.mark.slow)])
def test_two_devices_learn_what_one_learns(make):
    assert_equal_on_replicas(lambda: make(batch_size=7, optimizer="sgd"), tolerance=1e-4)


@pytest.mark.parametrize(
    "precision", [pytest.param("bf16-mixed", marks=pytest.mark.slow), "16-mixed"]
)
def test_mixed_precision_predicts_in_float32(precision):
    task = regression()
    assert fitted(task, max_epochs=15, precision=precision, seed=0).test(task)["test_r2"] > 0.97
    assert task.predict_table(houses()).dtype == np.float32


def test_the_loggers_get_curves_beside_predictions():
    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=2, logger=rows, seed=0))
    trainer.fit(task := regression())
    trainer.test(task)
    figures = {name: figure for kind, name, _, figure in rows.sent if kind == "figure"}
    assert set(figures) == {"val/regression", "test/regression"}
    curves, points = figures["test/regression"].axes
    assert [len(line.get_xdata()) for line in curves.lines] == [2, 2]
    assert len(points.collections[0].get_offsets()) == 30


@pytest.mark.slow
def test_a_resumed_run_draws_its_curves_whole(tmp_path):
    rows = Rows()
    fitted(regression(), max_epochs=2, seed=0).save_checkpoint(tmp_path / "c")
    trainer = Trainer(**quiet(max_epochs=3, logger=rows, seed=0))
    trainer.fit(regression(), ckpt_path=tmp_path / "c")
    (figure,) = (figure for kind, _, _, figure in rows.sent if kind == "figure")
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]


@pytest.mark.slow
def test_the_plane_is_drawn_where_there_is_one():
    def drawn(task):
        rows = Rows()
        Trainer(**quiet(max_epochs=1, logger=rows, seed=0)).fit(task)
        return {name for kind, name, *_ in rows.sent if kind == "figure"}

    assert drawn(TabularClassification("xor")) == {"val/decision_boundary", "val/confusion_matrix"}
    assert drawn(TabularClassification("wine")) == {"val/confusion_matrix"}


# ---- options and bad input


@pytest.mark.slow
@pytest.mark.parametrize(
    "option",
    [
        {"units": (8, 8)},
        {"activation": "tanh"},
        {"initializer": "normal"},
        {"batch_norm": True},
        {"dropout": 0.5},
        {"scaler": "minmax"},
        {"loss": "mae"},
        {"optimizer": "momentum"},
        {"learning_rate": 1e-4},
        {"weight_decay": 0.5},
    ],
    ids=lambda option: next(iter(option)),
)
def test_every_option_changes_what_is_learnt(option):
    results = []
    for options in ({}, option):
        task = regression(**options)
        fitted(task, max_steps=5, seed=0, limit_val_batches=0)
        results.append(task.predict_table(houses()[:5]))
    assert not np.array_equal(*results)


def test_hyperparameters_are_plain_and_make_the_same_task_again():
    for task in (Regression("diabetes", units=[8]), TabularClassification("xor", units=[8])):
        again = type(task)(**json.loads(json.dumps(task.hparams)))
        assert again.hparams == task.hparams


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Regression, {"data": "diabetis"}, "Did you mean 'diabetes'"),
        (TabularClassification, {"data": "spiral"}, "Did you mean 'spirals'"),
        (Regression, {"units": (0,)}, "units is 0"),
        (Regression, {"scaler": "standart"}, "Did you mean 'standard'"),
        (Regression, {"activation": "rleu"}, "Did you mean 'relu'"),
        (Regression, {"loss": "maee"}, "Did you mean 'mae'"),
        (Regression, {"data_options": {"examples": 3}}, "examples=3 has no meaning"),
        (Regression, {"data_options": {"missing": "drops"}}, "Did you mean 'drop'"),
        (TabularClassification, {"label_smoothing": 1.0}, "label_smoothing is 1.0"),
    ],
    ids=[
        *("name", "playground", "units", "scaler", "activation", "loss", "option", "missing"),
        "smoothing",
    ],
)
def test_what_cannot_be_is_refused_when_it_is_named(make, options, message):
    with pytest.raises(ConfigurationError, match=message):
        make(**options)


def spoilt(**cells):
    table = houses(40).astype({"price": object, "rooms": object, "town": object})
    for column, value in cells.items():
        table.loc[5, column] = value
    return table


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (houses(40), {"target": "prise"}, "Did you mean 'price'"),
        (spoilt(price=np.nan), {}, "price of row 5 is nan"),
        (spoilt(price="much"), {}, "price of row 5 is 'much'"),
        (spoilt(town=None), {}, "town of row 5 is missing"),
        (houses(40).assign(rooms=np.inf), {}, "rooms of row 0 is inf"),
        ((np.ones((4, 2)), np.ones(3)), {"target": None}, r"x of shape \(4, 2\)"),
    ],
    ids=["column", "missing", "word", "category", "infinite", "shapes"],
)
def test_bad_tables_are_told_before_training(data, options, message):
    with pytest.raises(DataError, match=message):
        fitted(regression(data, **options), max_epochs=1)


def test_a_table_without_a_target_is_told():
    with pytest.raises(ConfigurationError, match="Name it with target="):
        fitted(Regression(houses()), max_epochs=1)


def test_an_unknown_class_is_told_with_its_row():
    test = houses(10).assign(sold="maybe")
    options = {**SOLD["data_options"], "test": test}
    with pytest.raises(DataError, match="sold of row 0 is 'maybe', which is no class"):
        fitted(classification(data_options=options), max_epochs=1)


@pytest.mark.parametrize(
    ("missing", "rows"),
    [pytest.param("drop", 39, marks=pytest.mark.slow), (0, 40)],
    ids=["drop", "zero"],
)
def test_missing_numbers_are_dropped_or_filled_as_asked(missing, rows):
    table = houses(40).astype({"rooms": float})
    table.loc[5, "rooms"] = np.nan
    task = regression(table, data_options={**PRICE["data_options"], "missing": missing})
    fitted(task, max_epochs=1)
    assert sum(len(split.indices) for split in task.data.splits.values()) == rows


def test_three_classes_of_the_plane_are_drawn():
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    task = TabularClassification((x, np.arange(60) % 3), units=(4,))
    fitted(task, max_steps=1, limit_val_batches=0)
    axes = boundary_figure(task, x, np.arange(60) % 3).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1", "2"]
    assert axes.get_title().endswith("of 60 right")


def test_a_file_is_asked_as_the_file_was_that_taught(tmp_path):
    rows = "\n".join(f"{i % 9 or -999},5;1.{i:03d};{'?' if i == 3 else 'a'}" for i in range(90))
    (tmp_path / "t.csv").write_text(f"c;y;k\n{rows}")
    marks = {"sep": ";", "decimal": ",", "thousands": ".", "na_values": ["?", "-999,5"]}
    options = {**marks, "missing": "drop"}
    task = Regression(tmp_path / "t.csv", "y", units=(4,), data_options=options)
    fitted(task, max_steps=1, limit_val_batches=0)
    (tmp_path / "asked.csv").write_text("k;c\na;1.003,5\n")
    asked = task.predict_table(tmp_path / "asked.csv", sep=";")
    np.testing.assert_array_equal(asked, task.predict_table({"c": [1003.5], "k": ["a"]}))
    with pytest.raises(DataError, match="k of row 0 is missing"):
        task.predict_table({"c": [1.5], "k": ["?"]})
    with pytest.raises(ConfigurationError, match="batch_size is given twice"):
        Regression({"x": [1.0], "y": [1.0]}, "y", batch_size=2, data_options={"batch_size": 3})


def test_rows_that_an_entry_point_is_given_are_read_as_those_of_training(tmp_path):
    table = houses().assign(price=lambda frame: 1e9 + frame.price)
    task, trainer = Regression(table, "price", units=(8,)), Trainer(**quiet(max_epochs=2, seed=0))
    trainer.fit(task)
    some = table.sample(frac=0.5, random_state=0)
    some.to_csv(tmp_path / "some.csv", index=False)
    values = trainer.test(task, some)
    assert values["test_rmse"] < 1e6
    assert trainer.test(task, tmp_path / "some.csv") == pytest.approx(values)
    pair = some.drop(columns="price"), some.price
    assert trainer.test(task, pair) == pytest.approx(values)
    predicted = np.concatenate(trainer.predict(task, pair[0], collect=True))
    np.testing.assert_array_equal(predicted, task.predict_table(some))
    with pytest.raises(DataError, match="no column 'price'; name one with target="):
        trainer.test(task, pair[0])
    assert trainer.validate(task)["val_rmse"] != values["test_rmse"]  # its own data again
    with pytest.raises(ConfigurationError, match="there is no model yet"):
        Trainer(**quiet()).test(Regression(table, "price"), some)


def test_classes_of_rows_that_are_given_are_those_of_training():
    table = pd.DataFrame({"a": np.arange(40.0), "y": np.arange(40) > 19})
    task, trainer = TabularClassification(table, "y", units=(4,)), Trainer(**quiet(max_epochs=1))
    trainer.fit(task)
    as_text = table.assign(y=table.y.map({True: "true", False: "FALSE"}))
    assert trainer.test(task, as_text) == pytest.approx(trainer.test(task, table))
    with pytest.raises(DataError, match="y of row 0 is 'perhaps', which is no class"):
        trainer.test(task, table.assign(y="perhaps"))
