import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, fitted, quiet
from helpers.resumable import TwoParts, assert_resume_is_exact, bits, resumed

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EMA, EarlyStopping, ModelCheckpoint
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables


class Falling(NumberTask):
    """SGD with rate 1 takes each number from the weight, so the weight is known by hand."""

    def validation_step(self, batch):
        self.traced["validation"] += 1
        return self.weight + 0.0 * tf.reduce_mean(batch)


def averages_of(weights, decay, start=0.0):
    """The average of a sequence of weights after each of them, in float64."""
    averages, average = [], start
    for weight in weights:
        average = decay * average + (1.0 - decay) * weight
        averages.append(average)
    return averages


def weight_after(numbers, ema, **arguments):
    """The weight that a fit leaves in the task: the average."""
    task = Falling(NumberData(numbers))
    trainer = fitted(task, max_epochs=1, callbacks=[ema], **arguments)
    return float(task.weight), trainer


def test_a_decay_that_the_compiled_step_would_not_see_is_refused():
    class Sets(Callback):
        def on_train_epoch_start(self, trainer, task):
            ema.decay = 0.5

    ema = EMA(0.9)
    ema.decay = 0.8
    with pytest.raises(ConfigurationError, match=r"decay is set to 0\.5.*step has 0\.8.*before"):
        fitted(Falling(NumberData([1.0])), max_epochs=1, callbacks=[ema, Sets()])


# ---- the averages


def test_the_average_moves_once_for_every_update():
    weight, trainer = weight_after([1, 2, 3], EMA(0.75))
    assert trainer.global_step == 3
    assert weight == pytest.approx(averages_of([-1, -3, -6], 0.75)[-1], rel=1e-6)


def test_windows_of_one_batch_give_the_same_average():
    numbers = list(range(1, 12))
    whole, _ = weight_after(numbers, EMA(0.9))
    ema = EMA(0.9)
    single, trainer = weight_after(numbers, ema, log_every_n_steps=1)
    assert whole == single
    assert int(ema.variables()["updates."]) == trainer.global_step == 11


def test_accumulation_moves_it_once_for_each_window_of_accumulation():
    # Windows of [1, 3], [2, 6] and the flushed [5]: means 2, 4 and 5.
    weight, trainer = weight_after([1, 3, 2, 6, 5], EMA(0.5), accumulate_grad_batches=2)
    assert trainer.global_step == 3
    assert weight == pytest.approx(averages_of([-2, -6, -11], 0.5)[-1])


def test_a_skipped_update_does_not_move_it():
    ema = EMA(0.5)
    # The second loss overflows in float16 under the first loss scale, and the update is skipped.
    weight, _ = weight_after([1, 1e38, 2], ema, precision="16-mixed")
    assert int(ema.variables()["updates."]) == 2
    assert weight == pytest.approx(averages_of([-1, -3], 0.5)[-1])


def test_every_n_steps_averages_at_every_nth_update():
    weight, _ = weight_after([1, 1, 1, 1, 1], EMA(0.5, every_n_steps=2))
    assert weight == pytest.approx(averages_of([-2, -4], 0.5)[-1])


def test_it_does_not_cut_windows_short():
    recorder = Recorder()
    task = Falling(NumberData(range(64)))
    fitted(task, max_epochs=1, callbacks=[EMA(every_n_steps=2), recorder])
    assert recorder.names.count("on_train_window_end") < 10
    assert task.traced["training"] == 1


def test_the_average_follows_the_weight_until_start_step():
    assert weight_after([1, 2], EMA(0.9, start_step=2))[0] == -3.0
    weight, _ = weight_after([1, 2, 3], EMA(0.9, start_step=2))
    assert weight == pytest.approx(0.9 * -3 + 0.1 * -6)


def test_start_step_and_every_n_steps_count_from_each_other():
    weight, _ = weight_after([1] * 6, EMA(0.5, start_step=2, every_n_steps=3))
    assert weight == pytest.approx(0.5 * -2 + 0.5 * -5)


@pytest.mark.parametrize("every", [1, 2])
def test_warmup_lets_the_decay_grow(every):
    numbers = [1] * (3 * every)
    expected, average = [-every, -2 * every, -3 * every], 0.0
    for before, weight in enumerate(expected):
        decay = min(0.15, (1 + before) / (10 + before))
        average = decay * average + (1 - decay) * weight
    ema = EMA(0.15, warmup=True, every_n_steps=every)
    assert weight_after(numbers, ema)[0] == pytest.approx(average)


def test_each_optimizer_averages_its_own_variables_at_its_own_updates():
    class Two(NumberTask):
        def configure_model(self):
            self.often, self.once = keras.Variable(0.0), keras.Variable(0.0)

        def configure_optimizers(self):
            return {"often": keras.optimizers.SGD(1.0), "once": keras.optimizers.SGD(1.0)}

        def training_step(self, batch):
            for _ in range(2):
                self.minimize("often", lambda: self.often * 1.0)
            return {"once": self.once * 1.0}

    task, ema = Two(NumberData([1, 1])), EMA(0.5)
    fitted(task, max_epochs=1, callbacks=[ema])
    assert float(task.often) == pytest.approx(averages_of([-1, -2, -3, -4], 0.5)[-1])
    assert float(task.once) == pytest.approx(averages_of([-1, -2], 0.5)[-1])
    counts = {name: int(ema.variables()[f"updates.{name}"]) for name in ("often", "once")}
    assert counts == {"often": 4, "once": 2}


def test_averages_of_half_precision_weights_keep_small_shares():
    class Half(Falling):
        def configure_model(self):
            self.weight = keras.Variable(0.0, name="weight", dtype="bfloat16")

        def training_step(self, batch):
            return tf.reduce_mean(batch) * tf.cast(self.weight.value, tf.float32)

    task, ema = Half(NumberData([1] * 50)), EMA(0.999)
    fitted(task, max_epochs=1, precision="bf16-true", callbacks=[ema])
    exact = averages_of(range(-1, -51, -1), 0.999)[-1]
    (average,) = (v for n, v in ema.variables().items() if n.startswith("average."))
    assert float(average) == pytest.approx(exact, rel=1e-4)


def test_weights_set_before_training_are_where_it_begins():
    class Loads(Falling):
        def on_fit_start(self):
            self.weight.assign(100.0)

    task = Loads(NumberData([1]))
    fitted(task, max_epochs=1, callbacks=[EMA(0.5)])
    assert float(task.weight) == pytest.approx(99.5)


# ---- who sees which weights


class Sees(Callback):
    """Notes the weight in every hook."""

    logs_metrics = False

    def __init__(self):
        self.seen = {}
        for name in ("on_train_start", "on_train_epoch_end", "on_train_end", "on_fit_end"):
            setattr(self, name, self._noting(name))
        for name in ("on_validation_start", "on_validation_end", "on_sanity_check_end"):
            setattr(self, name, self._noting(name))

    def _noting(self, name):
        def note(trainer, task):
            self.seen.setdefault(name, []).append(float(task.weight))

        return note


@pytest.mark.parametrize("first", [True, False])
def test_validation_and_everybody_in_it_see_the_average_and_training_the_weight(first):
    sees = Sees()
    callbacks = [EMA(0.5), sees] if first else [sees, EMA(0.5)]
    task = Falling(NumberData([2], held_out=[0]))
    trainer = fitted(task, max_epochs=2, callbacks=callbacks)
    one, two = averages_of([-2, -4], 0.5)
    assert sees.seen == {
        "on_validation_start": [0.0, one, two],
        "on_validation_end": [0.0, one, two],
        "on_sanity_check_end": [0.0],
        "on_train_start": [0.0],
        "on_train_epoch_end": [-2.0, -4.0],
        "on_train_end": [two],
        "on_fit_end": [two],
    }
    assert trainer.callback_metrics["val_loss"] == two


def test_training_is_not_changed_by_it():
    plain = fitted(TwoParts(), max_epochs=2, seed=1)
    averaged = fitted(TwoParts(), max_epochs=2, seed=1, callbacks=[EMA(0.9)])
    for name in ("loss", "accuracy"):
        assert averaged.callback_metrics[name] == plain.callback_metrics[name]
    assert averaged.callback_metrics["val_loss"] != plain.callback_metrics["val_loss"]
    assert _slots(averaged) == _slots(plain)


def _slots(trainer):
    return {name: bits(o.state()) for name, o in trainer.training.optimizers.items()}


def test_test_and_predict_after_fit_use_the_averages():
    task = BoringTask()
    trainer = fitted(task, max_epochs=1, callbacks=[EMA(0.9)])
    before = bits(dict(enumerate(task.model.weights)))
    assert trainer.test(task)["test_loss"] == trainer.validate(task)["val_loss"]
    (first, *_) = trainer.predict(task, collect=True)
    expected = task.model(task.data.x[:16]).numpy()
    assert np.array_equal(first, expected)
    assert bits(dict(enumerate(task.model.weights))) == before


@pytest.mark.slow
def test_another_fit_goes_on_as_if_there_had_been_no_end():
    whole = fitted(TwoParts(), max_epochs=3, seed=1, callbacks=[EMA(0.9)])
    task = TwoParts()
    halves = fitted(task, max_epochs=1, seed=1, callbacks=[EMA(0.9)], num_sanity_val_steps=0)
    halves.test(task)
    halves.max_epochs = 3
    halves.fit(task)
    assert halves.callback_metrics["loss"] == whole.callback_metrics["loss"]
    assert halves.callback_metrics["val_loss"] == whole.callback_metrics["val_loss"]


def test_weights_that_somebody_changed_after_fit_count_in_the_next():
    task, ema = Falling(NumberData([1])), EMA(0.5)
    trainer = fitted(task, max_epochs=1, callbacks=[ema])
    task.weight.assign(10.0)
    trainer.max_epochs = 2
    trainer.fit(task)
    assert float(task.weight) == pytest.approx(9.5)


def test_an_exception_leaves_the_averages():
    class Fails(Falling):
        def on_train_epoch_end(self):
            if self.trainer.current_epoch == 1:
                raise RuntimeError("a failing hook")

    task = Fails(NumberData([2]))
    trainer = Trainer(**quiet(max_epochs=3, callbacks=[EMA(0.5)]))
    with pytest.raises(RuntimeError, match="a failing hook"):
        trainer.fit(task)
    assert float(task.weight) == averages_of([-2, -4], 0.5)[-1]


def test_another_task_begins_with_averages_of_its_own():
    ema = EMA(0.5)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ema]))
    for numbers, expected in (([4], -2.0), ([2], -1.0)):
        task = Falling(NumberData(numbers))
        trainer.fit(task)
        assert float(task.weight) == expected


def test_a_test_of_another_task_saves_its_own_weights(tmp_path):
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[EMA(0.5)]))
    trainer.fit(Falling(NumberData([4])))
    other = Falling(NumberData([4], held_out=[0]))
    trainer.test(other)
    trainer.save_checkpoint(tmp_path / "other")
    assert read_checkpoint(tmp_path / "other").tensors["task.weight.0000.weight"] == 0.0


# ---- checkpoints


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("when", ["on_train_epoch_end", "on_validation_end", "after fit"])
def test_every_checkpoint_holds_the_averages_as_the_weights(tmp_path, when, weights_only):
    class Saves(Callback):
        def save(self, trainer, task):
            if not trainer.sanity_checking:
                trainer.save_checkpoint(tmp_path / "saved", weights_only=weights_only)

    saves = Saves()
    if when != "after fit":
        setattr(saves, when, saves.save)
    task = Falling(NumberData([2], held_out=[0]))
    trainer = fitted(task, max_epochs=1, callbacks=[saves, EMA(0.5)])
    if when == "after fit":
        trainer.save_checkpoint(tmp_path / "saved", weights_only=weights_only)
    tensors = read_checkpoint(tmp_path / "saved").tensors
    assert tensors["task.weight.0000.weight"] == -1.0
    if weights_only:
        assert list(tensors) == ["task.weight.0000.weight"]
    else:
        assert tensors["callback.EMA.raw.weight.0000.weight"] == -2.0
    plain = Trainer(**quiet())
    assert plain.test(task, ckpt_path=tmp_path / "saved") == {"test_loss": -1.0}


TWO = {"backbone": 0.05, "head": keras.optimizers.schedules.CosineDecay(0.1, 30)}


@pytest.mark.parametrize(
    ("rates", "stop"),
    [
        (0.05, 5),
        pytest.param(0.05, 8, marks=pytest.mark.slow),
        pytest.param(TWO, 11, marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_equals_the_one_never_stopped(tmp_path, rates, stop):
    assert_resume_is_exact(
        tmp_path,
        lambda: TwoParts(rates),
        lambda: [EMA(0.9, every_n_steps=2, start_step=3, warmup=True)],
        stop=stop,
        end=20,
    )


@pytest.mark.parametrize("precision", ["bf16-true", "16-mixed"])
@pytest.mark.slow
def test_a_resume_is_exact_in_half_precision_under_accumulation(tmp_path, precision):
    assert_resume_is_exact(
        tmp_path,
        TwoParts,
        lambda: [EMA(0.9)],
        stop=4,
        end=9,
        precision=precision,
        accumulate_grad_batches=3,
    )


@pytest.mark.slow
def test_a_resume_from_what_model_checkpoint_wrote_is_exact(tmp_path):
    def run(folder, epochs):
        best = ModelCheckpoint(tmp_path / folder, monitor="val_loss", save_top_k=-1, save_last=True)
        stopping = EarlyStopping("val_loss", patience=10)
        callbacks = [best, EMA(0.9), stopping]
        return {
            "max_epochs": epochs,
            "seed": 2,
            "callbacks": callbacks,
            "enable_checkpointing": True,
            "num_sanity_val_steps": 0,
        }

    whole = fitted(TwoParts(), **run("whole", 4))
    fitted(TwoParts(), **run("part", 2))
    again = resumed(TwoParts(), tmp_path / "part" / "last.ckpt", **run("again", 4))
    assert again.callback_metrics == whole.callback_metrics
    assert bits(dict(enumerate(again.task.model.weights))) == bits(
        dict(enumerate(whole.task.model.weights))
    )
    best = whole.checkpoint_callback
    measured = whole.validate(whole.task, ckpt_path="best")["val_loss"]
    assert measured == best.best_model_score


@pytest.mark.slow
@pytest.mark.parametrize("where", ["on_train_window_end", "on_validation_epoch_end"])
def test_a_resume_from_what_an_interrupted_run_wrote_is_exact(tmp_path, where):
    class Stops(Callback):
        every_n_steps = 12

        def stop(self, trainer, task):
            if trainer.global_step >= 12:
                raise KeyboardInterrupt

    def run(*callbacks):
        saves = ModelCheckpoint(tmp_path / "saved", every_n_epochs=0, save_on_exception=True)
        shared = {"enable_checkpointing": True, "seed": 2, "num_sanity_val_steps": 0}
        return {"max_epochs": 3, "callbacks": [saves, EMA(0.9), *callbacks], **shared}

    whole = fitted(TwoParts(), **run())
    stops = Stops()
    setattr(stops, where, stops.stop)
    with pytest.raises(KeyboardInterrupt):
        fitted(TwoParts(), **run(stops))
    (saved,) = (tmp_path / "saved").iterdir()
    again = resumed(TwoParts(), saved, **run())
    assert again.callback_metrics == whole.callback_metrics
    assert bits(all_variables(again.task)) == bits(all_variables(whole.task))


def test_a_run_with_averages_is_not_resumed_without_them(tmp_path):
    fitted(TwoParts(), max_steps=3, callbacks=[EMA()]).save_checkpoint(tmp_path / "with")
    fitted(TwoParts(), max_steps=3).save_checkpoint(tmp_path / "without")
    with pytest.raises(CheckpointError, match=r"holds callback\.EMA\..*which no callback"):
        resumed(TwoParts(), tmp_path / "with", max_steps=5)
    with pytest.raises(CheckpointError, match=r"does not hold callback\.EMA\..*needs"):
        resumed(TwoParts(), tmp_path / "without", max_steps=5, callbacks=[EMA()])


@pytest.mark.slow
def test_a_resume_by_the_same_trainer_goes_back_to_the_checkpoint(tmp_path):
    task = TwoParts()
    trainer = fitted(task, max_steps=5, seed=3, callbacks=[EMA(0.9)])
    trainer.save_checkpoint(tmp_path / "five")
    trainer.max_steps = 14
    trainer.fit(task, ckpt_path=tmp_path / "five")
    expected = bits(dict(enumerate(task.model.weights)))
    trainer.fit(task, ckpt_path=tmp_path / "five")
    assert bits(dict(enumerate(task.model.weights))) == expected


# ---- arguments, and a real task


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decay": 1.0}, r"decay is 1\.0"),
        ({"decay": "0.9"}, "decay is '0.9'"),
        ({"every_n_steps": 0}, "every_n_steps is 0"),
        ({"start_step": -1}, "start_step is -1"),
        ({"start_step": 0.5}, r"start_step is 0\.5"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        EMA(**arguments)


def test_two_of_them_are_refused():
    with pytest.raises(ConfigurationError, match="two EMA"):
        fitted(BoringTask(), max_epochs=1, callbacks=[EMA(0.9), EMA(0.99)])


@pytest.mark.slow
def test_digits_are_learned_with_averages():
    task = ImageClassification(data="digits", network="mlp")
    trainer = fitted(task, max_epochs=5, seed=0, callbacks=[EMA(0.99, warmup=True)])
    assert trainer.test(task)["test_accuracy"] > 0.9
