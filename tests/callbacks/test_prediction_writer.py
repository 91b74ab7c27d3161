import os

import numpy as np
import pandas
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, PredictionWriter
from lightning_tf.exceptions import ConfigurationError, DataError

NUMBERS = [1.0, 2.0, 3.0, 4.0, 5.0]


def numbers(predict=None):
    task = NumberTask(NumberData(NUMBERS, batch_size=2, held_out=NUMBERS))
    if predict is not None:
        task.predict_step = predict
    return task


def written(task, *args, **arguments):
    writer = PredictionWriter(*args, **arguments)
    batches = Trainer(**quiet(callbacks=[writer])).predict(task, collect=True)
    return writer, batches


def test_the_whole_is_one_file(tmp_path):
    writer, batches = written(numbers(), tmp_path / "here")
    assert writer.files == [str(tmp_path / "here" / "predictions.npz")]
    with np.load(writer.files[0]) as file:
        assert file["prediction"].tolist() == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert np.concatenate(batches).tolist() == [2.0, 4.0, 6.0, 8.0, 10.0]


def test_every_batch_is_a_file(tmp_path):
    writer, _ = written(numbers(), tmp_path, interval="batch", format="csv")
    names = [os.path.basename(path) for path in writer.files]
    assert names == ["batch_00000.csv", "batch_00001.csv", "batch_00002.csv"]
    tables = [pandas.read_csv(path) for path in writer.files]
    assert [table["example"].tolist() for table in tables] == [[0, 1], [2, 3], [4]]
    assert tables[2]["prediction"].tolist() == [10.0]
    again, _ = written(numbers(), tmp_path, interval="batch")
    with np.load(again.files[1]) as file:
        assert file["prediction"].tolist() == [6.0, 8.0]


def test_a_table_has_a_column_for_each_value(tmp_path):
    def predict(batch):
        pairs = tf.stack([batch, -batch], axis=1)
        words = tf.strings.as_string(tf.cast(batch, tf.int32))
        return {"score": pairs, "more": (batch > 2.0, words)}

    writer, _ = written(numbers(predict), tmp_path, format="csv")
    table = pandas.read_csv(writer.files[0])
    assert table.columns.tolist() == ["example", "score_0", "score_1", "more.0", "more.1"] or (
        table.columns.tolist() == ["example", "more.0", "more.1", "score_0", "score_1"]
    )
    assert table["example"].tolist() == [0, 1, 2, 3, 4]
    assert table["score_1"].tolist() == [-1.0, -2.0, -3.0, -4.0, -5.0]
    assert table["more.0"].tolist() == [False, False, True, True, True]
    assert table["more.1"].tolist() == [1, 2, 3, 4, 5]
    writer, _ = written(numbers(predict), tmp_path)
    with np.load(writer.files[0]) as file:
        assert file["score"].shape == (5, 2)
        assert file["more.1"].tolist() == ["1", "2", "3", "4", "5"]


def test_half_precision_is_written_as_float32(tmp_path):
    writer, _ = written(numbers(lambda batch: tf.cast(batch, tf.bfloat16)), tmp_path)
    with np.load(writer.files[0]) as file:
        assert file["prediction"].dtype == np.float32


def test_without_a_directory_it_is_that_of_the_run_or_of_the_trainer(tmp_path):
    arguments = {"default_root_dir": tmp_path, "logger": CSVLogger(), "max_epochs": 1}
    writer = PredictionWriter()
    trainer = Trainer(**quiet(**arguments, callbacks=[writer]))
    task = BoringTask()
    trainer.predict(task, collect=True)
    assert writer.files == [str(tmp_path / "predictions" / "predictions.npz")]
    trainer.fit(task)
    trainer.predict(task, collect=True)
    run = tmp_path / "runs" / "version_0"
    assert writer.files == [str(run / "predictions" / "predictions.npz")]
    assert os.listdir(tmp_path / "runs") == ["version_0"]


def test_loggers_are_told_of_the_files(tmp_path):
    rows, writer = Rows(), PredictionWriter(tmp_path)
    Trainer(**quiet(callbacks=[writer], logger=rows)).predict(numbers(), collect=True)
    assert rows.sent == [("file", "predictions", 0, writer.files[0])]


class Ends(Callback):
    """Ctrl-C after the first batch."""

    def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
        raise KeyboardInterrupt


@pytest.mark.parametrize("format", ["npz", "csv"])
def test_a_prediction_that_ends_early_leaves_no_file_of_the_whole(tmp_path, format):
    for interval, left in (("end", []), ("batch", [f"batch_00000.{format}"])):
        writer = PredictionWriter(tmp_path / interval, format=format, interval=interval)
        with pytest.raises(KeyboardInterrupt):
            Trainer(**quiet(callbacks=[writer, Ends()])).predict(numbers())
        assert os.listdir(tmp_path / interval) == left


def test_parts_of_different_lengths_are_refused_and_nothing_is_left(tmp_path):
    task = numbers(lambda batch: {"a": batch, "mean": tf.reduce_mean(batch)})
    with pytest.raises(DataError, match=r"'a': \(2,\), 'mean': \(1,\)"):
        written(task, tmp_path, format="csv")
    assert os.listdir(tmp_path) == []


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigurationError, match="Did you mean 'csv'"):
        PredictionWriter(format="cvs")
    with pytest.raises(ConfigurationError, match="Did you mean 'batch'"):
        PredictionWriter(interval="batches")


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_predicted(tmp_path):
    (tmp_path / "file").write_text("")
    trainer = Trainer(**quiet(callbacks=[PredictionWriter(tmp_path / "file/predictions")]))
    with pytest.raises(ConfigurationError, match=r"predictions cannot be written to .*another"):
        trainer.predict(BoringTask())
