"""Data that entry points are given, or that `Task.data` holds as they are."""

import re

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted, quiet
from helpers.resumable import everything, resumed

from lightning_tf import Trainer
from lightning_tf.data import ArrayData, Digits
from lightning_tf.data.sources.given_data import given_data
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification, TextClassification, TimeSeriesForecast

X, Y = BoringData().x, BoringData().y


class Bare(BoringTask):
    """A task without data, or with what its test gives."""

    batch_size = 16

    def __init__(self, data=None):
        self.data = data


def batches(count=64):
    return tf.data.Dataset.from_tensor_slices((X[:count], Y[:count])).batch(16)


class Numbered(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * (index + 1))
        return X[rows], Y[rows]


KINDS = {
    "arrays": lambda: (X, Y),
    "a dataset": batches,
    "a PyDataset": lambda: Numbered(workers=0),
    "a function": lambda: lambda: iter(batches()),
    "a data module": BoringData,
}


QUICK = ("arrays", "a data module")


@pytest.mark.parametrize(
    "kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
def test_every_entry_point_takes(kind):
    task, trainer = Bare(), Trainer(**quiet(max_epochs=1, seed=0))
    trainer.fit(task, KINDS[kind](), KINDS[kind]())
    assert set(trainer.callback_metrics) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert trainer.num_training_batches in (4, None)

    expected = trainer.test(task, batches())
    assert trainer.test(task, KINDS[kind]()) == pytest.approx(expected)
    # Validation of the same numbers, of which test has said nothing.
    values = trainer.validate(task, KINDS[kind]())
    assert list(values.values()) == pytest.approx(list(expected.values()))


def test_what_the_task_has_is_what_fit_is_given():
    by_task = fitted(Bare((X, Y)), max_epochs=2, seed=0)
    by_argument = Trainer(**quiet(max_epochs=2, seed=0))
    by_argument.fit(Bare(), (X, Y))
    assert everything(by_argument) == everything(by_task)
    assert by_task.num_val_batches == 0  # nothing is held out unasked


def test_splits_by_name():
    task = Bare({"train": (X, Y), "val": batches(32), "test": BoringData(), "predict": X})
    trainer = fitted(task, max_epochs=1)
    assert trainer.num_val_batches == 2
    assert trainer.test(task).keys() == {"test_loss", "test_accuracy"}
    assert sum(map(len, trainer.predict(task, collect=True))) == 64


def test_data_of_an_evaluation_are_those_of_one_call():
    own = BoringData()
    task, trainer = Bare(own), Trainer(**quiet())
    trainer.test(task, batches(32))
    assert trainer.num_test_batches == 2
    assert task.data is own
    predictions = trainer.predict(task, X)
    assert task.data is own
    assert [len(batch) for batch in predictions] == [16] * 4
    assert task.data is own


def test_of_arrays_with_targets_the_inputs_are_predicted():
    task, trainer = Bare(), Trainer(**quiet(seed=0))
    one, other = (trainer.predict(task, data, collect=True) for data in (X, (X, Y)))
    np.testing.assert_array_equal(one, other)


def test_several_sets_are_given_as_a_dict_or_list():
    task, trainer = Bare(), Trainer(**quiet(max_epochs=1))
    trainer.fit(task, (X, Y), {"clean": batches(), "few": batches(16)})
    assert {"val_clean_loss", "val_few_loss"} <= set(trainer.callback_metrics)
    assert "test_1_loss" in trainer.test(task, [batches(), batches()])


def test_a_fit_of_given_data_is_resumed_exactly(tmp_path):
    def run(steps, **more):
        trainer, task = Trainer(**quiet(max_steps=steps, seed=0)), Bare()
        trainer.fit(task, (X, Y), batches(), **more)
        return trainer

    run(6).save_checkpoint(tmp_path / "part")
    assert everything(run(11, ckpt_path=tmp_path / "part")) == everything(run(11))
    # A second fit goes on with what the first was given.
    trainer = run(4)
    trainer.max_steps = 8
    trainer.fit(trainer.task)
    assert trainer.global_step == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.fit(Bare(), "last"), "fit got the checkpoint 'last' as train_data"),
        (lambda t: t.test(Bare(), "runs/x.ckpt"), "ckpt_path='runs/x.ckpt'"),
        (lambda t: t.predict(Bare(), "wandb:me/it/model:best"), "got the checkpoint"),
        (lambda t: t.fit(Bare(), "photos"), "train data are 'photos'"),
        (lambda t: t.test(Bare(), "photos"), "test data are 'photos'"),
        (lambda t: t.fit(Bare(), (batches(), batches())), "a dict: {'train': ..., 'val': ...}"),
        (lambda t: t.fit(Bare(), (X, Y, Y)), "a tuple of 3"),
        (lambda t: t.fit(Bare(BoringData()), None, (X, Y)), "val_data without train_data"),
        (lambda t: t.fit(Bare({"train": (X, Y), "validation": (X, Y)})), "data has 'validation'"),
        (lambda t: t.validate(Bare(), object()), "val data are <object"),
        (lambda t: t.fit(Bare()), "Bare.data is None"),
    ],
)
def test_what_is_no_data_is_refused(call, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        call(Trainer(**quiet(max_epochs=1)))


def test_a_folder_that_holds_a_checkpoint_is_none_of_data(tmp_path):
    fitted(Bare((X, Y)), max_steps=1).save_checkpoint(tmp_path / "saved")
    with pytest.raises(ConfigurationError, match="fit got the checkpoint"):
        Trainer(**quiet(max_steps=1)).fit(Bare(), tmp_path / "saved")
    resumed(Bare((X, Y)), tmp_path / "saved", max_steps=2)


def test_single_examples_are_refused():
    with pytest.raises(DataError, match="val dataset gives single examples"):
        given_data({"train": (X, Y), "val": tf.data.Dataset.range(3)})


def test_a_module_alone_is_itself_and_arrays_keep_their_kind():
    module = BoringData()
    assert given_data({"train": module}) is module
    assert isinstance(given_data({"train": (X, Y)}, batch_size=8), ArrayData)


def test_a_task_that_is_built_to_its_data_trains_on_what_fit_is_given():
    images = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 1)).astype("uint8")
    train, held_out = (images, np.arange(12) % 3), (images[:6], np.arange(6) % 3)
    task, trainer = ImageClassification(batch_size=4), Trainer(**quiet(max_epochs=1))
    trainer.fit(task, train, held_out)
    assert len(task.class_names) == 3
    assert (trainer.num_training_batches, trainer.num_val_batches) == (3, 2)

    trainer.max_epochs = 2
    trainer.fit(task, train, held_out)  # goes on
    assert trainer.current_epoch == 2
    with pytest.raises(ConfigurationError, match="is built to its data"):
        trainer.fit(task, held_out)


def test_images_are_evaluated_with_the_classes_that_were_learned():
    images = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 1)).astype("uint8")
    task, trainer = ImageClassification((images, np.arange(12) % 3)), Trainer(**quiet(max_steps=1))
    trainer.fit(task)
    some = images[:6], 1 + np.arange(6) % 2  # of class 0 there is none
    values = trainer.test(task, some)
    batches = tf.data.Dataset.from_tensor_slices(some).batch(4)
    assert trainer.test(task, batches) == pytest.approx(values)
    assert trainer.num_test_batches == 2

    predicted = [trainer.predict(task, data, collect=True) for data in (some, some[0])]
    np.testing.assert_array_equal(*predicted)
    with pytest.raises(DataError, match="labels must be 0 to 2"):
        trainer.test(task, (images, np.full(12, 3)))
    with pytest.raises(ConfigurationError, match="has learned"):
        trainer.test(task, Digits())


def test_a_task_that_cannot_read_other_data_says_how_it_can():
    series = np.sin(np.arange(60.0))
    with pytest.raises(ConfigurationError, match=re.escape("from_checkpoint(path, data=...)")):
        Trainer(**quiet()).test(TimeSeriesForecast(series, history=4), series)


def test_texts_are_evaluated_with_the_classes_that_were_learned():
    texts, labels = [f"good {i}" for i in range(8)] + [f"bad {i}" for i in range(8)], [1, 0]
    task = TextClassification((texts, np.repeat(["p", "n"], 8)), learning_rate=0.1, batch_size=4)
    trainer = Trainer(**quiet(max_epochs=6, seed=0))
    trainer.fit(task)
    values = trainer.test(task, (["good", "bad"], ["p", "n"]))
    assert values["test_accuracy"] == 1.0
    frame = pd.DataFrame({"text": ["good", "bad"], "label": ["p", "n"]})
    batches = tf.data.Dataset.from_tensor_slices((["good", "bad"], labels)).batch(2)
    for data in ((["good", "bad"], labels), frame, batches):
        assert trainer.test(task, data) == pytest.approx(values)

    (predicted,) = trainer.predict(task, ["good", "bad"], collect=True)
    assert predicted.argmax(axis=-1).tolist() == [1, 0]
    with pytest.raises(DataError, match="labels that the training split does not: 'x'"):
        trainer.test(task, (["good"], ["x"]))
    assert trainer.validate(task)["val_accuracy"] == 1.0


def test_pairs_of_arrays_by_name_are_several_sets():
    sets = {"clean": (X, Y), "noisy": (X + 1, Y)}
    data = given_data({"train": (X, Y), "val": sets, "predict": list(sets.values())}, batch_size=8)
    assert list(data.val_dataset()) == ["clean", "noisy"]
    (noisy, _) = next(data.val_dataset()["noisy"].as_numpy_iterator())
    np.testing.assert_array_equal(noisy, X[:8] + 1)
    assert len(data.predict_dataset()) == 2
    with pytest.raises(ConfigurationError, match="return a dict of datasets from train_dataset"):
        given_data({"train": sets})


def test_nested_lists_of_numbers_are_examples():
    data = given_data({"train": (X.tolist(), Y.tolist())}, batch_size=4)
    x, y = next(data.train_dataset(0).as_numpy_iterator())
    assert (x.shape, y.shape) == ((4, *X.shape[1:]), (4, *Y.shape[1:]))


def test_inputs_and_targets_apart_are_refused():
    message = "give inputs and targets as a pair"
    with pytest.raises(ConfigurationError, match=message):
        Trainer(**quiet(max_epochs=1)).fit(BoringTask(), np.ones((6, 32)), np.ones(6))


def test_a_dict_of_stages_says_what_is_what():
    task, trainer = Bare(), Trainer(**quiet(max_epochs=1))
    trainer.fit(task, {"train": (X, Y), "val": batches(32)})
    assert trainer.num_val_batches == 2
    assert sum(map(len, trainer.predict(task, {"predict": X, "test": (X, Y)}, collect=True))) == 64
    with pytest.raises(ConfigurationError, match="the data have train and no 'test'"):
        trainer.test(task, {"train": (X, Y)})
