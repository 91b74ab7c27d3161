"""A checkpoint that does not fit the run is refused or said: optimizers, data, limits."""

import itertools
import logging
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, fitted, quiet
from helpers.resumable import TwoParts, bits
from helpers.variants import slow_but

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.callbacks import (
    EMA,
    EarlyStopping,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    ReduceLROnPlateau,
    Timer,
)
from lightning_tf.checkpoint.io import read_run
from lightning_tf.data.array_data import ArrayData
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.tasks import KerasTask
from lightning_tf.variables import all_variables

optimizers, schedules = keras.optimizers, keras.optimizers.schedules


class Optimized(BoringTask):
    """Trains with what a function makes."""

    def __init__(self, make):
        super().__init__()
        self.make = make
        self.hparams = {}  # a function of another name is no other run here

    def configure_optimizers(self):
        return self.make()


def fit(task, ckpt_path=None, weights_only=False, **arguments):
    trainer = Trainer(**quiet(**{"max_epochs": 1, "seed": 0, **arguments}))
    trainer.fit(task, ckpt_path=ckpt_path, weights_only=weights_only)
    return trainer


def saved(tmp_path, task, **arguments):
    path = tmp_path / "saved"
    fit(task, **arguments).save_checkpoint(path)
    return path


def rate_of(trainer, name=""):
    return float(trainer.optimizers[name].learning_rate)


def warnings_of(caplog):
    """What was warned of; that a checkpoint's writer is missing afterwards is another test's."""
    texts = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [text for text in texts if "takes the state of ModelCheckpoint" not in text]


# ---- optimizers


KINDS = {
    "SGD": optimizers.SGD,
    "SGD with momentum": lambda rate: optimizers.SGD(rate, momentum=0.9),
    "Adam": optimizers.Adam,
    "AMSGrad": lambda rate: optimizers.Adam(rate, amsgrad=True),
    "AdamW": optimizers.AdamW,
    "RMSprop": optimizers.RMSprop,
    "Adafactor": optimizers.Adafactor,
    "Nadam": optimizers.Nadam,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A checkpoint of every kind, after one epoch at the rate 0.01."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, kind in KINDS.items():
        trainer = fit(Optimized(lambda kind=kind: kind(0.01)), limit_val_batches=0)
        trainer.save_checkpoint(folder / name)
    return folder


@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param(*pair, marks=[] if pair in itertools.pairwise(KINDS) else pytest.mark.slow)
        for pair in itertools.permutations(KINDS, 2)
    ],
)
def test_every_other_optimizer_is_refused_with_both_named(written, was, now):
    task = Optimized(lambda: KINDS[now](0.01))
    with pytest.raises(CheckpointError) as refused:
        fit(task, written / was, max_epochs=2)
    text = str(refused.value)
    assert f"the optimizer was {type(KINDS[was](0.1)).__name__} (slots: " in text
    assert f"and is {type(KINDS[now](0.1)).__name__} (slots: " in text
    assert "weights_only=True" in text


@pytest.mark.parametrize("kind", slow_but(KINDS, "SGD with momentum", "AdamW"))
def test_the_same_optimizer_goes_on_and_another_rate_wins(written, kind, caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(Optimized(lambda: KINDS[kind](0.01)), written / kind, max_epochs=2)
        assert warnings_of(caplog) == []
        assert rate_of(again) == np.float32(0.01)

        again = fit(Optimized(lambda: KINDS[kind](0.5)), written / kind, max_epochs=2)
        assert again.global_step == 8
        assert rate_of(again) == 0.5
    (said,) = warnings_of(caplog)
    assert said.endswith("goes on as it is configured now: learning_rate 0.01 -> 0.5.")


def test_nothing_is_assigned_where_an_optimizer_is_refused(written):
    task = Optimized(lambda: optimizers.SGD(0.01))
    trainer = Trainer(**quiet(max_epochs=2, seed=7))
    with pytest.raises(CheckpointError, match="was Adam"):
        trainer.fit(task, ckpt_path=written / "Adam")
    fresh = Optimized(lambda: optimizers.SGD(0.01))
    with pytest.raises(CheckpointError):
        Trainer(**quiet(max_epochs=2, seed=7)).fit(fresh, ckpt_path=written / "RMSprop")
    assert bits(all_variables(task)) == bits(all_variables(fresh))
    assert trainer.global_step == 0


def test_every_hyperparameter_that_changed_is_said_once(tmp_path, caplog):
    path = saved(
        tmp_path, Optimized(lambda: optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=1.0))
    )
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(Optimized(lambda: optimizers.AdamW(0.01, weight_decay=0.2)), path, max_epochs=2)
    (said,) = warnings_of(caplog)
    assert "weight_decay 0.1 -> 0.2" in said
    assert "clipnorm 1 -> None" in said
    assert "learning_rate" not in said
    assert again.optimizers[""].weight_decay == 0.2


def cosine(steps):
    return schedules.CosineDecay(0.1, steps)


RATES = {
    "another decay": (lambda: cosine(10), lambda: cosine(20), "decay_steps 10 -> 20", 8),
    "a schedule for a rate": (lambda: 0.01, lambda: cosine(20), "0.01 -> CosineDecay", 8),
    "a rate for a schedule": (lambda: cosine(10), lambda: 0.25, "CosineDecay -> 0.25", None),
    "another function": (
        lambda: lambda: 0.25,
        lambda: lambda: 0.5,
        "constants [None, 0.25] -> [None, 0.5]",
        None,
    ),
    "another schedule": (
        lambda: cosine(10),
        lambda: schedules.ExponentialDecay(0.1, 4, 0.5),
        "CosineDecay -> ExponentialDecay",
        8,
    ),
}


@pytest.mark.parametrize("name", slow_but(RATES, "another decay", "a rate for a schedule"))
def test_another_schedule_wins_at_the_restored_count_of_updates(tmp_path, caplog, name):
    was, now, said, step = RATES[name]
    path = saved(tmp_path, Optimized(lambda: optimizers.Adam(was())))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(Optimized(lambda: optimizers.Adam(now())), path, max_epochs=2)
    assert said in "".join(warnings_of(caplog))
    assert int(again.optimizers[""].iterations) == 8
    expected = now() if step is None else float(now()(step))
    expected = expected() if callable(expected) else expected
    assert rate_of(again) == pytest.approx(expected, rel=1e-6)


class Halves(schedules.LearningRateSchedule):
    """A schedule that cannot say how it is configured."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate / 2.0 ** tf.cast(step, tf.float32)


class Odd(optimizers.SGD):
    """Has a configuration that JSON cannot hold, and numbers that are not Python's."""

    def get_config(self):
        own = {"table": np.ones((2, 2)), "scale": np.float32(0.5), "act": tf.nn.relu}
        return {**super().get_config(), **own}


class Mute(optimizers.SGD):
    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    "make",
    [
        lambda: Odd(0.01),
        pytest.param(lambda: Mute(0.01), marks=pytest.mark.slow),
        lambda: optimizers.SGD(Halves(0.1)),
        pytest.param(lambda: optimizers.SGD(lambda: 0.1), marks=pytest.mark.slow),
    ],
    ids=["odd values", "no configuration", "a mute schedule", "a function"],
)
def test_what_an_optimizer_cannot_tell_hinders_nobody(tmp_path, caplog, make):
    path = saved(tmp_path, Optimized(make))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        assert fit(Optimized(make), path, max_epochs=2).global_step == 8
    assert warnings_of(caplog) == []


def test_another_number_of_a_mute_schedule_is_said(tmp_path, caplog):
    path = saved(tmp_path, Optimized(lambda: optimizers.SGD(Halves(0.1))))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(Optimized(lambda: optimizers.SGD(Halves(0.5))), path, max_epochs=2)
    assert "learning_rate.rate 0.1 -> 0.5" in caplog.text


def test_a_rate_of_a_mute_optimizer_wins_too(tmp_path, caplog):
    path = saved(tmp_path, Optimized(lambda: Mute(0.01)))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(Optimized(lambda: Mute(0.5)), path, max_epochs=2)
    assert rate_of(again) == 0.5
    assert "learning_rate 0.01 -> 0.5" in caplog.text


def test_a_rate_that_a_callback_moved_is_restored(tmp_path, caplog):
    class Flat(Optimized):
        def validation_step(self, batch):
            return tf.constant(1.0)

    def callbacks():
        return [ReduceLROnPlateau("val_loss", factor=0.5, patience=1)]

    def flat():
        return Flat(lambda: optimizers.SGD(0.5))

    path = saved(tmp_path, flat(), max_epochs=3, callbacks=callbacks())
    moved = fit(flat(), max_epochs=3, callbacks=callbacks())
    assert rate_of(moved) < 0.5
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(flat(), path, max_epochs=3, callbacks=callbacks())
    assert rate_of(again) == rate_of(moved)
    assert "configured" not in caplog.text


@pytest.mark.parametrize(
    "rate",
    [pytest.param(lambda: 0.01, marks=pytest.mark.slow), lambda: cosine(20)],
    ids=["rate", "schedule"],
)
def test_a_rate_that_was_searched_for_is_restored(tmp_path, caplog, rate):
    def finder():
        return [LearningRateFinder(num_training_steps=20)]

    def task():
        return Optimized(lambda: optimizers.SGD(rate()))

    first = fit(task(), callbacks=finder())
    first.save_checkpoint(tmp_path / "a")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(task(), tmp_path / "a", max_epochs=1, callbacks=finder())
    assert rate_of(again) == rate_of(first)
    assert "configured" not in caplog.text


def test_one_optimizer_object_in_two_fits_is_known_as_it_was_made(tmp_path, caplog):
    """A KerasTask hands out the model's own: its rate may have moved since."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(0.5), "mse")
    data = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    first = fit(KerasTask(model, data=data))
    first.optimizers[""].learning_rate = 0.125
    first.save_checkpoint(tmp_path / "a")
    first.optimizers[""].learning_rate = 0.0625
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(KerasTask(model, data=data), tmp_path / "a", max_epochs=2)
    assert rate_of(again) == 0.125
    assert "configured" not in caplog.text


def test_other_names_of_optimizers_are_refused(tmp_path):
    path = saved(tmp_path, TwoParts({"backbone": 0.1, "head": 0.01}))
    for rates, named in (
        (0.1, "a single optimizer"),
        ({"head": 0.1, "model": 0.1}, "optimizers 'head', 'model'"),
    ):
        with pytest.raises(CheckpointError) as refused:
            fit(TwoParts(rates), path, max_epochs=2)
        assert "holds optimizers 'backbone', 'head'" in str(refused.value)
        assert f"configure_optimizers gives {named}" in str(refused.value)


@pytest.mark.slow
def test_of_two_optimizers_the_one_that_changed_is_named(tmp_path, caplog):
    path = saved(tmp_path, TwoParts({"backbone": 0.1, "head": 0.01}))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(TwoParts({"backbone": 0.1, "head": 0.5}), path, max_epochs=2)
    said = "".join(warnings_of(caplog))
    assert "optimizer 'backbone'" not in said
    assert "optimizer 'head' goes on as it is configured now: learning_rate 0.01 -> 0.5" in said
    assert rate_of(again, "backbone") == np.float32(0.1)
    assert rate_of(again, "head") == 0.5


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("float32", "16-mixed"),
        pytest.param("16-mixed", "float32", marks=pytest.mark.slow),
        pytest.param("float32", "bf16-mixed", marks=pytest.mark.slow),
    ],
)
def test_another_precision_goes_on_and_is_said(tmp_path, caplog, was, now):
    path = saved(tmp_path, BoringTask(), precision=was)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        assert fit(BoringTask(), path, max_epochs=2, precision=now).global_step == 8
    assert "precision was " in caplog.text


def test_a_resume_with_xla_of_a_run_without_is_said_and_auto_on_a_cpu_is_without(tmp_path, caplog):
    path = saved(tmp_path, BoringTask())
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(BoringTask(), path, max_epochs=2, jit_compile=False)
    assert "jit_compile" not in caplog.text

    without = saved(tmp_path / "without", BoringTask(), jit_compile=False)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(BoringTask(), without, max_epochs=2, jit_compile=True)
    assert "jit_compile was False, is True" in caplog.text


def test_another_clipping_goes_on_and_is_said(tmp_path, caplog):
    path = saved(tmp_path, BoringTask(), gradient_clip_val=1.0)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(BoringTask(), path, max_epochs=2, gradient_clip_val=0.5)
        fit(BoringTask(), path, max_epochs=2)
    assert "clipping was norm 1, is norm 0.5" in caplog.text
    assert "clipping was norm 1, is none" in caplog.text


# ---- data


class Ordered(Task):
    """Trains one weight on 40 numbers."""

    def __init__(self, batch_size=8, count=40, seed=None, kind=ArrayData, label=0):
        numbers = np.arange(count, dtype="float32")[:, None]
        targets = np.full(count, label, "int64")
        self.data = kind(numbers, targets, batch_size=batch_size, seed=seed, val_fraction=0.0)

    def configure_model(self):
        self.weight = keras.Variable(0.0, name="weight")

    def configure_optimizers(self):
        return optimizers.SGD(0.001)

    def training_step(self, batch):
        return tf.reduce_mean(batch[0]) * (1.0 + self.weight)


class OtherData(ArrayData):
    pass


CHANGES = {
    "batch size": (lambda: Ordered(4), {}, ("batch_size was 8, is 4", "an epoch was 5, is 10")),
    "seed": (Ordered, {"seed": 1}, ("seed was 0, is 1",)),
    "own seed": (lambda: Ordered(seed=3), {}, ("seed was 0, is 3",)),
    "examples": (lambda: Ordered(count=39), {}, ("training examples was 40, is 39",)),
    "limit": (Ordered, {"limit_train_batches": 4}, ("batches of an epoch was 5, is 4",)),
    "class": (lambda: Ordered(kind=OtherData), {}, ("data was ArrayData, is OtherData",)),
    "labels": (lambda: Ordered(label=1), {}, ("examples and their order",)),
    "accumulation": (
        Ordered,
        {"accumulate_grad_batches": 2},
        ("accumulate_grad_batches was 1, is 2",),
    ),
}


@pytest.mark.parametrize(("task", "arguments", "said"), CHANGES.values(), ids=CHANGES)
def test_other_data_inside_an_epoch_are_refused_by_name(tmp_path, task, arguments, said):
    path = saved(tmp_path, Ordered(), max_epochs=None, max_steps=3)
    again = task()
    with pytest.raises(CheckpointError) as refused:
        fit(again, path, max_epochs=2, **arguments)
    text = str(refused.value)
    assert "inside epoch 0, after batch 3" in text
    assert "weights_only=True" in text
    assert all(part in text for part in said)
    assert float(again.weight) == 0.0


@pytest.mark.parametrize("hook", [False, True], ids=["after fit", "by a callback"])
@pytest.mark.parametrize(("task", "arguments", "said"), CHANGES.values(), ids=CHANGES)
def test_other_data_between_epochs_are_said_and_taken(
    tmp_path, caplog, hook, task, arguments, said
):
    saves = ModelCheckpoint(tmp_path)
    path = saved(tmp_path, Ordered(), callbacks=[saves], enable_checkpointing=True)
    path = saves.last_model_path if hook else path
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(task(), path, max_epochs=2, **arguments)
    (warned,) = warnings_of(caplog)
    assert all(part in warned for part in said)
    assert again.current_epoch == 2


class Piped(DataModule):
    """A pipeline of a user's own, which the Trainer knows nothing of."""

    batch_size = 4

    def __init__(self, seed):
        super().__init__()
        self.shuffle_seed = seed

    def train_dataset(self, epoch=0):
        numbers = tf.reshape(tf.range(32.0), (32, 1))
        dataset = tf.data.Dataset.from_tensor_slices((numbers, tf.zeros(32, tf.int32)))
        seed = None if self.shuffle_seed is None else self.shuffle_seed + epoch
        return dataset.shuffle(32, seed=seed).batch(4)


def piped(seed):
    task = Ordered()
    task.data = Piped(seed)
    return task


def test_another_seed_of_a_users_own_shuffle_is_refused_inside_an_epoch(tmp_path):
    path = saved(tmp_path, piped(1), max_epochs=None, max_steps=3)
    fit(piped(1), path, max_epochs=2)
    with pytest.raises(CheckpointError, match="examples and their order"):
        fit(piped(2), path, max_epochs=2)


def test_an_order_that_nobody_can_repeat_is_told_and_not_refused(tmp_path, caplog):
    path = saved(tmp_path, piped(None), max_epochs=None, max_steps=3)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(piped(None), path, max_epochs=2)
    assert "shuffles without a seed" in "".join(warnings_of(caplog))


# ---- callbacks


def test_callbacks_of_other_arguments_and_those_without_a_state_are_told(tmp_path, caplog):
    before = [EMA(0.9), EarlyStopping("loss"), Timer("01:00:00:00")]
    path = saved(tmp_path, BoringTask(), callbacks=before)
    after = [EMA(0.5), EarlyStopping("accuracy", mode="max"), Timer("01:00:00:00")]
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(BoringTask(), path, max_epochs=2, callbacks=after)
    (warned,) = warnings_of(caplog)
    assert "EMA goes on with decay 0.9 -> 0.5" in warned
    assert "no callback takes the state of EarlyStopping(monitor='loss', mode='min')" in warned
    assert "EarlyStopping(monitor='accuracy', mode='max') begins anew" in warned
    assert "Timer" not in warned


def test_equal_callbacks_are_continued_without_a_word(tmp_path, caplog):
    path = saved(tmp_path, BoringTask(), callbacks=[EMA(0.9), EarlyStopping("loss")])
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(BoringTask(), path, max_epochs=2, callbacks=[EMA(0.9), EarlyStopping("loss")])
    assert not warnings_of(caplog)


def test_another_accumulation_from_an_epochs_start_is_that_of_a_new_run(tmp_path):
    """What is accumulated there is nothing: an accumulation from epoch 1 on does the same."""
    path = saved(tmp_path, Ordered())
    again = fit(Ordered(), path, max_epochs=2, accumulate_grad_batches=2)
    scheduled = fit(Ordered(), max_epochs=2, callbacks=[GradientAccumulationScheduler({1: 2})])
    assert float(again.task.weight) == float(scheduled.task.weight)
    assert again.global_step == scheduled.global_step == 8

    path = tmp_path / "back"
    fit(Ordered(), accumulate_grad_batches=2).save_checkpoint(path)
    back = fit(Ordered(), path, max_epochs=2)
    back_scheduled = fit(
        Ordered(), max_epochs=2, callbacks=[GradientAccumulationScheduler({0: 2, 1: 1})]
    )
    assert float(back.task.weight) == float(back_scheduled.task.weight)


@pytest.mark.slow
def test_a_schedule_of_accumulation_does_not_differ_from_itself(tmp_path, caplog):
    saves = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1)

    def schedule():
        return GradientAccumulationScheduler({1: 2, 2: 3})

    given = {"callbacks": [saves, schedule()], "enable_checkpointing": True}
    whole = fit(Ordered(), max_epochs=3, **given)
    for path in sorted(tmp_path.iterdir()):
        if read_run(path)["progress"]["global_step"] < whole.global_step:
            with caplog.at_level(logging.WARNING, "lightning_tf"):
                again = fit(Ordered(), path, max_epochs=3, callbacks=[schedule()])
            assert float(again.task.weight) == float(whole.task.weight), path
    assert warnings_of(caplog) == []


class Growing(NumberData):
    """Epoch e has e + 1 batches."""

    def train_dataset(self, epoch):
        return super().train_dataset(epoch).take(epoch + 1)


def test_epochs_of_different_lengths_do_not_differ_from_themselves(tmp_path, caplog):
    def task():
        return NumberTask(Growing([1, 2, 3, 4]))

    path = saved(tmp_path, task(), max_epochs=None, max_steps=5)
    whole = fit(task(), max_epochs=4)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit(task(), path, max_epochs=4)
    assert float(again.task.weight) == float(whole.task.weight)
    assert warnings_of(caplog) == []


# ---- limits


def test_a_checkpoint_at_the_limit_is_said(tmp_path, caplog):
    path = saved(tmp_path, Ordered(), max_epochs=2)
    for arguments, said in (
        ({"max_epochs": 2}, "at epoch 2 and max_epochs is 2: nothing to train; raise max_epochs"),
        (
            {"max_epochs": None, "max_steps": 10},
            "at update 10 and max_steps is 10: nothing to train; raise max_steps",
        ),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "lightning_tf"):
            assert fit(Ordered(), path, **arguments).global_step == 10
        assert said in caplog.text


def test_a_checkpoint_that_closes_the_last_epoch_is_said(tmp_path, caplog):
    saves = ModelCheckpoint(tmp_path)
    fit(Ordered(), callbacks=[saves], enable_checkpointing=True)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(Ordered(), saves.last_model_path, max_epochs=1)
    assert "at epoch 1 and max_epochs is 1: nothing to train" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_epochs": 1}, "at epoch 2 and max_epochs is 1.*raise max_epochs"),
        ({"max_epochs": None, "max_steps": 9}, "at update 10 and max_steps is 9"),
        ({"fast_dev_run": True}, "leave fast_dev_run out"),
    ],
)
def test_a_checkpoint_beyond_the_limit_is_refused(tmp_path, arguments, said):
    path = saved(tmp_path, Ordered(), max_epochs=2)
    with pytest.raises(ConfigurationError, match=said):
        fit(Ordered(), path, **arguments)


# ---- weights only


def test_weights_only_begins_a_new_run(tmp_path):
    first = fit(Optimized(lambda: optimizers.Adam(0.1)), max_epochs=2)
    first.save_checkpoint(tmp_path / "a")
    hooks, task = Recorder(), Optimized(lambda: optimizers.SGD(0.0, momentum=0.9))
    again = fit(task, tmp_path / "a", weights_only=True, callbacks=[hooks])
    assert not again.resumed
    assert again.ckpt_path == str(tmp_path / "a")
    assert (again.current_epoch, again.global_step) == (1, 4)
    assert int(again.optimizers[""].iterations) == 4
    assert "on_sanity_check_start" in hooks.names
    assert bits(all_variables(task)) == bits(all_variables(first.task))  # the rate is 0


def test_weights_only_takes_what_fit_cannot_resume_from(tmp_path):
    first = fit(BoringTask())
    first.save_checkpoint(tmp_path / "a", weights_only=True)
    with pytest.raises(CheckpointError, match="weights_only=True"):
        fit(BoringTask(), tmp_path / "a", max_epochs=2)
    task = Optimized(lambda: optimizers.SGD(0.0))
    fit(task, tmp_path / "a", weights_only=True)
    assert bits(all_variables(task)) == bits(all_variables(first.task))


def test_weights_only_gives_averages_where_there_are_some(tmp_path):
    first = fit(BoringTask(), callbacks=[EMA(0.5)])
    first.save_checkpoint(tmp_path / "a")
    again = fit(
        Optimized(lambda: optimizers.SGD(0.0)),
        tmp_path / "a",
        weights_only=True,
        callbacks=[EMA(0.5)],
    )
    assert bits(all_variables(again.task)) == bits(all_variables(first.task))


def test_weights_only_does_not_restore_callbacks(tmp_path):
    def stops():
        return ReduceLROnPlateau("loss", factor=0.5, patience=100)

    first = stops()
    fit(BoringTask(), max_epochs=3, callbacks=[first]).save_checkpoint(tmp_path / "a")
    callback = stops()
    loaded = []
    callback.load_state_dict = loaded.append
    fit(BoringTask(), tmp_path / "a", weights_only=True, callbacks=[callback])
    assert loaded == []


def test_weights_only_needs_a_path_and_a_new_trainer(tmp_path):
    trainer = fit(BoringTask())
    trainer.save_checkpoint(tmp_path / "a")
    with pytest.raises(ConfigurationError, match="needs ckpt_path"):
        fit(BoringTask(), weights_only=True)
    with pytest.raises(ConfigurationError, match="for 4 updates; make another Trainer"):
        trainer.fit(trainer.task, ckpt_path=tmp_path / "a", weights_only=True)


class Measures(BoringTask):
    def __init__(self, metric):
        super().__init__()
        self.metric = metric

    def configure_metrics(self):
        return {"m": self.metric()} if self.metric else {}


ACCURACY = keras.metrics.SparseCategoricalAccuracy
TOP_K = keras.metrics.SparseTopKCategoricalAccuracy


@pytest.mark.parametrize("other", [TOP_K, pytest.param(None, marks=pytest.mark.slow)])
def test_other_metrics_are_refused_inside_an_epoch_and_taken_between(other, tmp_path):
    for steps in (6, 8):
        trainer = fitted(Measures(ACCURACY), max_steps=steps, seed=1)
        trainer.save_checkpoint(tmp_path / str(steps))

    with pytest.raises(CheckpointError, match=r"the training metrics were .*SparseCategorical"):
        Trainer(**quiet(max_epochs=3, seed=1)).fit(Measures(other), ckpt_path=tmp_path / "6")
    resumed = Trainer(**quiet(max_epochs=3, seed=1))
    resumed.fit(Measures(other), ckpt_path=tmp_path / "8")
    plain = fitted(Measures(other), max_epochs=3, seed=1)
    assert resumed.callback_metrics.items() >= plain.callback_metrics.items()


# ---- the task and its metrics


class Weighted(BoringTask):
    def __init__(self, factor=1.0, k=1):
        super().__init__()
        self.factor, self.k = factor, k

    def configure_metrics(self):
        return {"top": keras.metrics.SparseTopKCategoricalAccuracy(self.k)}


def test_other_hyperparameters_are_told_by_name(tmp_path, caplog):
    path = saved(tmp_path, Weighted())
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(Weighted(factor=5.0), path, max_epochs=2)
    (warned,) = warnings_of(caplog)
    assert "factor 1 -> 5" in warned


def test_another_class_of_equal_weights_is_told(tmp_path, caplog):
    path = saved(tmp_path, BoringTask())
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(type("Other", (BoringTask,), {})(), path, max_epochs=2)
    assert "the task was" in "".join(warnings_of(caplog))


def test_a_metric_that_is_configured_otherwise_is_refused_inside_an_epoch(tmp_path):
    path = saved(tmp_path, Weighted(), max_epochs=None, max_steps=2)
    with pytest.raises(CheckpointError, match=r"k=1.*k=2"):
        fit(Weighted(k=2), path, max_epochs=2)


class Falls:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self):
        return self.rate

    def method(self):
        return self.rate


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda r: partial(lambda rate: rate, rate=r), marks=pytest.mark.slow),
        Falls,
        pytest.param(lambda r: Falls(r).method, marks=pytest.mark.slow),
    ],
)
def test_a_rate_that_a_callable_gives_is_told_when_it_changes(tmp_path, caplog, make):
    path = saved(tmp_path, Optimized(lambda: optimizers.SGD(make(0.125))))
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(Optimized(lambda: optimizers.SGD(make(0.5))), path, max_epochs=2)
    told = "".join(warnings_of(caplog))
    assert told.index("0.125") < told.index("0.5")


def test_keras_callbacks_that_begin_anew_are_told(tmp_path, caplog):
    path = saved(tmp_path, BoringTask(), callbacks=[keras.callbacks.EarlyStopping("loss")])
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        callbacks = [keras.callbacks.EarlyStopping("loss"), keras.callbacks.TerminateOnNaN()]
        fit(BoringTask(), path, max_epochs=2, callbacks=callbacks)
    (warned,) = warnings_of(caplog)
    assert "keras.callbacks.EarlyStopping begins anew" in warned
