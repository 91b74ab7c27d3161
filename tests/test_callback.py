import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted, quiet

from lightning_tf import Callback, Trainer


class Every(Callback):
    def __init__(self, every):
        self.every_n_steps, self.due, self.looked = every, [], 0

    def on_train_window_end(self, trainer, task):
        self.looked += 1
        if self.is_due(trainer):
            self.due.append(trainer.global_step)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_cadence_is_honoured_exactly_and_in_updates(accumulate, length):
    callback = Every(7)
    data = NumberData(range(50), length=length)
    trainer = fitted(
        NumberTask(data), max_epochs=3, accumulate_grad_batches=accumulate, callbacks=callback
    )
    expected = list(range(7, trainer.global_step + 1, 7))
    assert callback.due == expected
    assert trainer.global_step == 3 * -(-50 // accumulate)


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_an_update_that_a_flush_completes_is_seen(length):
    callback = Every(3)
    data = NumberData([1, 2, 3, 4, 5], length=length)
    fitted(NumberTask(data), max_epochs=2, accumulate_grad_batches=2, callbacks=callback)
    assert callback.due == [3, 6]


def test_several_cadences_do_not_disturb_each_other():
    three, five = Every(3), Every(5)
    fitted(NumberTask(NumberData(range(31))), max_epochs=1, callbacks=[three, five])
    assert three.due == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
    assert five.due == [5, 10, 15, 20, 25, 30]
    assert three.looked == five.looked


def test_a_callback_without_a_cadence_is_never_due():
    callback = Every(None)
    fitted(NumberTask(NumberData(range(10))), max_epochs=1, callbacks=callback)
    assert callback.looked > 0
    assert callback.due == []


def test_the_name_of_the_state_is_the_class():
    assert Every(1).state_key == "Every"
    assert Callback().state_dict() == {}


@pytest.mark.parametrize("method", ["on_fit_start", "on_train_epoch_end", "teardown"])
def test_the_base_class_does_nothing(method):
    arguments = (None, None, "fit") if method == "teardown" else (None, None)
    assert getattr(Callback(), method)(*arguments) is None


# ---- what a callback adds to the compiled step


class Sums(Callback):
    """Adds up the weight after every update, on the device."""

    def on_optimizers_configured(self, trainer, task):
        assert task.traced == {"training": 0, "validation": 0}
        self.resumed_to, self.total = trainer.global_step, tf.Variable(0.0)
        for optimizer in trainer.training.optimizers.values():
            optimizer.call_after_update(self.add)

    def add(self, variables):
        for variable in variables:
            self.total.assign_add(tf.convert_to_tensor(variable))

    def variables(self):
        return {"total": self.total}


def test_a_callback_acts_after_every_update_and_its_variables_are_resumed(tmp_path):
    numbers = [1, 2, 3, 4, 5, 6]
    sums = Sums()
    trainer = fitted(NumberTask(NumberData(numbers)), max_steps=4, callbacks=[sums])
    trainer.save_checkpoint(tmp_path / "four")
    assert float(sums.total) == -(1 + 3 + 6 + 10)
    rest = Sums()
    again = Trainer(**quiet(max_epochs=1, callbacks=[rest]))
    again.fit(NumberTask(NumberData(numbers)), ckpt_path=tmp_path / "four")
    assert rest.resumed_to == 0
    assert float(rest.total) == -(1 + 3 + 6 + 10 + 15 + 21)
