"""mixed_float16 on replicas: an overflow on any one of them skips the update on all."""

import keras
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, Rows, fitted, quiet
from helpers.replica_tasks import BAD, FewData, Overflows
from helpers.replicated import assert_equal_on_replicas

from lightning_tf import Trainer
from lightning_tf.data import Digits
from lightning_tf.optimizers.loss_scaler import INITIAL_LOSS_SCALE
from lightning_tf.tasks import ImageClassification


# The two bad examples are the first replica's and the second's.
@pytest.mark.parametrize("bad_batch", [[BAD, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, BAD]])
def test_infinity_on_either_replica_skips_the_update_and_halves_the_scale_once(bad_batch):
    logger = Rows()
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.5])
    task = Overflows(
        NumberData([1, 1, 1, 1, *bad_batch, 2, 2, 2, 2], 4), keras.optimizers.SGD(rate)
    )
    arguments = {"accelerator": "cpu", "devices": 2, "precision": "16-mixed"}
    trainer = fitted(task, max_epochs=1, log_every_n_steps=1, logger=logger, **arguments)
    optimizer = trainer.training.optimizers[""]
    assert float(optimizer.loss_scaler.scale.numpy()) == INITIAL_LOSS_SCALE / 2
    assert int(optimizer.loss_scaler.finite_updates.numpy()) == 1
    assert logger.column("train/skipped_updates") == [(1, 0.0), (2, 1.0), (3, 1.0)]
    # The schedule has counted one update before the third batch.
    assert int(trainer.optimizers[""].iterations.numpy()) == 2
    assert float(task.weight.numpy()) == -1.0 * 1.0 - 1.0 * 2.0
    for variable in (task.weight.value, optimizer.loss_scaler.scale):
        copies = trainer.placement.strategy.experimental_local_results(variable)
        assert len({float(copy.numpy()) for copy in copies}) == 1


@pytest.mark.distributed
def test_an_overflow_is_left_out_of_its_window_of_accumulation():
    numbers = [1, 1, 1, BAD, 4, 4, 2, 2]
    arguments = {"accelerator": "cpu", "precision": "16-mixed", "accumulate_grad_batches": 3}
    for devices in (1, 2):
        task = Overflows(NumberData(numbers, 2), keras.optimizers.SGD(1.0))
        trainer = fitted(task, max_epochs=1, devices=devices, **arguments)
        assert float(task.weight.numpy()) == -(1 + 4) / 2 - 2
        assert trainer.callback_metrics["skipped_updates"] == 1.0


def test_each_optimizer_has_its_own_scale():
    class Two(Overflows):
        def configure_model(self):
            super().configure_model()
            self.other = keras.Variable(0.0)

        def configure_optimizers(self):
            return {"weight": keras.optimizers.SGD(1.0), "other": keras.optimizers.SGD(1.0)}

        def training_step(self, batch):
            bad = super().training_step(batch)
            return {"weight": bad, "other": tf.reduce_mean(tf.abs(batch)) * self.other}

    task = Two(NumberData([1, BAD], 2))
    trainer = fitted(task, max_epochs=1, accelerator="cpu", devices=2, precision="16-mixed")
    scales = {n: float(o.loss_scaler.scale.numpy()) for n, o in trainer.training.optimizers.items()}
    assert scales == {"weight": INITIAL_LOSS_SCALE / 2, "other": INITIAL_LOSS_SCALE}
    assert float(task.weight.numpy()) == 0.0
    assert float(task.other.numpy()) == -(1 - BAD) / 2


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_rows_have_no_skipped_updates_where_losses_are_not_scaled(precision):
    trainer = fitted(BoringTask(), max_epochs=1, precision=precision)
    assert "skipped_updates" not in trainer.callback_metrics


@pytest.mark.distributed
def test_half_precision_trains_alike_on_replicas():
    assert_equal_on_replicas(
        lambda: BoringTask(FewData()),
        tolerance=0.02,  # float16 has three digits
        precision="16-mixed",
        gradient_clip_val=0.05,
    )


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_mixed_precision_trains_digits_to_the_accuracy_of_float32(devices):
    accuracy = {}
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        task = ImageClassification(data=Digits(batch_size=32), network="convnet")
        arguments = {"accelerator": "cpu", "devices": devices, "precision": precision}
        trainer = Trainer(**quiet(max_epochs=20, seed=0, **arguments))
        trainer.fit(task)
        accuracy[precision] = trainer.test(task)["test_accuracy"]
        assert keras.config.dtype_policy().name == "float32"
        compute = {layer.compute_dtype for layer in task.model.layers if layer.weights}
        assert compute >= {keras.DTypePolicy(precision).compute_dtype}
    assert accuracy["float32"] > 0.95
    assert accuracy["mixed_bfloat16"] == pytest.approx(accuracy["float32"], abs=0.01)
    assert accuracy["mixed_float16"] == pytest.approx(accuracy["float32"], abs=0.01)
