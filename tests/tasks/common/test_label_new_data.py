"""Every task labels new data, read as it has read its own, also from a checkpoint alone."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.rectangles import RectangleData, scenes
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from lightning_tf import Trainer
from lightning_tf.exceptions import CheckpointError, ConfigurationError, DataError
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    ObjectDetection,
    Regression,
    StyleTransfer,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
    TransferLearning,
)

FEW = {"max_epochs": 1, "limit_train_batches": 4, "seed": 0}


def evaluated(task, trainer):
    """Return inputs, labels and the accuracy of a task's test split."""
    batches = list(task.data.test_dataset().as_numpy_iterator())
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return x, y, trainer.test(task)["test_accuracy"]


def saved(trainer, folder):
    trainer.save_checkpoint(folder / "task.ckpt")
    return folder / "task.ckpt"


def same(one, other):
    pd.testing.assert_frame_equal(one.frame, other.frame)


# ---- images


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    task = ImageClassification("digits", "linear")
    trainer = fitted(task, **FEW)
    return task, trainer, saved(trainer, tmp_path_factory.mktemp("digits"))


def photos(folder, count=12, size=(14, 10)):
    """Make class folders of photos of several kinds, dark or bright; return the files."""
    random = np.random.default_rng(0)
    for index in range(count):
        bright = index % 2
        file = folder / ("train", "test")[index % 4 > 1] / ("dark", "bright, 猫")[bright]
        file.mkdir(parents=True, exist_ok=True)
        values = random.integers(120 * bright, 120 * bright + 130, (*size, 3)).astype("uint8")
        image = Image.fromarray(values).convert(("RGB", "L", "P")[index % 3])
        image.save(file / f"{index}.{('png', 'jpg')[index % 3 == 0]}")
    return folder


def test_labels_of_ones_own_test_images_are_as_right_as_test_says(digits):
    task, trainer, _ = digits
    x, y, accuracy = evaluated(task, trainer)
    table = task.predict(x)
    assert np.float32((table["class"] == y).mean()) == np.float32(accuracy)
    assert table["label"].tolist() == [task.class_names[i] for i in table["class"]]
    batches = trainer.predict(task, x, collect=True)
    np.testing.assert_array_equal(np.concatenate(batches).argmax(axis=1), table["class"])


def test_labels_of_a_folder_are_as_right_as_test_says(tmp_path):
    root = photos(tmp_path / "photos", 24)
    task = ImageClassification(root, "linear", image_size=8)
    trainer = fitted(task, **FEW)
    table = task.predict(root / "test")
    right = [name.rpartition("/")[0] for name in table["file"]] == table["label"]
    assert np.float32(right.mean()) == np.float32(trainer.test(task)["test_accuracy"])
    everything = task.predict(str(root))
    assert len(everything) == 24
    batches = trainer.predict(task, root, collect=True)
    predicted = np.concatenate(batches).max(axis=1)
    np.testing.assert_allclose(predicted, everything["probability"], rtol=1e-5)


def test_files_of_digits_are_labeled_as_the_arrays_they_were_made_of(digits, tmp_path):
    task, _, _ = digits
    images = load_digits().images[:5]
    for index, image in enumerate(images):
        Image.fromarray(np.round(image * 255 / 16).astype("uint8")).save(tmp_path / f"{index}.png")
    files, arrays = task.predict(tmp_path), task.predict(images)
    assert files["label"].tolist() == arrays["label"].tolist()
    np.testing.assert_allclose(files["probability"], arrays["probability"], atol=0.01)
    with pytest.raises(DataError, match=r"\[0, 16\]; pass value_range=\(0, 255\)"):
        task.predict(images * 255 / 16)
    same(task.predict(images * 255 / 16, value_range=(0, 255)), arrays)


def test_a_checkpoint_of_arrays_labels_without_them(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.random((64, 8, 8, 1)), np.array(["cat", "dog"] * 32)
    task = ImageClassification((x, y), "linear")
    path = saved(fitted(task, **FEW), tmp_path)
    again = ImageClassification.from_checkpoint(path)
    assert again.class_names == ["cat", "dog"]
    same(again.predict(x[:4]), task.predict(x[:4]))
    with pytest.raises(ConfigurationError, match="give it a"):
        Trainer(**quiet()).test(again)
    given = ImageClassification.from_checkpoint(path, data=(x, y))
    assert Trainer(**quiet()).validate(given)
    with pytest.raises((ConfigurationError, CheckpointError), match="3 classes"):
        ImageClassification.from_checkpoint(path, data=(x, np.arange(64) % 3))


def test_a_checkpoint_of_a_folder_that_is_gone_labels(tmp_path, caplog):
    root = photos(tmp_path / "photos")
    task = ImageClassification(str(root), "linear", image_size=8)
    path = saved(fitted(task, **FEW), tmp_path)
    before = task.predict(root / "test")
    shutil.move(root, tmp_path / "elsewhere")
    again = ImageClassification.from_checkpoint(path)
    assert "has no data to train or test on" in caplog.text
    same(again.predict(tmp_path / "elsewhere" / "test"), before)


def test_several_labels_and_numbers_have_their_columns(tmp_path):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (32, 8, 8, 3)).astype("uint8")
    x[0] = 255
    labels = ImageClassification(
        (x, random.integers(0, 2, (32, 3))),
        "linear",
        objective="multi_label",
        data_options={"class_names": ["sea", "sun", "sky"]},
    )
    path = saved(fitted(labels, **FEW), tmp_path)
    frame = labels.predict(x[:3]).frame
    assert list(frame)[:2] == ["row", "label"]
    assert list(frame)[2:] == ["probability_sea", "probability_sun", "probability_sky"]
    same(ImageClassification.from_checkpoint(path).predict(x[:3]), labels.predict(x[:3]))

    numbers = ImageClassification((x, random.random((32, 1))), "linear", objective="regression")
    fitted(numbers, **FEW)
    assert list(numbers.predict(x[0]).frame) == ["row", "value"]
    assert len(numbers.predict(x).save_image_grid(tmp_path / "sheet.png")) == 1


def backbone():
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    )


@pytest.mark.parametrize("cache_features", [False, True])
def test_transfer_learning_labels_images_with_and_without_cached_features(cache_features, tmp_path):
    root = photos(tmp_path / "photos", 16)
    task = TransferLearning(root, backbone(), image_size=8, cache_features=cache_features)
    trainer = fitted(task, **FEW)
    table = task.predict(root / "test")
    right = [name.rpartition("/")[0] for name in table["file"]] == table["label"]
    assert np.float32(right.mean()) == np.float32(trainer.test(task)["test_accuracy"])
    path = saved(trainer, tmp_path)
    again = TransferLearning.from_checkpoint(path, backbone=backbone(), data=None)
    again_table = again.predict(root / "test")
    np.testing.assert_allclose(again_table["probability"], table["probability"], rtol=1e-5)


# ---- texts and tables


def test_texts_are_labeled(tmp_path):
    data = (["good fine nice"] * 8 + ["bad poor dull"] * 8, ["up, yes"] * 8 + ["down"] * 8)
    task = TextClassification(data, "bag_of_words", learning_rate=0.05)
    trainer = fitted(task, max_epochs=3, seed=0)
    frame = task.predict(["nice", "dull,\n poor"]).frame
    assert list(frame)[:5] == ["row", "text", "label", "class", "probability"]
    assert frame["label"].tolist() == ["up, yes", "down"]
    pd.DataFrame({"text": ["nice", "dull"], "id": [1, 2]}).to_csv(tmp_path / "t.csv", index=False)
    assert task.predict(tmp_path / "t.csv")["label"].tolist() == ["up, yes", "down"]
    for texts in (["nice", "dull"], str(tmp_path / "t.csv"), tmp_path / "t.csv"):
        (batch,) = trainer.predict(task, texts, collect=True)
        assert batch.argmax(axis=1).tolist() == [1, 0]
    again = TextClassification.from_checkpoint(saved(trainer, tmp_path))
    same(again.predict("nice"), task.predict("nice"))


def test_rows_are_labeled_with_or_without_target_and_other_columns(tmp_path):
    table = load_wine(as_frame=True).frame.rename(columns={"target": "kind"})
    table["kind"] = table["kind"].map({0: "a,b", 1: 'q"', 2: "猫"})
    task = TabularClassification(table, target="kind", units=(4,))
    trainer = fitted(task, **FEW)
    some = table.sample(5, random_state=0)
    whole = task.predict(some)
    assert whole["row"].tolist() == some.index.tolist()
    features = some.drop(columns="kind").assign(note="x")
    same(task.predict(features), whole)

    features.to_csv(tmp_path / "t.csv", index=False)
    for rows in (tmp_path / "t.csv", features.to_dict("records"), features.iloc[:, :-1].to_numpy()):
        found = task.predict(rows)
        assert found["row"].tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_allclose(found["probability"], whole["probability"], rtol=1e-5)
    one = features.iloc[0]
    assert task.predict(one.to_dict())["label"].tolist() == whole["label"].tolist()[:1]
    assert task.predict(one)["label"].tolist() == whole["label"].tolist()[:1]
    again = TabularClassification.from_checkpoint(saved(trainer, tmp_path))
    same(again.predict(some), whole)
    with pytest.raises(DataError, match="no column"):
        task.predict(features.drop(columns="alcohol"))
    with pytest.raises(DataError, match=r"nowhere\.csv is no file"):
        task.predict("nowhere.csv")


def test_rows_that_lack_values_are_refused_with_options_that_label_them(tmp_path, caplog):
    n = 40
    table = pd.DataFrame(
        {
            "size": np.arange(n) % 7.0,
            "town": ["Ulm", "Rom"] * (n // 2),
            "sold": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
            "price": np.arange(n) * 2.0,
        }
    )
    task = Regression(table, target="price", units=())
    fitted(task, **FEW)
    rows = table.drop(columns="price").iloc[:5].astype({"size": object})
    rows.index = list("abcde")
    whole = task.predict(rows)

    odd = rows.copy()
    odd.loc["b", "size"], odd.loc["c", "size"], odd.loc["d", "town"] = np.nan, np.inf, None
    odd.loc["e", "size"] = "?"
    with pytest.raises(DataError, match=r"size of row 4 is '\?'.*na_values=\['\?'\] and missing="):
        task.predict(odd)
    with pytest.raises(DataError, match=r"size of row 1 is nan.*missing='drop' or a number"):
        task.predict(odd, na_values=["?"])
    with pytest.raises(DataError, match=r"size of row 2 is inf.*missing='drop'\."):
        task.predict(odd, na_values=["?"], missing=0)

    kept = task.predict(odd, na_values=["?"], missing="drop")
    assert kept["row"].tolist() == ["a"]
    assert kept["price"].tolist() == pytest.approx(whole["price"].tolist()[:1])
    assert "missing='drop' leaves out 4 of 5 rows of the table; size lacks most, 3" in caplog.text
    odd.to_csv(tmp_path / "odd.csv", index=False)
    assert task.predict(tmp_path / "odd.csv", na_values="?", missing="drop")["row"].tolist() == [0]
    filled = task.predict(rows.assign(size=[0, 1, None, 3, 4]), missing=2)
    assert filled["price"].tolist() == pytest.approx(whole["price"].tolist())

    with pytest.raises(DataError, match="Every row of the table lacks a value"):
        task.predict({"size": None, "town": "Ulm", "sold": "2020-01-01"}, missing="drop")
    with pytest.raises(ConfigurationError, match="missing='dorp'"):
        task.predict(rows, missing="dorp")
    with pytest.raises(DataError, match=r"no column 'town', and lacks 1 of 3 .*; add it"):
        task.predict(rows.drop(columns="town"))
    local = rows.assign(sold=pd.to_datetime(rows["sold"]).dt.strftime("%d/%m/%Y"))
    with pytest.raises(DataError, match="give date_format="):
        task.predict(local)
    same(task.predict(local, date_format="%d/%m/%Y"), whole)


def test_a_number_that_stands_for_missing_ones_stands_for_those_of_new_rows_too():
    table = pd.DataFrame({"size": [np.nan, *range(39)], "price": np.arange(40.0)})
    task = Regression(table, target="price", units=(), data_options={"missing": 5})
    fitted(task, **FEW)
    assert task.predict({"size": [None, 5.0]})["price"].nunique() == 1
    with pytest.raises(DataError, match="size of row 0 is nan"):
        task.predict({"size": [None, 5.0]}, missing="error")


def test_labels_of_ones_own_test_rows_are_as_right_as_test_says():
    task = TabularClassification("wine", units=(8,), data_options={"test_fraction": 0.3})
    trainer = fitted(task, max_epochs=3, seed=0)
    split, accuracy = task.data.splits["test"], trainer.test(task)["test_accuracy"]
    wine = load_wine(as_frame=True)
    y = wine.target.to_numpy()[split.indices]
    found = task.predict(wine.data.to_numpy()[split.indices])
    assert np.float32((found["class"] == y).mean()) == np.float32(accuracy)


def test_numbers_stand_under_the_name_of_their_target():
    table = pd.DataFrame({"size": np.arange(40.0), "price": 3.0 * np.arange(40)})
    task = Regression(table, target="price", units=())
    fitted(task, **FEW)
    frame = task.predict({"size": [1.0, 2.0]}).frame
    assert list(frame) == ["row", "price"]
    np.testing.assert_allclose(frame["price"], task.predict_table({"size": [1.0, 2.0]})[:, 0])


# ---- series and objects


def test_each_series_is_forecast_row_by_row(tmp_path):
    days = pd.date_range("2020-01-01", periods=80)
    sales = np.sin(np.arange(160) / 4)
    table = pd.DataFrame({"day": [*days, *days], "shop": ["a"] * 80 + ["b"] * 80, "sales": sales})
    columns = {"target": "sales", "series": "shop", "time": "day"}
    task = TimeSeriesForecast(table, "mlp", history=12, horizon=3, data_options=columns)
    trainer = fitted(task, **FEW)
    frame = task.predict(table).frame
    assert list(frame) == ["shop", "day", "step", "sales"]
    assert frame["shop"].tolist() == ["a"] * 3 + ["b"] * 3
    assert frame["day"].dt.strftime("%m-%d").tolist() == ["03-21", "03-22", "03-23"] * 2
    for shop, rows in frame.groupby("shop"):
        expected = task.forecast(table, 3, series=shop)[:, 0]
        np.testing.assert_allclose(rows["sales"], expected, rtol=1e-6)
    again = TimeSeriesForecast.from_checkpoint(saved(trainer, tmp_path))
    alone = again.predict(table, series="b")[
        "sales"
    ]  # one row may be multiplied otherwise than two
    np.testing.assert_allclose(alone, frame["sales"].tolist()[3:], rtol=1e-6)
    with pytest.raises(DataError, match="not 'c'"):
        task.predict(table.replace({"shop": {"b": "c"}}))


def test_a_file_is_forecast_as_the_table_that_it_holds(tmp_path):
    days = pd.date_range("2020-01-01", periods=80).strftime("%d.%m.%Y")
    table = pd.DataFrame({"day": days, "sales": np.sin(np.arange(80) / 4), "open": [0, 1] * 40})
    table.iloc[:70].to_csv(tmp_path / "own.csv", index=False, sep=";")
    options = {"target": "sales", "known": "open", "time": "day", "time_format": "%d.%m.%Y"}
    task = TimeSeriesForecast(
        tmp_path / "own.csv", "mlp", history=12, horizon=3, data_options={**options, "sep": ";"}
    )
    trainer = fitted(task, **FEW)
    expected = task.predict(table.iloc[:75], known=table)
    assert expected["day"].dt.strftime("%m-%d").tolist() == ["03-16", "03-17", "03-18"]

    table.iloc[:75].to_csv(tmp_path / "ts.csv", index=False, sep=";")
    table.to_csv(tmp_path / "known.csv", index=False, sep=";")
    table.iloc[:75].to_csv(tmp_path / "comma.csv", index=False)
    table.iloc[:75].to_json(tmp_path / "ts.jsonl", orient="records", lines=True)
    again = TimeSeriesForecast.from_checkpoint(saved(trainer, tmp_path))
    for file in (str(tmp_path / "ts.csv"), tmp_path / "ts.csv", tmp_path / "ts.jsonl"):
        same(again.predict(file, known=tmp_path / "known.csv"), expected)
    same(task.predict(tmp_path / "comma.csv", known=table, sep=","), expected)
    with pytest.raises(DataError, match=r"nofile\.csv is no file; give a table"):
        task.predict("nofile.csv")


@pytest.mark.slow
def test_each_object_that_is_found_has_a_row(tmp_path):
    small = {"backbone": "small", "image_size": 64, "levels": (3, 4, 5), "width": 16}
    task = ObjectDetection(RectangleData(), augmentation=None, score_threshold=0.01, **small)
    trainer = fitted(task, **{**FEW, "gradient_clip_val": 10.0})
    images = scenes(3)[0]
    for index, image in enumerate(images):
        Image.fromarray(image).resize((80, 64 + index)).save(tmp_path / f"{index}, ü.png")
    frame = task.predict(tmp_path).frame
    assert list(frame)[:4] == ["file", "label", "class", "score"]
    assert list(frame)[4:] == ["x_min", "y_min", "x_max", "y_max"]
    assert set(frame["file"]) <= {"0, ü.png", "1, ü.png", "2, ü.png"}
    assert set(frame["label"]) <= set(task.class_names)
    assert frame["x_max"].max() <= 80

    outputs = trainer.predict(task, tmp_path, collect=True)
    assert sum(int(batch["count"].sum()) for batch in outputs) == len(frame)
    assert set(task.predict(images[0])["row"]) <= {0}
    with pytest.raises(ConfigurationError, match="DetectionWriter"):
        task.predict(tmp_path).save_image_grid(tmp_path / "sheet.png")


# ---- models of Keras, and what labels nothing


def test_a_keras_model_gives_a_column_for_each_output():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    task = KerasTask(model, data=(x, np.arange(20) % 3))
    fitted(task, **FEW)
    frame = task.predict(x[:6]).frame
    np.testing.assert_allclose(frame.iloc[:, 1:], model.predict(x[:6], verbose=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros(4), r"shape \(\), and the model takes \(4,\); .* x\[np\.newaxis\]"),
        (np.zeros((2, 5)), r"KerasTask\.predict: the examples have shape \(5,\), and the model"),
        (np.full((2, 4), np.nan), "predict x holds NaN or infinity in 2 of 2"),
        ("table.csv", "the data to predict are 'table.csv'"),
        ([1.0, 2.0, 3.0, 4.0], r"x\[np\.newaxis\]"),
        (None, r"KerasTask\.predict was given None"),
    ],
)
def test_what_a_keras_model_cannot_take_is_said_in_words_of_prediction(data, said):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises((ConfigurationError, DataError), match=said):
        KerasTask(model, "mse").predict(data)


def test_a_keras_model_that_is_built_predicts_without_a_fit():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    for task in (KerasTask(model, "mse"), KerasTask(model, "mse", "adam", data=(x, x[:, :2]))):
        found = task.predict(x.tolist()).frame[["prediction_0", "prediction_1"]]
        np.testing.assert_allclose(found, model(x), rtol=1e-6)
        assert len(task.predict([x[0].tolist()])) == 1
    fitted(task, max_epochs=1, seed=0)
    np.testing.assert_allclose(task.predict(x)["prediction_0"], model(x)[:, 0], rtol=1e-6)
    with pytest.raises(ConfigurationError, match="there is no model yet"):
        KerasTask(keras.Sequential([keras.layers.Dense(2)]), "mse").predict(x)

    parts = [keras.Input((4,), name="a"), keras.Input((2,), name="b")]
    both = keras.Model(parts, keras.layers.Dense(1)(keras.layers.Concatenate()(parts)))
    with pytest.raises(DataError, match="give a dict of arrays, by the names of its inputs, 'a'"):
        KerasTask(both, "mse").predict([x, x[:, :2]])


def test_what_a_task_of_images_or_texts_cannot_take_is_said_in_its_words(digits):
    task, _, _ = digits
    other = tf.data.Dataset.from_tensor_slices(np.zeros((4, 9, 9, 1), "float32")).batch(2)
    with pytest.raises(
        DataError, match=r"shape \(9, 9, 1\), and the model takes \(8, 8, 1\).*resized"
    ):
        task.predict(other)
    with pytest.raises(DataError, match=r"the images are a dict of 'a'.*give one of its arrays"):
        task.predict({"a": np.zeros((8, 8))})
    with pytest.raises(ConfigurationError, match="was given None, which is no data"):
        task.predict(None)
    data = (["good"] * 8 + ["bad"] * 8, ["up"] * 8 + ["down"] * 8)
    texts = TextClassification(data, "bag_of_words")
    fitted(texts, **FEW)
    for numbers in ([[1, 2], [3, 4]], np.zeros((2, 3)), [1, 2]):
        with pytest.raises(DataError, match=r"the texts are numbers|are no texts"):
            texts.predict(numbers)


def test_what_labels_nothing_says_what_to_call_instead():
    gan = GAN(np.zeros((8, 8, 8, 1), "uint8") + np.arange(8, dtype="uint8")[:, None, None, None])
    gan.configured = True
    with pytest.raises(ConfigurationError, match=r"call sample\(n\)"):
        gan.predict(np.zeros((2, 8)))
    style = StyleTransfer(style=np.zeros((8, 8, 3), "uint8"), method="hub", hub=Path("none"))
    style.configured = True
    with pytest.raises(ConfigurationError, match="stylize"):
        style.predict("photo.jpg")
