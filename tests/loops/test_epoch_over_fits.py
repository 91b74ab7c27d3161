"""An epoch begins once and ends once, over however many fits and processes it stretches."""

import keras
import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, quiet

from lightning_tf import END_EPOCH, Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.exceptions import ConfigurationError


class Epochs(Callback):
    """Records begins and ends, each with the epoch and the update."""

    def __init__(self):
        self.begun, self.ended = [], []

    def on_train_epoch_start(self, trainer, task):
        if not trainer.resumed_in_epoch:
            self.begun.append((trainer.current_epoch, trainer.global_step))

    def on_train_epoch_end(self, trainer, task):
        self.ended.append((trainer.current_epoch, trainer.global_step))


WHOLE = [(0, 0), (1, 4)], [(0, 4), (1, 8)]


def task(**data):
    return NumberTask(NumberData(range(4), **data))


def one_trainer(number, changes, **arguments):
    """Fit again and again, each time with other limits."""
    epochs, rows = Epochs(), Rows()
    trainer = Trainer(**quiet(callbacks=epochs, logger=rows, **arguments))
    for change in changes:
        for name, value in change.items():
            setattr(trainer, name, value)
        trainer.fit(number)
    return epochs, rows


@pytest.mark.parametrize(
    "changes",
    [
        [{"max_steps": 2}, {"max_steps": 8}],
        [{"max_steps": 1}, {"max_steps": 2}, {"max_steps": 3}, {"max_steps": 8}],
        [{"max_steps": 4}, {"max_steps": 8}],
        [{"max_steps": 6}, {"max_steps": None, "max_epochs": 2}],
        [{"max_steps": 5, "max_time": "00:00:00:00"}, {"max_time": None, "max_steps": 8}],
    ],
    ids=lambda changes: str(len(changes)) + str(list(changes[0])),
)
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_over_several_fits(changes, length):
    epochs, rows = one_trainer(task(length=length), changes)
    assert (epochs.begun, epochs.ended) == WHOLE
    assert [step for step, _ in rows.column("train/loss_epoch")] == [4, 8]


def test_where_a_lower_limit_leaves_nothing_of_it():
    epochs, _ = one_trainer(
        task(), [{"max_steps": 3}, {"limit_train_batches": 2, "max_steps": None, "max_epochs": 2}]
    )
    assert epochs.ended == [(0, 3), (1, 5)]


def test_where_an_exception_ended_the_fit():
    class Fails(Callback):
        def on_train_batch_end(self, trainer, task, outputs, batch_idx):
            if trainer.global_step == 2 and not self.failed:
                self.failed = True
                raise KeyboardInterrupt

    fails, epochs = Fails(), Epochs()
    fails.failed = False
    trainer, number = Trainer(**quiet(max_epochs=2, callbacks=[fails, epochs])), task()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(number)
    assert trainer.interrupted
    trainer.fit(number)
    assert not trainer.interrupted
    assert (epochs.begun, epochs.ended) == WHOLE


def test_where_a_stop_ended_it_its_rest_has_no_second_end():
    class Stops(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            if trainer.global_step == 2:
                trainer.request_stop("enough")

    epochs = Epochs()
    trainer, number = Trainer(**quiet(max_epochs=2, callbacks=[Stops(), epochs])), task()
    trainer.fit(number)
    assert epochs.ended == [(0, 2)]
    trainer.fit(number)
    assert epochs.ended == [(0, 2), (1, 8)]
    assert epochs.begun == WHOLE[0]


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_a_run_in_two_processes_has_the_rows_of_one(tmp_path, steps):
    def run(ckpt_path=None, **limits):
        epochs, rows = Epochs(), Rows()
        trainer = Trainer(**quiet(callbacks=epochs, logger=rows, log_every_n_steps=1, **limits))
        trainer.fit(task(), ckpt_path=ckpt_path)
        return trainer, epochs, rows

    _, epochs, rows = run(max_epochs=2)
    cut, first, before = run(max_steps=steps)
    cut.save_checkpoint(tmp_path / "c")
    _, second, after = run(tmp_path / "c", max_epochs=2)

    assert first.begun + second.begun == epochs.begun
    assert first.ended + second.ended == epochs.ended
    for name in ("train/loss", "train/loss_epoch"):
        assert before.column(name) + after.column(name) == rows.column(name)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_relative_actions_of_keras_happen_once_an_epoch(tmp_path):
    def run(ckpt_path=None, trainer=None, number=None, **limits):
        halves = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        trainer = trainer or Trainer(**quiet(callbacks=halves, **limits))
        for name, value in limits.items():
            setattr(trainer, name, value)
        trainer.fit(number or BoringTask(), ckpt_path=ckpt_path)
        return trainer

    def rate(trainer):
        return float(trainer.optimizers[""].learning_rate)

    trainer = run(max_steps=2)
    trainer.save_checkpoint(tmp_path / "c")
    assert rate(trainer) == pytest.approx(0.05)
    assert rate(run(tmp_path / "c", max_epochs=2)) == pytest.approx(0.025)
    assert rate(run(trainer=trainer, number=trainer.task, max_steps=3)) == pytest.approx(0.05)


def test_a_checkpoint_of_each_epoch_is_also_that_of_one_that_a_limit_cuts(tmp_path):
    saves = ModelCheckpoint(tmp_path, save_top_k=-1, filename="{step}")
    trainer = Trainer(**quiet(max_steps=6, enable_checkpointing=True, callbacks=saves))
    trainer.fit(task())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step=4.ckpt", "step=6.ckpt"]


# ---- a hook that ends an epoch


class Ends(Callback):
    def __init__(self, answer, at=2):
        self.answer, self.at = answer, at

    def on_train_batch_start(self, trainer, task, batch_idx):
        return self.answer if batch_idx == self.at else None


@pytest.mark.parametrize("length", ["known", "unknown"])
@pytest.mark.parametrize("at", [0, 2, 3])
def test_a_hook_ends_an_epoch_before_a_batch(length, at):
    epochs = Epochs()
    trainer = Trainer(**quiet(max_epochs=3, callbacks=[Ends(END_EPOCH, at), epochs]))
    trainer.fit(task(length=length, held_out=[1]))
    assert trainer.global_step == 3 * at
    assert epochs.ended == [(epoch, (epoch + 1) * at) for epoch in range(3)]


def test_an_epoch_that_a_hook_ends_is_validated_and_its_window_of_accumulation_flushed():
    rows = Rows()
    arguments = {"accumulate_grad_batches": 2, "logger": rows, "num_sanity_val_steps": 0}
    trainer = Trainer(**quiet(max_epochs=2, callbacks=Ends(END_EPOCH, 3), **arguments))
    trainer.fit(task(held_out=[1]))
    assert [step for step, _ in rows.column("val/loss")] == [2, 4]
    assert trainer.global_step == 4


def test_the_number_of_lightning_ends_it_too():
    trainer = Trainer(**quiet(max_epochs=2, callbacks=Ends(-1)))
    trainer.fit(task())
    assert trainer.global_step == 4


@pytest.mark.parametrize("answer", [True, False, 0, "skip"])
def test_another_answer_is_refused(answer):
    with pytest.raises(ConfigurationError, match="END_EPOCH"):
        Trainer(**quiet(max_epochs=1, callbacks=Ends(answer))).fit(task())
