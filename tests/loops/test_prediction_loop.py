import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Recorder, Rows, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError, DataError


def task(numbers=(1, 2, 3, 4, 5), batch_size=2):
    return NumberTask(NumberData([1.0], batch_size, held_out=numbers))


def test_batches_come_in_the_order_of_the_data_the_uneven_one_too():
    batches = Trainer(**quiet()).predict(task(), collect=True)
    assert [batch.tolist() for batch in batches] == [[2.0, 4.0], [6.0, 8.0], [10.0]]
    assert all(isinstance(batch, np.ndarray) for batch in batches)


def test_the_iterator_is_lazy():
    seen = []

    class Notes(Callback):
        def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
            seen.append((batch_idx, outputs.tolist()))

    iterator = Trainer(**quiet(callbacks=Notes())).predict(task())
    assert seen == []
    assert next(iterator).tolist() == [2.0, 4.0]
    assert seen == [(0, [2.0, 4.0])]
    assert len(list(iterator)) == 2
    assert [index for index, _ in seen] == [0, 1, 2]


def test_a_nest_of_tensors_keeps_its_structure():
    class Nested(NumberTask):
        def predict_step(self, batch):
            return {"double": batch * 2.0, "pair": (batch, tf.cast(batch, tf.int32))}

    nested = Nested(NumberData([1.0], 2, held_out=[1, 2]))
    (batch,) = Trainer(**quiet()).predict(nested, collect=True)
    assert batch["double"].tolist() == [2.0, 4.0]
    assert batch["pair"][1].dtype == np.int32


def test_hooks_in_order():
    recorder = Recorder(batches=True)
    Trainer(**quiet(callbacks=recorder)).predict(task([1, 2, 3]), collect=True)
    assert recorder.names == [
        "setup",
        "on_predict_start",
        "on_predict_epoch_start",
        *["on_predict_batch_start", "on_predict_batch_end"] * 2,
        "on_predict_epoch_end",
        "on_predict_end",
        "teardown",
    ]


def test_closing_early_ends_the_entry_point_without_an_exception():
    recorder, rows = Recorder(), Rows()
    trainer = Trainer(**quiet(callbacks=recorder, logger=rows))
    iterator = trainer.predict(task())
    next(iterator)
    assert trainer.stage == "predict"
    iterator.close()
    assert trainer.stage is None
    assert recorder.names[-1] == "teardown"
    assert "on_exception" not in recorder.names
    assert rows.ends == ["success"]
    assert len(trainer.predict(task(), collect=True)) == 3


def test_breaking_out_of_the_loop_ends_the_entry_point_too():
    recorder = Recorder()
    for _ in Trainer(**quiet(callbacks=recorder)).predict(task()):
        break
    assert recorder.names[-1] == "teardown"


def test_limits_take_the_first_batches():
    trainer = Trainer(**quiet(limit_predict_batches=2))
    assert len(trainer.predict(task(), collect=True)) == 2


def test_a_trained_weight_predicts():
    class Weighs(NumberTask):
        def predict_step(self, batch):
            return batch * self.weight

    weighs = Weighs(NumberData([1.0], held_out=[10.0]))
    trainer = fitted(weighs, max_epochs=1)
    assert trainer.predict(weighs, collect=True)[0].tolist() == [-10.0]


def test_the_step_is_traced_once():
    class Traced(NumberTask):
        calls = 0

        def predict_step(self, batch):
            self.calls += 1
            return batch

    traced = Traced(NumberData([1.0], 2, held_out=range(5)))
    Trainer(**quiet()).predict(traced, collect=True)
    assert traced.calls == 1


def test_missing_data_are_an_error():
    with pytest.raises(DataError, match="predict_dataset gave nothing"):
        Trainer(**quiet()).predict(NumberTask(NumberData([1.0])), collect=True)


def test_an_exception_leaves_after_on_exception_ran_once():
    class Fails(NumberTask):
        def predict_step(self, batch):
            raise ZeroDivisionError("mine")

    recorder, rows = Recorder(), Rows()
    trainer = Trainer(**quiet(callbacks=recorder, logger=rows))
    with pytest.raises(ZeroDivisionError, match="mine"):
        trainer.predict(Fails(NumberData([1.0], held_out=[1.0])), collect=True)
    assert recorder.names.count("on_exception") == 1
    assert rows.ends == ["failed"]


def test_endless_data_need_a_limit():
    class Endless(NumberData):
        def predict_dataset(self):
            return super().predict_dataset().repeat()

    with pytest.raises(ConfigurationError, match="limit_predict_batches"):
        next(Trainer(**quiet()).predict(NumberTask(Endless([1.0], held_out=[1.0]))))
