"""cross_validate: a run for each fold, each from the beginning, and a table of all."""

import csv

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import EarlyStopping, ModelCheckpoint
from lightning_tf.data import ArrayData, DatasetPair, detection_data, image_data, time_series_data
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import (
    ImageClassification,
    KerasTask,
    Regression,
    TabularClassification,
    TextClassification,
)

X = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1)).astype("uint8")
Y = np.arange(60) % 3


def trainer(folder, **arguments):
    return Trainer(**quiet(**{"max_epochs": 1, "seed": 0, "default_root_dir": folder, **arguments}))


def digits():
    return ImageClassification((X, Y), "linear")


def test_each_fold_begins_anew_and_the_table_has_mean_and_spread(tmp_path):
    result = trainer(tmp_path).cross_validate(digits, 3)
    assert len(result.folds) == 3
    losses = [fold["val_loss"] for fold in result.folds]
    assert len(set(losses)) == 3
    assert result.mean["val_loss"] == pytest.approx(np.mean(losses))
    assert result.std["val_loss"] == pytest.approx(np.std(losses, ddof=1))
    written = (result.folder / "cross_validation.csv").read_text()
    rows = list(csv.DictReader(written.splitlines()))
    assert [row["fold"] for row in rows] == ["0", "1", "2", "mean", "std"]
    assert float(rows[1]["val_loss"]) == losses[1]
    assert str(result).splitlines()[0].split()[:2] == ["fold", "val_loss"]

    # A fold is what a run of its own gives.
    alone = digits()
    alone.data.take_fold(Fold(1, 3))
    alone_trainer = trainer(tmp_path)
    alone_trainer.fit(alone)
    assert alone_trainer.validate(alone) == result.folds[1]
    assert trainer(tmp_path).cross_validate(digits, 3).folds == result.folds


@pytest.mark.slow
def test_callbacks_begin_anew_and_the_best_weights_count(tmp_path):
    callbacks = [EarlyStopping("val_loss", patience=1), ModelCheckpoint(monitor="val_loss")]
    whole = trainer(
        tmp_path, max_epochs=3, callbacks=callbacks, enable_checkpointing=True, logger=True
    )
    result = whole.cross_validate(digits, 2)
    folders = sorted(path.name for path in result.folder.iterdir())
    assert folders == ["cross_validation.csv", "fold_0", "fold_1"]
    assert list((result.folder / "fold_1").rglob("*.ckpt"))
    assert not callbacks[1].best_model_path
    values = pd.read_csv(next((result.folder / "fold_0").rglob("metrics.csv")))
    assert result.folds[0]["val_loss"] == pytest.approx(values["val/loss"].min(), rel=1e-6)


def test_the_test_split_stands_in_no_fold():
    data = [image_data((X, Y), test_fraction=0.2) for _ in range(3)]
    for index, each in enumerate(data):
        each.take_fold(Fold(index, 3))
        each.setup("fit")
    tests = [each.splits["test"].indices.tolist() for each in data]
    assert tests[0] == tests[1] == tests[2]
    validated = np.concatenate([each.splits["val"].indices for each in data])
    assert sorted([*validated, *tests[0]]) == list(range(60))


@pytest.mark.slow
def test_rows_of_a_group_stay_together_and_the_group_is_no_feature(tmp_path):
    table = pd.DataFrame({"a": np.arange(60.0), "who": np.arange(60) // 6, "y": np.arange(60) % 2})

    def task():
        return TabularClassification(table, "y", units=(4,))

    result = trainer(tmp_path).cross_validate(task, 3, groups="who")
    assert len(result.folds) == 3
    one = task()
    one.data.take_fold(Fold(0, 3, groups="who"))
    one.data.setup("fit")
    assert one.data.columns.names == ["a"]
    train, val = (table.who[one.data.splits[name].indices] for name in ("train", "val"))
    assert not set(train) & set(val)

    arrays = image_data((X, Y), test_fraction=0.1)
    arrays.take_fold(Fold(0, 3, groups=np.arange(60) // 6))
    arrays.setup("fit")
    groups = [set(arrays.splits[name].indices // 6) for name in ("train", "val")]
    assert not groups[0] & groups[1]


def test_series_are_cut_by_time():
    for index in range(3):
        data = time_series_data(np.arange(100.0), history=4, test_fraction=0.2)
        data.take_fold(Fold(index, 3))
        data.setup("fit")
        train, val, test = (data.splits[n].indices for n in ("train", "val", "test"))
        assert train.max() < val.min() <= val.max() < test.min()
        assert (val.min(), val.max()) == (20 * (index + 1), 20 * (index + 2) - 1)
    with pytest.raises(ConfigurationError, match="series are cut by time alone"):
        time_series_data(np.arange(100.0), history=4).take_fold(Fold(0, 3, groups=[1]))


@pytest.mark.slow
def test_texts_are_cut_before_their_words_are_counted(tmp_path):
    texts = [f"word{i} common" for i in range(40)]
    result = trainer(tmp_path).cross_validate(
        lambda: TextClassification((texts, np.arange(40) % 2), "bag_of_words"), 2
    )
    assert len(result.folds) == 2


def test_what_cannot_be_cut_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"give a function that makes it.*lambda: Image"):
        trainer(tmp_path).cross_validate(digits(), 3)
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    with pytest.raises(ConfigurationError, match="cannot be cut into folds, as it gives batches"):
        trainer(tmp_path).cross_validate(lambda: BoringTask(DatasetPair(batches)), 2)
    own = image_data(((X, Y), (X[:9], Y[:9])))
    own.take_fold(Fold(0, 2))
    with pytest.raises(ConfigurationError, match="has a val split of its own"):
        own.setup("fit")
    loaded = image_data((X, Y))
    loaded.setup("fit")
    with pytest.raises(ConfigurationError, match="loaded already"):
        loaded.take_fold(Fold(0, 2))
    short = image_data((X, Y))
    short.take_fold(Fold(0, 2, groups=[1, 2]))
    with pytest.raises(DataError, match="groups has 2 entries for 60"):
        short.setup("fit")
    named = image_data((X, Y))
    named.take_fold(Fold(0, 2, groups="who"))
    with pytest.raises(ConfigurationError, match="groups='who' names a column"):
        named.setup("fit")
    missing = Regression(pd.DataFrame({"a": np.arange(9.0), "y": np.arange(9.0)}), "y")
    missing.data.take_fold(Fold(0, 2, groups="who"))
    with pytest.raises(DataError, match="no column 'who'; name one with groups="):
        missing.data.setup("fit")


def test_a_model_that_an_earlier_fold_has_trained_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")

    class Found(BoringTask):
        def configure_model(self):
            self.model = model

    with pytest.raises(ConfigurationError, match="which has trained it on the rows that validate"):
        trainer(tmp_path).cross_validate(lambda: KerasTask(model, "mse", "sgd", data=(x, y)), 2)
    boring = BoringData()
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])
    with pytest.raises(ConfigurationError, match="make models anew for every fold"):
        trainer(tmp_path).cross_validate(lambda: Found(ArrayData(boring.x, boring.y)), 2)


def test_an_optimizer_of_another_model_is_refused(tmp_path):
    optimizer = keras.optimizers.Adam()
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")

    def task():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        return KerasTask(model, "mse", optimizer, data=(x, y))

    with pytest.raises(ConfigurationError, match="Adam was built for the variables of another"):
        trainer(tmp_path).cross_validate(task, 2)


def test_what_is_shared_and_frozen_may_stay(tmp_path):
    teacher = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])
    teacher.trainable = False

    class Student(BoringTask):
        def __init__(self, data):
            super().__init__(data)
            self.teacher = teacher

    boring = BoringData()
    result = trainer(tmp_path).cross_validate(lambda: Student(ArrayData(boring.x, boring.y)), 2)
    assert len(result.folds) == 2


def test_a_source_that_splits_by_itself_is_refused(tmp_path):
    scenes = detection_data("digits", train_scenes=4, val_scenes=2, test_scenes=2)
    scenes.take_fold(Fold(0, 2))
    with pytest.raises(ConfigurationError, match="cannot be cut into folds; override take_fold"):
        scenes.setup("fit")
