"""What trainer.predict gives, iterated or not."""

import gc
import logging
import os

import numpy as np
import pytest
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import PredictionWriter
from lightning_tf.exceptions import CheckpointError, ConfigurationError, DataError
from lightning_tf.run import predictions


def numbers(predict=None):
    task = NumberTask(NumberData([1.0, 2.0, 3.0], batch_size=2, held_out=[1.0, 2.0, 3.0]))
    if predict is not None:
        task.predict_step = predict
    return task


@pytest.mark.parametrize(
    ("ckpt_path", "error"),
    [
        ("no_such.ckpt", CheckpointError),
        ("last", ConfigurationError),
        (np.ones(3), ConfigurationError),
        ([1, 2], ConfigurationError),
    ],
)
def test_arguments_are_checked_at_the_call(ckpt_path, error):
    with pytest.raises(error):
        Trainer(**quiet()).predict(numbers(), ckpt_path=ckpt_path)


def test_a_task_is_checked_at_the_call():
    with pytest.raises(ConfigurationError, match="predict got 3 of type int"):
        Trainer(**quiet()).predict(3)


def test_nothing_runs_before_the_first_batch():
    calls = []

    class Notes(Callback):
        def setup(self, trainer, task, stage):
            calls.append(stage)

    batches = Trainer(**quiet(callbacks=Notes())).predict(numbers())
    assert calls == []
    next(batches)
    assert calls == ["predict"]
    batches.close()


def warnings_of(caplog, act):
    with caplog.at_level(logging.WARNING, logger="lightning_tf"):
        act()
        gc.collect()
    return [record.getMessage() for record in caplog.records]


def test_an_iterator_that_nobody_iterates_is_told(caplog):
    (warning,) = warnings_of(caplog, lambda: Trainer(**quiet()).predict(numbers()))
    assert "nothing was predicted" in warning
    assert "collect=True" in warning


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(list, marks=pytest.mark.slow),
        next,
        pytest.param(lambda batches: batches.close(), marks=pytest.mark.slow),
    ],
    ids=["all of it", "one batch", "closed"],
)
def test_one_that_somebody_uses_is_not(caplog, use):
    assert warnings_of(caplog, lambda: use(Trainer(**quiet()).predict(numbers()))) == []


def test_a_writer_has_the_prediction_run_at_once(tmp_path, caplog):
    writer = PredictionWriter(tmp_path)
    trainer = Trainer(**quiet(callbacks=writer))
    assert warnings_of(caplog, lambda: trainer.predict(numbers())) == []
    with np.load(writer.files[0]) as file:
        assert file["prediction"].tolist() == [2.0, 4.0, 6.0]


@pytest.mark.parametrize("in_memory", [1, 2**20])
def test_what_ran_at_once_can_be_iterated(tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(predictions, "MEMORY_BYTES", in_memory)
    batches = Trainer(**quiet(callbacks=PredictionWriter(tmp_path))).predict(numbers())
    assert [batch.tolist() for batch in batches] == [[2.0, 4.0], [6.0]]
    batches.close()
    assert list(batches) == []


def test_any_callback_can_consume_predictions():
    class Sums(Callback):
        consumes_predictions = True
        total = 0.0

        def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
            self.total += float(outputs.sum())

    sums = Sums()
    Trainer(**quiet(callbacks=sums)).predict(numbers())
    assert sums.total == 12.0


def test_errors_of_a_prediction_at_once_are_raised_at_the_call(tmp_path):
    with pytest.raises(DataError, match="returned None"):
        Trainer(**quiet(callbacks=PredictionWriter(tmp_path))).predict(numbers(lambda batch: None))
    assert os.listdir(tmp_path) == []


def test_a_step_may_keep_its_predictions_to_itself():
    assert Trainer(**quiet()).predict(numbers(lambda batch: None), collect=True) == [None, None]
    task = numbers(lambda batch: {"kept": None, "given": batch})
    assert [b["kept"] for b in Trainer(**quiet()).predict(task)] == [None, None]


@pytest.mark.parametrize("format", ["npz", "csv"])
def test_batches_and_the_whole_are_written(tmp_path, format):
    writer = PredictionWriter(tmp_path, format=format, interval="batch_and_epoch")
    Trainer(**quiet(callbacks=writer)).predict(numbers())
    names = [os.path.basename(path) for path in writer.files]
    assert names == [f"batch_0000{i}.{format}" for i in range(2)] + [f"predictions.{format}"]


def test_an_evaluation_of_a_checkpoint_stands_at_its_update(tmp_path):
    from helpers.boring import Rows, fitted

    fitted(numbers(), max_epochs=3).save_checkpoint(tmp_path / "c")
    rows = Rows()
    trainer = Trainer(**quiet(logger=rows))
    trainer.validate(numbers(), ckpt_path=tmp_path / "c")
    trainer.test(numbers(), ckpt_path=tmp_path / "c")
    where = [(step, *row) for step, row in rows.rows]
    assert where == [(6, "val/loss", "epoch"), (6, "test/loss", "epoch")]
    assert {row["epoch"] for _, row in rows.rows} == {3}
    assert trainer.global_step == 0
    assert trainer.metric_steps == {"test_loss": 6}
