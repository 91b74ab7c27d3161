"""What a checkpoint of several replicas holds, and how it comes back on as many, more or one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted
from helpers.replicated import furthest, trainer_of

from lightning_tf.checkpoint.io import Snapshot, assign_tensors, read_checkpoint, write_checkpoint
from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.distribute.sync_on_read import SyncOnRead, adapt_tensors, is_sync_on_read
from lightning_tf.distribute.workers import Workers
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.variables import all_variables

TWO = choose_placement("cpu", 2, "auto")


class Whole(keras.metrics.Metric):
    """Sums of whole numbers and of fractions."""

    def __init__(self):
        super().__init__()
        self.count = self.add_variable((), "zeros", dtype="int32", name="count")
        self.total = self.add_variable((2,), "zeros", name="total")

    def result(self):
        return self.total[0]


def stage_metrics(placement):
    class Template:
        def configure_metrics(self):
            return {"whole": Whole()}

        def configure_host_metrics(self):
            return {}

    with placement.scope():
        return StageMetrics(Template(), placement)


def test_parts_are_saved_and_given_back_exactly():
    metric = stage_metrics(TWO).metrics["whole"]
    assert is_sync_on_read(metric.count)
    with TWO.scope():
        values = SyncOnRead(metric.count, Workers(None, None))
        values.assign(tf.constant([4, 3]))
        assert values.read_value().numpy().tolist() == [4, 3]
        assert int(metric.count.numpy()) == 7
        # What this is for: a whole that is assigned is divided, here with a remainder.
        metric.count.assign(7)
        assert int(metric.count.numpy()) == 6


def test_a_checkpoint_gives_every_replica_its_own_part_back(tmp_path):
    saved, loaded = stage_metrics(TWO), stage_metrics(TWO)
    variable = next(v for name, v in saved.state().items() if "0001" in name)
    values = np.array([[0.1, 1.0], [0.7, 2.0]], "float32")
    variable.assign(tf.constant(values))
    write_checkpoint(tmp_path / "one", Snapshot.of(saved.state(), {}))
    tensors = read_checkpoint(tmp_path / "one").tensors
    assign_tensors(loaded.state(), adapt_tensors(loaded.state(), tensors), "one")
    variable = next(v for name, v in loaded.state().items() if "0001" in name)
    np.testing.assert_array_equal(variable.read_value().numpy(), values)


def named(metrics):
    return {f"m.{name}": variable for name, variable in metrics.state().items()}


def test_a_whole_becomes_parts_and_parts_a_whole():
    one, two = stage_metrics(choose_placement("cpu", 1, "auto")), stage_metrics(TWO)
    four = stage_metrics(choose_placement("cpu", 4, "auto"))
    whole = {"m.whole.0000": np.int32(7), "m.whole.0001": np.array([0.5, 2.0], "float32")}
    assert set(adapt_tensors(named(two), whole)) >= {
        "m.whole.0000.replicas",
        "m.whole.0001.replicas",
    }
    divided = {k: v for k, v in adapt_tensors(named(two), whole).items() if k.endswith("replicas")}
    assert divided["m.whole.0000.replicas"].tolist() == [7, 0]
    assert divided["m.whole.0001.replicas"].tolist() == [[0.5, 2.0], [0.0, 0.0]]
    again = adapt_tensors(named(one), divided)
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value)
        assert again[name].dtype == value.dtype
    wider = adapt_tensors(named(four), divided)
    assert wider["m.whole.0000.replicas"].tolist() == [7, 0, 0, 0]


class Resumed(BoringTask):
    """Everything that a resumed run must take up: masks, slots, statistics, running means."""

    def configure_model(self):
        layers = [
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.BatchNormalization(synchronized=True),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2),
        ]
        self.model = keras.Sequential([keras.Input((32,)), *layers])

    def configure_optimizers(self):
        return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-2, 30))

    def configure_metrics(self):
        mean = keras.metrics.MeanMetricWrapper(keras.losses.sparse_categorical_crossentropy)
        mean._fn_kwargs = {"from_logits": True}
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy(), "mean": mean}


class ShortData(BoringData):
    def __init__(self):
        super().__init__(batch_size=5)
        self.x, self.y = self.x[:31], self.y[:31]  # six batches and one of a single example


def finished(devices, ckpt_path=None, max_steps=9, **arguments):
    """Fit, from a checkpoint where one is given; return the Trainer and what it has come to."""
    task = Resumed(ShortData())
    trainer = trainer_of(devices, seed=3, max_steps=max_steps, **arguments)
    trainer.fit(task, ckpt_path=ckpt_path)
    values = {name: np.asarray(v.numpy()) for name, v in all_variables(task).items()}
    return trainer, values | {k: np.asarray(v) for k, v in trainer.callback_metrics.items()}


@pytest.mark.distributed
@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("mixed_float16", marks=[pytest.mark.distributed, pytest.mark.slow])],
)
def test_a_run_on_two_replicas_resumes_bit_for_bit(tmp_path, precision):
    arguments = {"precision": precision, "accumulate_grad_batches": 2, "log_every_n_steps": 3}
    _, never_killed = finished(2, **arguments)
    trainer, _ = finished(2, max_steps=6, **arguments)
    assert trainer.batch_idx > 0  # inside the second epoch
    trainer.save_checkpoint(tmp_path / "half")
    _, resumed = finished(2, ckpt_path=tmp_path / "half", **arguments)
    assert set(resumed) == set(never_killed)
    for name, value in never_killed.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


class NoDropout(Resumed):
    """Masks depend on the number of replicas; all else does not."""

    def configure_model(self):
        super().configure_model()
        self.model.layers[2].rate = 0.0


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("before", "after"), [(2, 1), (1, 2), pytest.param(2, 4, marks=pytest.mark.distributed)]
)
def test_a_checkpoint_loads_on_another_number_of_replicas(tmp_path, monkeypatch, before, after):
    monkeypatch.setitem(globals(), "Resumed", NoDropout)
    _, never_killed = finished(1)
    trainer, half = finished(before, max_steps=8)
    trainer.save_checkpoint(tmp_path / "half")
    _, resumed = finished(after, ckpt_path=tmp_path / "half")
    assert furthest(half, resumed)[1] > 1e-3  # it has trained on
    name, apart = furthest(never_killed, resumed)
    assert apart < 1e-4, f"{name} differs by {apart:.1e}"


@pytest.mark.distributed
def test_weights_of_two_replicas_evaluate_alike_on_one_device(tmp_path):
    task = BoringTask()
    trainer = fitted(task, max_epochs=1, accelerator="cpu", devices=2)
    expected = trainer.test(task)
    trainer.save_checkpoint(tmp_path / "weights", weights_only=True)
    for devices in (1, 2):
        values = trainer_of(devices).test(BoringTask(), ckpt_path=tmp_path / "weights")
        assert values == pytest.approx(expected, rel=1e-6)
