"""How gradients travel between replicas: their dtype, their packs, and how often."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, fitted, quiet
from helpers.replica_tasks import BAD, FewData, Normalized, Overflows
from helpers.replicated import assert_equal_on_replicas, furthest, outcome

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.distribute import gradient_reduction
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.optimizers.loss_scaler import INITIAL_LOSS_SCALE

TWO = {"accelerator": "cpu", "devices": 2}


@pytest.fixture
def sent(monkeypatch):
    """The dtype and size of every tensor that is summed with gradients while steps are traced."""
    tensors = []

    def all_reduce(values, options):
        flat = [value for value in tf.nest.flatten(values[1]) if value is not None]
        tensors.append([(value.dtype.name, int(np.prod(value.shape))) for value in flat])
        return original(values, options)

    original = gradient_reduction.all_reduce
    monkeypatch.setattr(gradient_reduction, "all_reduce", all_reduce)
    return tensors


def test_gradients_of_the_last_layer_are_sent_first(sent):
    task = BoringTask()
    fitted(task, max_epochs=1, **TWO)
    sizes = [size for _, size in sent[0]]
    assert sizes == [int(np.prod(v.shape)) for v in task.model.trainable_variables][::-1]


def test_accumulated_gradients_travel_once_an_update(sent):
    """Beside the step, which sends values alone, there is the update, traced by itself."""
    fitted(BoringTask(), max_epochs=1, accumulate_grad_batches=2, **TWO)
    by_batch, by_update = sent[:2], sent[2:]
    assert by_batch == [[], []]  # a trace for each replica
    assert all(by_update)


@pytest.mark.parametrize("accumulate", [1, pytest.param(3, marks=pytest.mark.distributed)])
def test_a_narrow_dtype_rounds_gradients_once_and_sums_them_in_float32(accumulate):
    """1 + 2**-9 has more bits than bfloat16: each replica sends 1, and so does their mean."""
    outcomes = {}
    for dtype in (None, "bfloat16"):
        task = Overflows(NumberData([1 + 2**-9] * 6, 2), keras.optimizers.SGD(1.0))
        arguments = {"accumulate_grad_batches": accumulate, "gradient_reduction_dtype": dtype}
        fitted(task, max_epochs=1, **arguments, **TWO)
        outcomes[dtype] = float(task.weight.numpy()) * accumulate / 3
    assert outcomes[None] == pytest.approx(-(1 + 2**-9), abs=1e-6)
    assert outcomes["bfloat16"] == -1.0


@pytest.mark.distributed
def test_bfloat16_moves_weights_by_its_own_rounding_alone():
    exact, narrow = (
        outcome(lambda: Normalized(FewData()), 2, gradient_reduction_dtype=dtype)
        for dtype in (None, "bfloat16")
    )
    name, apart = furthest(exact, narrow)
    assert 0.0 < apart < 0.05, name


@pytest.mark.distributed
@pytest.mark.parametrize("precision", ["float32", "16-mixed"])
def test_accumulation_of_weighted_and_clipped_batches_equals_one_device(precision):
    assert_equal_on_replicas(
        lambda: Normalized(FewData()),
        accumulate_grad_batches=3,
        gradient_clip_val=0.01,
        precision=precision,
        tolerance=1e-5 if precision == "float32" else 2e-3,
    )


def test_a_sum_that_overflows_in_float16_skips_the_update_and_halves_the_scale():
    """Each gradient is finite in float32; scaled for its way it leaves float16's range."""
    numbers = [1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0]
    task = Overflows(NumberData(numbers, 2), keras.optimizers.SGD(1.0))
    arguments = {"precision": "16-mixed", "gradient_reduction_dtype": "float16", **TWO}
    trainer = fitted(task, max_epochs=1, accumulate_grad_batches=2, **arguments)
    assert float(task.weight.numpy()) == -1.0
    scaler = trainer.training.optimizers[""].loss_scaler
    assert float(scaler.scale.numpy()) == INITIAL_LOSS_SCALE / 2
    assert trainer.callback_metrics["skipped_updates"] == 1.0


@pytest.mark.distributed
def test_an_overflow_on_the_second_replica_is_left_out_of_the_window():
    task = Overflows(NumberData([1, 1, 1, BAD, 4, 4], 2), keras.optimizers.SGD(1.0))
    arguments = {"precision": "16-mixed", "accumulate_grad_batches": 3, **TWO}
    trainer = fitted(task, max_epochs=1, **arguments)
    assert float(task.weight.numpy()) == -(1 + 4) / 2
    assert trainer.callback_metrics["skipped_updates"] == 1.0


@pytest.mark.distributed
@pytest.mark.parametrize("then", [1, 2])
def test_resume_inside_an_accumulation_window_of_replicas(tmp_path, then):
    """Every replica has sums of its own there, which one device takes together."""

    def run(devices, resume=None, **arguments):
        keras.utils.set_random_seed(0)
        task = Normalized(FewData())
        trainer = Trainer(
            **quiet(accelerator="cpu", devices=devices, seed=3, **arguments),
            accumulate_grad_batches=3,
        )
        trainer.fit(task, ckpt_path=resume)
        return trainer, [v.numpy() for v in task.model.variables]

    _, whole = run(2, max_epochs=2)
    path = tmp_path / "inside.ckpt"

    class Saves(ModelCheckpoint):
        """Writes after the fourth batch, one into the second window."""

        def on_train_batch_end(self, trainer, task, outputs, batch_idx):
            if trainer.progress.total_batches == 4:
                trainer.save_checkpoint(path)

    run(2, max_epochs=1, callbacks=[Saves(tmp_path / "others")], enable_checkpointing=True)
    held = [name for name in read_checkpoint(path).tensors if "accumulator." in name]
    assert held
    assert all(name.endswith(".replicas") for name in held)

    _, resumed = run(then, path, max_epochs=2)
    for expected, value in zip(whole, resumed, strict=True):
        if then == 2:
            np.testing.assert_array_equal(value, expected)
        else:
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_between_two_updates_holds_no_sums(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path)
    arguments = quiet(max_epochs=1, callbacks=[checkpoint], accumulate_grad_batches=2)
    Trainer(**{**arguments, "enable_checkpointing": True}).fit(BoringTask())
    held = read_checkpoint(checkpoint.best_model_path).tensors
    assert not [name for name in held if "accumulator." in name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gradient_reduction_dtype": "bf16"}, "Did you mean 'bfloat16'"),
        ({"gradient_reduction_dtype": "float16"}, "without a loss scale"),
        ({"communication_options": {"bytes_per_pack": 3}}, "CommunicationOptions"),
    ],
)
def test_what_cannot_travel_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Trainer(max_steps=1, **TWO, **arguments)


@pytest.mark.distributed
def test_options_of_the_user_reach_every_sum_of_gradients(monkeypatch):
    mine = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=1024)
    got, original = [], gradient_reduction.all_reduce
    monkeypatch.setattr(
        gradient_reduction,
        "all_reduce",
        lambda values, options: got.append(options) or original(values, options),
    )
    fitted(BoringTask(), max_epochs=1, communication_options=mine, **TWO)
    assert {each.bytes_per_pack for each in got} == {1024}
