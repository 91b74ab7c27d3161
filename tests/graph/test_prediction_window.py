import numpy as np
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Trainer
from lightning_tf.graph.prediction_window import PredictionWindow


def traced(predict, dataset):
    return tf.function(predict).get_concrete_function(dataset.element_spec)


def outputs_of(predict, numbers, batch_size=2):
    dataset = tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)
    window = PredictionWindow(traced(predict, dataset), dataset.element_spec)
    return window(iter(dataset), int(dataset.cardinality()))


def test_every_batch_comes_back_with_its_own_rows():
    batches = outputs_of(lambda x: x * 2.0, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert [batch.tolist() for batch in batches] == [[2.0, 4.0], [6.0, 8.0], [10.0]]
    assert all(batch.flags.writeable for batch in batches)


def test_a_nest_keeps_its_structure_and_each_part_its_number_of_rows():
    def predict(x):
        return {"big": x[x > 2.0], "pair": (tf.strings.as_string(tf.cast(x, tf.int32)), x[:, None])}

    first, second = outputs_of(predict, [1.0, 2.0, 3.0])
    assert first["big"].shape == (0,)
    assert first["pair"][0].tolist() == [b"1", b"2"]
    assert second["big"].tolist() == [3.0]
    assert second["pair"][1].tolist() == [[3.0]]


def test_what_differs_in_more_than_its_rows_cannot_be_joined():
    dataset = tf.data.Dataset.range(4).batch(2)
    joins = {
        "rows": lambda x: x,
        "none": lambda x: (),
        "scalar": lambda x: tf.reduce_sum(x),
        "ragged": lambda x: tf.ragged.range(x),
        "width of its own": lambda x: tf.zeros([2, tf.reduce_max(x)]),
    }
    can = {name: PredictionWindow.can_join(traced(step, dataset)) for name, step in joins.items()}
    assert can == {**dict.fromkeys(joins, False), "rows": True}


class Counted(NumberTask):
    """Counts the graph calls of a prediction."""

    def predict_step(self, batch):
        return batch * 2.0


def calls_of(monkeypatch, task, **arguments):
    counts = []
    call = PredictionWindow.__call__

    def counted(window, iterator, count):
        counts.append(count)
        return call(window, iterator, count)

    monkeypatch.setattr(PredictionWindow, "__call__", counted)
    predictions = Trainer(**quiet(**arguments)).predict(task, collect=True)
    return counts, np.concatenate(predictions).tolist()


def test_a_prediction_runs_many_batches_in_one_graph_call(monkeypatch):
    numbers = [float(number) for number in range(101)]
    counts, predictions = calls_of(monkeypatch, Counted(NumberData([1.0], 2, held_out=numbers)))
    assert counts[0] == 1  # whoever wants the first batch alone waits for no other
    assert sum(counts) == 51 > len(counts)
    assert predictions == [2.0 * number for number in numbers]


def test_data_of_unknown_length_are_predicted_batch_by_batch(monkeypatch):
    class Stream(NumberData):
        def predict_dataset(self):
            return super().predict_dataset().filter(lambda x: True)

    counts, predictions = calls_of(monkeypatch, Counted(Stream([1.0], 2, held_out=[1.0, 2.0, 3.0])))
    assert counts == []
    assert predictions == [2.0, 4.0, 6.0]


def test_a_window_holds_no_more_than_its_bytes(monkeypatch):
    monkeypatch.setattr("lightning_tf.loops.prediction_loop.WINDOW_BYTES", 40)  # 2 batches of 16
    monkeypatch.setattr("lightning_tf.loops.window_clock.TARGET_SECONDS", 1e6)  # no clock has a say
    numbers = [float(number) for number in range(40)]
    counts, _ = calls_of(monkeypatch, Counted(NumberData([1.0], 4, held_out=numbers)))
    assert counts == [1, 2, 2, 2, 2, 1]
