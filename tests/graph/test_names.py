"""Names of a stage: each is seen under one spelling, or refused with both who give it."""

import itertools

import keras
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.names import check_names
from lightning_tf.stage import STAGES, TRAIN, VALIDATE, spellings

CLASSES = 2
PAIRS = list(itertools.permutations(["a", "b", "a_epoch", "x/a"], 2))


class Vector(keras.metrics.Metric):
    """Gives as many results as it is told."""

    def __init__(self, *names, length=CLASSES, name=None):
        super().__init__(name=name)
        self.names, self.length = names, length
        self.count = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(1.0)

    def result(self):
        if self.names:
            return dict.fromkeys(self.names, self.count)
        return tf.fill([self.length], tf.convert_to_tensor(self.count))


class Named(BoringTask):
    """Logs and measures under names that are given."""

    def __init__(self, train=(), val=(), metrics=None):
        super().__init__()
        self.train, self.val, self.given = train, val, metrics or {}

    def configure_metrics(self):
        return {name: metric() for name, metric in self.given.items()}

    def training_step(self, batch):
        for name in self.train:
            self.log(name, tf.constant(1.0))
        return super().training_step(batch)

    def validation_step(self, batch):
        for name in self.val:
            self.log(name, tf.constant(2.0))
        return BoringTask.training_step(self, batch)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"train": ["loss"]}, r"training_step: log\('loss'\) and the step's loss.*another name"),
        ({"val": ["loss"]}, r"validation_step: log\('loss'\) and the step's loss.*'val_loss'"),
        ({"val": ["val_loss"]}, r"validation_step: log\('val_loss'\) and the step's loss"),
        ({"train": ["val_loss"]}, r"log\('val_loss'\).*begins the names of validation_step"),
        ({"train": ["val_other"]}, "begins the names of validation_step"),
        ({"train": ["test_loss"]}, "begins the names of test_step"),
        ({"train": ["val/accuracy"]}, "such as 'accuracy'"),
        ({"val": ["val/accuracy"]}, "such as 'accuracy'"),
        ({"val": ["train/accuracy"]}, "such as 'accuracy'"),
        ({"val": ["score", "val_score"]}, r"log\('val_score'\) and log\('score'\)"),
        ({"train": ["loss_epoch"]}, "'train/loss_epoch'"),
        ({"train": ["a", "a_epoch"]}, "'train/a_epoch'"),
        ({"train": ["z", "z"]}, r"log\('z'\) is called twice"),
        ({"val": ["z", "z"]}, r"log\('z'\) is called twice"),
        ({"metrics": {"loss": lambda: Vector(length=1)}}, "metric 'loss' and the step's loss"),
        ({"metrics": {"val_accuracy": Vector, "accuracy": Vector}}, "called 'val_accuracy_0'"),
        ({"metrics": {"val_accuracy": Vector}}, "begins the names of validation_step"),
        ({"train": ["p_1"], "metrics": {"p": Vector}}, r"metric 'p' and log\('p_1'\)"),
        ({"val": ["p_1"], "metrics": {"p": Vector}}, r"metric 'p' and log\('p_1'\)"),
        ({"metrics": {"p": Vector, "p_1": lambda: Vector(length=1)}}, "'p' and 'p_1' both give"),
        ({"metrics": {"p_1": lambda: Vector(length=1), "p": Vector}}, "'p_1' and 'p' both give"),
        ({"metrics": {"a": lambda: Vector("x"), "b": lambda: Vector("x")}}, "'a' and 'b' both"),
        ({"metrics": {"a": lambda: Vector("loss")}}, "metric 'a' and the step's loss"),
    ],
)
def test_names_that_meet_are_refused_with_both_parties_and_before_training(names, message):
    task = Named(**names)
    if not names.get("metrics"):
        task.update_metrics = lambda *args: None
    with pytest.raises(ConfigurationError, match=message):
        fitted(task, max_epochs=1)
    assert task.trainer.global_step == 0


def test_names_that_do_not_meet_are_all_there():
    metrics = {"p": Vector, "one": lambda: Vector(length=1), "d": lambda: Vector("x", "y")}
    trainer = fitted(Named(["z", "value", "train_z"], ["z", "val_w"], metrics), max_epochs=1)
    stages = {"loss", "p_0", "p_1", "one", "x", "y", "z"}
    assert set(trainer.callback_metrics) == {
        *stages,
        "value",
        "train_z",
        *(f"val_{name}" for name in stages),
        "val_w",
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("stage", STAGES)
def test_two_names_are_taken_unless_a_spelling_of_theirs_is_one(stage, one, other):
    def taken():
        check_names(stage, [(one, "the one"), (other, "the other")])

    if set(spellings(stage, one)).isdisjoint(spellings(stage, other)):
        taken()
    else:
        assert stage is TRAIN
        with pytest.raises(ConfigurationError, match="the one"):
            taken()


def test_every_spelling_of_a_stage_is_another_stages():
    seen = [s for stage in STAGES for s in spellings(stage, "loss")]
    assert len(seen) == len(set(seen))
    assert "val_loss" in spellings(VALIDATE, "val_loss")


def test_a_loss_that_is_minimized_repeatedly_logs_its_last_value():
    class Critic(NumberTask):
        def configure_optimizers(self):
            return {"critic": keras.optimizers.SGD(1.0)}

        def configure_model(self):
            super().configure_model()
            self.critic = keras.layers.Dense(1)
            self.critic.build((None, 1))

        def training_step(self, batch):
            for step in range(3):
                self.minimize("critic", lambda step=step: self.critic_loss(batch, step))
            if self.hides:
                self.log("step", 9.0)

        def critic_loss(self, batch, step):
            self.log("step", float(step))
            return tf.reduce_mean(self.critic(batch[:, None]))

    task = Critic(NumberData([1, 2]))
    task.hides = False
    assert fitted(task, max_epochs=1).callback_metrics["step"] == 2.0
    task = Critic(NumberData([1, 2]))
    task.hides = True
    with pytest.raises(ConfigurationError, match="called twice"):
        fitted(task, max_epochs=1)


@pytest.mark.parametrize(
    "name", ["loss", "accuracy", "val_loss", "val/loss", "train/loss", "train/loss_epoch"]
)
@pytest.mark.parametrize("by", ["task", "callback"])
def test_a_hook_that_takes_a_name_of_a_step_is_refused(name, by):
    class Hooked(BoringTask):
        def on_train_epoch_end(self):
            if by == "task":
                self.log(name, 1.0)

    class Logs(Callback):
        def on_train_epoch_end(self, trainer, task):
            if by == "callback":
                trainer.log_metrics({name: 1.0})

    with pytest.raises(ConfigurationError, match=f"a hook logs '{name}', but.*another name"):
        fitted(Hooked(), max_epochs=1, callbacks=Logs())


def test_a_hook_may_take_the_name_of_a_stage_that_does_not_run():
    class Judges(BoringTask):
        def on_train_epoch_end(self):
            self.log("val_loss", 7.0)

    trainer = fitted(Judges(), max_epochs=1, limit_val_batches=0)
    assert trainer.callback_metrics["val_loss"] == 7.0
    # Outside entry points nothing is measured that could be replaced.
    trainer.log_metrics({"loss": 1.0})


class Scores(Callback):
    """Logs at the end of an epoch."""

    def __init__(self, name="score"):
        self.name = name

    def on_train_epoch_end(self, trainer, task):
        trainer.log_metrics({self.name: 1.0})


class ScoresLate(Scores):
    def on_fit_end(self, trainer, task):
        trainer.log_metrics({self.name: 2.0})


@pytest.mark.parametrize("names", [("score", "score"), ("score", "train/score")], ids=str)
def test_two_whose_hooks_log_one_name_are_both_named(names):
    first, second = map(Scores, names)
    with pytest.raises(ConfigurationError, match=r"on_train_epoch_end and Scores.* both log"):
        fitted(BoringTask(), max_epochs=1, callbacks=[first, second])


def test_one_callback_may_log_a_name_in_several_hooks_and_two_in_two_fits():
    trainer = fitted(BoringTask(), max_epochs=2, callbacks=ScoresLate())
    assert trainer.callback_metrics["score"] == 2.0
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[Scores("one"), Scores("two")]))
    trainer.fit(BoringTask())
    trainer.callbacks[0].name, trainer.callbacks[1].name = "two", "one"
    trainer.fit(BoringTask())


@pytest.mark.parametrize("name", [None, "", 3, ("a",)])
@pytest.mark.parametrize("where", ["train", "hook"])
def test_a_name_that_is_no_text_is_refused(name, where):
    class Odd(BoringTask):
        def on_train_epoch_end(self):
            if where == "hook":
                self.log(name, 1.0)

        def training_step(self, batch):
            if where == "train":
                self.log(name, 1.0)
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match="give a string"):
        Trainer(**quiet(max_epochs=1)).fit(Odd())
