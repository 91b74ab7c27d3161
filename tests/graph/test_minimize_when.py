"""Updates that a condition allows."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.resumable import assert_resume_is_exact
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.callbacks import EMA
from lightning_tf.exceptions import ConfigurationError


class Odd(NumberTask):
    """Adds only odd numbers to its weight."""

    def configure_optimizers(self):
        rate = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
        return {"weight": keras.optimizers.SGD(rate, momentum=0.5)}

    def training_step(self, batch):
        odd = tf.equal(tf.reduce_sum(batch) % 2.0, 1.0)
        self.minimize("weight", lambda: super(Odd, self).training_step(batch), when=odd)


def _outcome(numbers, batch_size=1, **arguments):
    ema, task = EMA(0.5), Odd(NumberData(numbers, batch_size))
    trainer = fitted(task, max_epochs=1, callbacks=[ema], **arguments)
    state = {**trainer.training.optimizers["weight"].state(), **ema.variables(), "w": task.weight}
    return {name: float(np.asarray(value)) for name, value in state.items()}, trainer


@pytest.mark.parametrize("accumulated", slow_but([1, 2], 1))
def test_nothing_moves_where_the_condition_does_not_hold(accumulated):
    both, trainer = _outcome([1, 4, 6, 3, 2, 5], accumulate_grad_batches=accumulated)
    # Windows (1), (3) and (5), or the same ones with even numbers that count nothing.
    only, _ = _outcome([1, 3, 5])
    assert trainer.global_step == 6 // accumulated
    assert {name: both[name] for name in only} == only


def test_all_replicas_with_examples_must_agree():
    arguments = {"accelerator": "cpu", "devices": 2}
    # Of batches of two each replica has one number; the last batch leaves the second without any.
    pairs, _ = _outcome([1, 3, 1, 2, 5], 2, **arguments)
    assert pairs["iteration"] == 2


def test_minimize_in_a_branch_and_a_condition_of_another_kind_are_refused_with_the_way_to_say_it():
    class Branches(Odd):
        def training_step(self, batch):
            loss_fn = lambda: NumberTask.training_step(self, batch)  # noqa: E731
            return tf.cond(batch[0] > 0.0, lambda: self.minimize("weight", loss_fn), lambda: 0.0)

    class Numbers(Odd):
        def training_step(self, batch):
            self.minimize("weight", lambda: NumberTask.training_step(self, batch), when=batch)

    with pytest.raises(ConfigurationError, match=r"inside tf.cond.*when=condition"):
        fitted(Branches(NumberData([1.0])), max_epochs=1)
    with pytest.raises(ConfigurationError, match=r"when=.*boolean"):
        fitted(Numbers(NumberData([1.0])), max_epochs=1)


@pytest.mark.slow
def test_resume_is_exact(tmp_path):
    class Third(Odd):
        def training_step(self, batch):
            due = tf.equal(self.trainer.global_step % 3, 2)
            self.minimize("weight", lambda: NumberTask.training_step(self, batch), when=due)

    assert_resume_is_exact(
        tmp_path, lambda: Third(NumberData(range(9))), lambda: [EMA(0.5)], stop=4, end=13
    )


@pytest.mark.slow
def test_a_trace_that_is_repeated_keeps_the_slots_of_small_variables():
    class Numbered(BoringTask):
        def configure_optimizers(self):
            return keras.optimizers.Adam(0.1)

        def training_step(self, batch):
            if self.trainer.global_step > 100:  # in Python: traced with the number
                raise AssertionError
            return super().training_step(batch)

    task = Numbered()
    trainer = Trainer(**quiet(max_steps=2))
    trainer.fit(task)
    state = trainer.training.optimizers[""].state()
    slots = [np.abs(np.asarray(value)).max() for name, value in state.items() if "000" in name]
    assert len(slots) == 4
    assert min(slots) > 0.0
