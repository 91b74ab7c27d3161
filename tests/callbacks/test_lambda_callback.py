import pytest
from helpers.boring import BoringTask, fitted

from lightning_tf.callbacks import LambdaCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hooks import overrides


def test_functions_are_called_as_the_hooks_of_their_names():
    calls = []
    callback = LambdaCallback(
        setup=lambda trainer, task, stage: calls.append(stage),
        on_train_epoch_end=lambda trainer, task: calls.append(trainer.current_epoch),
        on_fit_end=lambda trainer, task: calls.append(type(task).__name__),
    )
    fitted(BoringTask(), max_epochs=2, callbacks=[callback])
    assert calls == ["fit", 0, 1, "BoringTask"]


def test_a_cadence_in_updates_leaves_windows_long():
    steps, windows = [], []
    callback = LambdaCallback(
        3,
        lambda trainer, task: steps.append(trainer.global_step),
        on_train_window_end=lambda trainer, task: windows.append(trainer.global_step),
    )
    fitted(BoringTask(), max_steps=10, log_every_n_steps=50, callbacks=[callback])
    assert steps == [3, 6, 9]
    assert set(steps) < set(windows)
    assert not overrides(callback, "on_train_batch_end")


def test_batches_can_be_watched():
    batches = []
    callback = LambdaCallback(
        on_train_batch_end=lambda trainer, task, outputs, index: batches.append(
            (index, "loss" in outputs)
        )
    )
    fitted(BoringTask(), max_epochs=1, callbacks=[callback])
    assert batches == [(0, True), (1, True), (2, True), (3, True)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_train_epoch_ned": print}, "Did you mean 'on_train_epoch_end'"),
        ({"on_train_end": 3}, "on_train_end=3"),
        ({"every_n_steps": 3}, "together"),
        ({"on_every_n_steps": print}, "together"),
        ({"every_n_steps": 0, "on_every_n_steps": print}, "every_n_steps is 0"),
        ({"state_dict": dict}, "no hook 'state_dict'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        LambdaCallback(**arguments)
