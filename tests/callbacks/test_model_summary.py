import io
import re

import keras
import numpy as np
import pytest
from helpers.boring import BoringTask, quiet
from rich.console import Console

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelSummary
from lightning_tf.callbacks.model_summary import summary_rows
from lightning_tf.exceptions import ConfigurationError


class Encoder(keras.Model):
    """A subclassed model: nothing records its output shape."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(8, name="inner_dense")

    def call(self, x):
        return self.dense(x)


class SeveralModels(BoringTask):
    def configure_model(self):
        super().configure_model()
        self.encoder = Encoder()
        self.encoder(np.zeros((1, 4), "float32"))
        self.frozen = keras.Sequential(
            [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        )
        self.frozen.trainable = False
        self.same = self.frozen
        self.image = keras.Variable(np.zeros((1, 2, 2, 3), "float32"))
        self.noise = keras.random.SeedGenerator(0)


def summary(task, **arguments):
    file = io.StringIO()
    Trainer(**quiet(max_steps=0, callbacks=[ModelSummary(file=file, **arguments)])).fit(task)
    return file.getvalue()


def rows(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def test_each_model_of_the_task_has_a_row():
    table = rows(summary(SeveralModels()))
    assert table[1:-1] == [
        ["model", "Sequential", "(None, 2)", "66", "0", "0.000"],
        ["encoder", "Encoder", "(None, 8)", "40", "0", "0.000"],
        ["frozen", "Sequential", "(None, 1)", "0", "21", "0.000"],
        ["same", "Sequential", "(None, 1)", "0", "21", "0.000"],
        ["image", "Variable", "(1, 2, 2, 3)", "12", "0", "0.000"],
    ]


def test_the_total_counts_a_shared_weight_once():
    assert rows(summary(SeveralModels()))[-1][:3] == ["total", "118", "21"]


def test_the_size_is_in_mib_and_follows_the_dtype():
    task = BoringTask()
    task.wide = keras.Variable(np.zeros((1024, 1024), "float16"), dtype="float16")
    (row,) = [row for row in summary_rows(task) if row.name == "wide"]
    assert row.trainable == 1024 * 1024
    assert row.size == 2.0


def test_max_depth_goes_into_the_layers():
    shallow, deep = summary(SeveralModels()), summary(SeveralModels(), max_depth=2)
    assert "inner_dense" not in shallow
    assert re.search(r"^  inner_dense +Dense +\(None, 8\) +40 +0", deep, re.MULTILINE)
    assert "InputLayer" not in deep


def test_depth_two_stops_at_nested_models_and_minus_one_does_not():
    class Nested(BoringTask):
        def configure_model(self):
            inner = keras.Sequential([keras.layers.Dense(2, name="innermost")], name="inner")
            self.model = keras.Sequential([keras.Input((32,)), inner])

    assert "innermost" not in summary(Nested(), max_depth=2)
    assert "    innermost" in summary(Nested(), max_depth=-1)


def test_a_layer_that_does_not_tell_its_shape_gets_a_question_mark():
    class Strange(keras.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=())

        def call(self, x):
            raise ValueError("never called here")

    task = BoringTask()
    task.strange = Strange()
    task.strange.build((None, 3))
    (row,) = [row for row in summary_rows(task) if row.name == "strange"]
    assert (row.output_shape, row.trainable) == ("?", 1)


def test_a_terminal_gets_a_table():
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    trainer = Trainer(**quiet(max_steps=0, callbacks=[ModelSummary(console=console)]))
    trainer.fit(BoringTask())
    assert re.search(r"│ model +│ Sequential │ \(None, 2\) +│ +66 │", console.file.getvalue())


def test_test_prints_no_summary():
    file = io.StringIO()
    Trainer(**quiet(max_epochs=1, callbacks=[ModelSummary(file=file)])).test(BoringTask())
    assert file.getvalue() == ""


@pytest.mark.parametrize("depth", [0, -2])
def test_a_depth_that_is_no_depth_is_refused(depth):
    with pytest.raises(ConfigurationError, match=f"max_depth={depth}"):
        ModelSummary(max_depth=depth)
