"""What layers give in training is counted, and changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import HistogramLogger, Histograms, TensorBoardLogger

BATCH, UNITS = 16, 8


class Kept(HistogramLogger):
    def __init__(self, every_n_steps=1):
        self.histograms = Histograms("activations", every_n_steps)
        self.seen, self.rows = {}, {}

    def log_histograms(self, histograms, step):
        self.seen[step] = histograms

    def log_metrics(self, metrics, step):
        self.rows.setdefault(step, {}).update(metrics)


class Hidden(BoringTask):
    """A layer of ReLUs, some of which are dead, then tanh, then logits."""

    def __init__(self, dead=2):
        super().__init__()
        self.dead = dead

    def configure_model(self):
        bias = np.zeros(UNITS, "float32")
        bias[: self.dead] = -1e6
        self.model = keras.Sequential(
            [
                keras.Input((32,)),
                keras.layers.Dense(
                    UNITS,
                    activation="relu",
                    kernel_initializer=keras.initializers.GlorotUniform(1),
                    bias_initializer=lambda shape, dtype: tf.constant(bias, dtype),
                ),
                keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(2)),
                keras.layers.Activation("tanh"),
                keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(3)),
            ]
        )


def fitted(task, logger, **arguments):
    trainer = Trainer(**{**quiet(max_epochs=1, seed=0), "logger": logger, **arguments})
    trainer.fit(task)
    return trainer


def test_layers_with_an_activation_are_counted_and_their_dead_units_told():
    task, logger = Hidden(), Kept()
    fitted(task, logger)
    relu, tanh = "activations/model.00.dense", "activations/model.01.activation"
    assert set(logger.seen) == {1, 2, 3, 4}
    for histograms in logger.seen.values():
        assert set(histograms) == {relu, tanh}
        assert histograms[relu][0].sum() == BATCH * UNITS
        assert histograms[tanh][0].sum() == BATCH * 4
        assert np.abs(histograms[tanh][1]).max() <= 1
    dead = [row["dead_units/model.00.dense"] for row in logger.rows.values() if len(row) == 1]
    assert dead
    assert min(dead) >= 2 / UNITS
    assert not any(
        "tanh" in name or "activation" in name for row in logger.rows.values() for name in row
    )


def test_counting_changes_no_weight_and_leaves_the_layers():
    counted, plain = Hidden(), Hidden()
    fitted(counted, Kept())
    fitted(plain, False)
    for a, b in zip(counted.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any("call" in vars(layer) for layer in counted.model.layers)


def test_a_checkpoint_holds_nothing_of_it(tmp_path, caplog):
    kept = {}
    for name, logger in (("with", Kept()), ("without", False)):
        trainer = fitted(Hidden(), logger)
        kept[name] = set(trainer.snapshot().tensors)
    assert kept["with"] == kept["without"]
    assert "no attribute of the task" not in caplog.text


def test_the_last_batch_before_the_update_counts_and_validation_does_not():
    class Scaled(Hidden):
        def validation_step(self, batch):
            x, y = batch
            return super().training_step((x * 1000.0, y))

    logger = Kept(every_n_steps=2)
    fitted(Scaled(), logger, max_epochs=2, val_check_interval=1)
    assert set(logger.seen) == {2, 4, 6, 8}
    largest = [each["activations/model.00.dense"][1].max() for each in logger.seen.values()]
    assert max(largest) < 100


@pytest.mark.parametrize("layer", [keras.layers.LSTM(3), keras.layers.GRU(3)])
def test_a_recurrent_layer_is_counted_and_its_cell_is_not(layer):
    class Recurrent(BoringTask):
        def configure_model(self):
            self.model = keras.Sequential(
                [keras.Input((32,)), keras.layers.Reshape((8, 4)), layer, keras.layers.Dense(2)]
            )

    logger = Kept()
    fitted(Recurrent(), logger)
    (name,) = logger.seen[1]
    assert name == f"activations/model.00.{type(layer).__name__.lower()}"
    assert logger.seen[1][name][0].sum() == BATCH * 3


def test_tensor_board_gets_them(tmp_path):
    logger = TensorBoardLogger(str(tmp_path), histograms="activations", histograms_every_n_steps=2)
    fitted(Hidden(), logger)
    (events,) = tmp_path.rglob("events*")
    content = events.read_bytes()
    assert b"activations/model.00.dense" in content
    assert b"dead_units/model.00.dense" in content
