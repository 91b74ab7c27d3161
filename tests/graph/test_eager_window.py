"""Steps that run op by op: the same numbers, and Python that can look into them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.small_gan import small_gan

from lightning_tf import HostMetric, Trainer
from lightning_tf.checkpoint.io import read_values
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.variables import named_weights


class ManyKinds(BoringTask):
    """Dropout, batch normalization, metrics, and layers that a first batch builds."""

    def __init__(self, is_built=True, data=None):
        super().__init__(data)
        self.is_built = is_built

    def configure_model(self):
        layers = keras.layers
        self.model = keras.Sequential(
            [layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(2)]
        )
        if self.is_built:
            self.model.build((None, 32))


def weights(task):
    return read_values(named_weights(task))


def assert_alike(task, other):
    for name, value in weights(task).items():
        np.testing.assert_allclose(value, weights(other)[name], rtol=1e-5, atol=1e-6, err_msg=name)


def both(make, **options):
    """Return the tasks and Trainers of a fit as a graph and of one op by op."""
    runs = []
    for run_eagerly in (False, True):
        task = make()
        runs.append((task, fitted(task, seed=0, run_eagerly=run_eagerly, **options)))
    return runs


@pytest.mark.parametrize("is_built", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"accumulate_grad_batches": 3}, marks=pytest.mark.slow),
        {"precision": "mixed_float16", "gradient_clip_val": 1.0},
    ],
    ids=str,
)
def test_op_by_op_trains_as_the_graph_does(is_built, options):
    (task, trainer), (eager, looked) = both(lambda: ManyKinds(is_built), max_epochs=2, **options)

    exact = {} if "precision" in options else {"rtol": 1e-5}
    if exact:
        assert_alike(eager, task)
    for name, value in trainer.callback_metrics.items():
        assert looked.callback_metrics[name] == pytest.approx(value, rel=1e-5 if exact else 1e-2)


def test_losses_of_several_optimizers_are_minimized_op_by_op():
    (task, _), (eager, _) = both(small_gan, max_epochs=2)
    assert_alike(eager, task)


def test_data_of_unknown_length_train_op_by_op():
    (task, _), (eager, _) = both(
        lambda: ManyKinds(data=BoringData(known_length=False)), max_epochs=2
    )
    assert_alike(eager, task)


def test_predictions_tests_and_host_metrics_run_op_by_op():
    class Rows(HostMetric):
        def reset(self):
            self.rows = []

        def update(self, collected):
            self.rows.extend(collected["rows"])

        def compute(self):
            return float(np.sum(self.rows))

    class Collects(ManyKinds):
        def configure_host_metrics(self):
            return {"total": Rows()}

        def validation_step(self, batch):
            loss = super().validation_step(batch)
            self.collect("rows", self.model(batch[0])[:, 0])
            return loss

        def test_step(self, batch):
            return self.validation_step(batch)

    (task, trainer), (eager, looked) = both(Collects, max_epochs=1)

    tested, looked_at = trainer.test(task), looked.test(eager)
    assert looked_at == pytest.approx(tested, rel=1e-5)
    predicted, seen = trainer.predict(task, collect=True), looked.predict(eager, collect=True)
    np.testing.assert_allclose(np.concatenate(seen), np.concatenate(predicted), rtol=1e-4)


def test_python_sees_every_batch_and_what_it_did_first_does_not_count():
    seen, moved = [], []

    class Looks(NumberTask):
        def configure_model(self):
            super().configure_model()
            self.count = keras.Variable(0, dtype="int32", trainable=False)

        def training_step(self, batch):
            loss = super().training_step(batch)
            self.count.assign_add(1)
            seen.append((float(loss), self.trainer.global_step / 10))
            if loss > 1e9:  # Python's if, on a value
                moved.append(loss)
            return loss

    task = Looks(NumberData([1, 2, 3]))
    fitted(task, max_epochs=2, run_eagerly=True)

    assert [step for _, step in seen] == [0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert int(task.count) == 6
    assert seen[0] == seen[1]


def test_a_resumed_run_op_by_op_ends_with_the_same_weights(tmp_path):
    options = {"seed": 0, "run_eagerly": True, **quiet(max_epochs=2)}
    whole, half, rest = ManyKinds(False), ManyKinds(False), ManyKinds(False)
    Trainer(**options).fit(whole)

    first = Trainer(**{**options, "max_epochs": 1})
    first.fit(half)
    first.save_checkpoint(tmp_path / "half.ckpt")
    Trainer(**options).fit(rest, ckpt_path=tmp_path / "half.ckpt")
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(rest)[name], value, err_msg=name)


def test_it_is_told_and_refused_beside_what_needs_a_graph(caplog):
    fitted(NumberTask(NumberData([1])), max_epochs=1, run_eagerly=True)
    assert "steps run op by op" in caplog.text

    with pytest.raises(ConfigurationError, match="jit_compile=True: XLA compiles graphs"):
        Trainer(max_epochs=1, run_eagerly=True, jit_compile=True)
    with pytest.raises(ConfigurationError, match="2 replicas: it runs on one device"):
        Trainer(max_epochs=1, run_eagerly=True, devices=2, accelerator="cpu")


def test_python_that_needs_values_is_told_of_it_in_a_graph():
    class Reads(NumberTask):
        def training_step(self, batch):
            return super().training_step(batch) * float(tf.reduce_mean(batch))

    with pytest.raises(TypeError) as raised:
        fitted(Reads(NumberData([1])), max_epochs=1)
    assert "run_eagerly=True" in raised.value.__notes__[0]


@pytest.mark.parametrize("is_built", [True, False])
def test_data_without_a_batch_are_refused_op_by_op_too(is_built):
    class Empty(BoringData):
        def train_dataset(self, epoch):
            return super().train_dataset(epoch).take(0)

    with pytest.raises(DataError, match="empty"):
        fitted(ManyKinds(is_built, Empty()), max_epochs=1, run_eagerly=True)
