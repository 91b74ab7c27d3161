"""A Predictor labels new data with a trained task, and traces each kind of input once."""

import copy
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet

from lightning_tf import Predictor, Task, Trainer
from lightning_tf.exceptions import ConfigurationError, DataError

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")


class Scores(Task):
    """Learns nothing much; what it reads of itself decides what it predicts."""

    def __init__(self):
        self.data, self.factor = (X, X[:, :2]), 1.0

    def configure_model(self):
        self.model = keras.Sequential([keras.layers.Dense(2)])  # built by its first batch

    def configure_optimizers(self):
        return keras.optimizers.Adam()

    def training_step(self, batch):
        return tf.reduce_mean((self.model(batch[0], training=True) - batch[1]) ** 2)

    def predict_step(self, batch):
        return {"score": self.model(batch) * self.factor, "sum": tf.reduce_sum(batch, axis=1)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    trainer, task = Trainer(**quiet(max_epochs=1, seed=0)), Scores()
    trainer.fit(task)
    trainer.save_checkpoint(folder / "c.ckpt")
    return task, folder / "c.ckpt"


def test_rows_are_numbered_and_every_value_has_a_column(trained):
    task, _ = trained
    frame = task.predict(X[:3]).frame
    assert list(frame) == ["row", "score_0", "score_1", "sum"]
    assert frame["row"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(frame[["score_0", "score_1"]], task.model(X[:3]), rtol=1e-6)


def test_a_table_has_what_the_trainer_predicts(trained):
    task, _ = trained
    batches = Trainer(**quiet()).predict(task, X, collect=True)
    scores = np.concatenate([batch["score"] for batch in batches])
    table = task.predict(X, batch_size=7)
    np.testing.assert_allclose(table.frame[["score_0", "score_1"]], scores, rtol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        (X[:5], X[:5, :2]),
        tf.data.Dataset.from_tensor_slices(X[:5]).batch(2),
        tf.constant(X[:5]),
        lambda: iter([X[:3], X[3:5]]),
    ],
    ids=["pair", "dataset", "tensor", "function"],
)
def test_data_that_the_trainer_takes_are_taken(trained, data):
    task, _ = trained
    np.testing.assert_allclose(task.predict(data)["sum"], X[:5].sum(axis=1), rtol=1e-5)


def test_a_second_call_traces_nothing_whatever_the_number_of_examples(trained):
    predictor = Predictor(trained[0])
    predictor(X[:3])
    traced = predictor._steps.copy()
    predictor(X[:1])
    predictor(X)
    assert predictor.traces == 1
    assert predictor._steps == traced


def test_a_value_that_changes_is_seen_by_the_next_call(trained):
    task, _ = trained
    before = task.predict(X[:3])["score_0"]
    task.factor = 3.0
    try:
        np.testing.assert_allclose(task.predict(X[:3])["score_0"], 3.0 * before, rtol=1e-6)
    finally:
        task.factor = 1.0


def test_weights_that_move_are_seen_without_a_new_trace(trained):
    task, _ = trained
    predictor = Predictor(task)
    before = predictor(X[:3])["score_0"].to_numpy()
    kernel = task.model.layers[0].kernel
    kept = kernel.numpy()
    step = next(iter(predictor._steps.values()))
    kernel.assign(2.0 * kept)
    try:
        assert not np.allclose(predictor(X[:3])["score_0"], before)
        assert next(iter(predictor._steps.values())) is step
    finally:
        kernel.assign(kept)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_quantized_model_is_traced_anew(trained):
    _, path = trained
    task = Scores.from_checkpoint(path)
    before = task.predict(X[:3])["score_0"]
    task.quantize("int8")
    after = task.predict(X[:3])["score_0"]
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, before, atol=0.05)


def test_a_fit_goes_on_after_a_prediction_and_is_seen_by_the_next():
    trainer, task = Trainer(**quiet(max_epochs=1, seed=0)), Scores()
    trainer.fit(task)
    before = task.predict(X[:3])["score_0"]
    Trainer(**quiet(max_epochs=2, seed=0)).fit(task)
    after = task.predict(X[:3])["score_0"]
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, task.model(X[:3])[:, 0], rtol=1e-6)


def test_threads_share_one_trace(trained):
    predictor = Predictor(trained[0])
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(predictor, [X[:n] for n in range(1, 9)]))
    assert [len(table) for table in tables] == list(range(1, 9))
    assert predictor.traces == 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_copy_of_a_task_that_has_predicted_predicts_by_itself(trained):
    task = Scores.from_checkpoint(trained[1])
    before = task.predict(X[:3])["score_0"]
    copied = copy.deepcopy(task)
    copied.factor = 2.0
    np.testing.assert_allclose(copied.predict(X[:3])["score_0"], 2 * before, rtol=1e-6)
    assert task.predict(X[:3])["score_0"].tolist() == before.tolist()


def test_a_checkpoint_whose_layers_a_first_batch_builds_predicts_the_same(trained):
    task, path = trained
    again = Scores.from_checkpoint(path)
    assert again.predict(X[:3])["score_0"].tolist() == task.predict(X[:3])["score_0"].tolist()


def test_a_task_without_a_model_is_refused_with_what_to_do():
    with pytest.raises(ConfigurationError, match=r"Scores\.predict: there is no model yet: fit"):
        Scores().predict(X)


def test_an_unknown_option_and_data_that_nobody_can_read_are_refused(trained):
    task, _ = trained
    with pytest.raises(ConfigurationError, match="no option 'encoding'"):
        task.predict(X, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'table\.csv'"):
        task.predict("table.csv")
    with pytest.raises(DataError, match="empty"):
        task.predict(X[:0])
    with pytest.raises(ConfigurationError, match="batch_size"):
        task.predict(X, batch_size=0)


@pytest.mark.parametrize("data", [None, 3, np.float32(3.0), True])
def test_what_is_no_data_is_named_as_it_was_given(trained, data):
    with pytest.raises(ConfigurationError, match=r"Scores\.predict was given .*, which is no data"):
        trained[0].predict(data)


def test_data_to_predict_are_called_so(trained):
    with pytest.raises(DataError, match="predict x holds NaN or infinity in 1 of 1 examples"):
        trained[0].predict(np.full((1, 4), np.nan))
    with pytest.raises(DataError, match="predict x is an array of dtype object"):
        trained[0].predict(np.array([None]))
