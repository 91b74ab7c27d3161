"""No Python value that a step read stays what it was when the step was traced."""

import random
import warnings
from types import MappingProxyType, SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError

FACTOR = 0.0  # a program's constant that a hook changes


class Config:
    def __init__(self):
        self.beta = 0.0
        self.nested = {"betas": [0.0]}


class Layered(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.factor = 0.0

    def call(self, x):
        return x * 0.0 + self.factor


class Anneals(BoringTask):
    """Logs a number that a hook sets to the epoch's, wherever it is kept."""

    beta_of_class = 0.0
    places = (
        "attribute",
        "class",
        "list",
        "array",
        "object",
        "nested",
        "layer",
        "global",
        "hparam",
    )

    def __init__(self, place, data=None, stretch=0.0):
        super().__init__(data)
        self.place, self.beta, self.betas = place, 0.0, [0.0]
        self.array, self.config = np.zeros(2), Config()

    def configure_model(self):
        super().configure_model()
        self.layered = Layered()
        self.layered(tf.zeros([1]))

    def set_to(self, value):
        self.beta = self.betas[0] = self.array[1] = self.config.beta = value
        type(self).beta_of_class = self.config.nested["betas"][0] = value
        self.layered.factor = self.hparams["stretch"] = value
        globals()["FACTOR"] = value

    def read(self):
        if self.place == "class":
            return self.beta_of_class
        if self.place == "list":
            return self.betas[0]
        if self.place == "array":
            return self.array[1]
        if self.place == "object":
            return self.config.beta
        if self.place == "nested":
            return self.config.nested["betas"][0]
        if self.place == "layer":
            return self.layered(tf.zeros([]))
        if self.place == "global":
            return FACTOR
        if self.place == "hparam":
            return self.hparams["stretch"]
        return self.beta

    def on_train_epoch_start(self):
        self.set_to(float(self.trainer.current_epoch))

    def training_step(self, batch):
        self.log("seen", tf.cast(self.read(), "float32"))
        return super().training_step(batch)

    def validation_step(self, batch):
        self.log("seen", tf.cast(self.read(), "float32"))
        return BoringTask.training_step(self, batch)


@pytest.mark.parametrize("place", slow_but(Anneals.places, "attribute", "list", "layer", "global"))
def test_a_number_that_a_hook_changed_is_what_the_step_computes_with(place, caplog):
    task = Anneals(place)
    Anneals.beta_of_class = globals()["FACTOR"] = 0.0
    trainer = fitted(task, max_epochs=3)
    assert trainer.callback_metrics["seen"] == 2.0
    assert trainer.callback_metrics["val_seen"] == 2.0
    told = [r.getMessage() for r in caplog.records if "was traced with" in r.getMessage()]
    assert len(told) == 2  # once for each step
    assert "= 0.0, which is now 1.0" in told[0] or place in ("list", "array", "object")


class Slotted:
    __slots__ = ("beta",)

    def __init__(self):
        self.beta = 0.0


class OfClass:
    beta = 0.0


class Holds(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self._beta, self.betas, self.config = 0.0, {"beta": 0.0}, OfClass()
        self.offset = tf.constant(0.0)

    def call(self, x):
        return x * 0.0 + self._beta + self.betas["beta"] + self.config.beta + self.offset


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.beta = 0.0


TABLE, HELD, SHARED = {"beta": 0.0}, [OfClass()], OfClass()


def beta_of_function():
    return beta_of_function.beta


def with_default(box=[0.0]):  # noqa: B006
    return box[0]


def closure():
    beta = 0.0

    def assign(value):
        nonlocal beta
        beta = value

    return lambda: beta, assign


def assign_layer(layer, place, value):
    if place == "private":
        layer._beta = value
    elif place == "dict":
        layer.betas["beta"] = value
    else:
        layer.config.beta = value


# Of each place: what the step reads, and what the hook sets.
HIDDEN = {
    "slot": (lambda t: t.slotted.beta, lambda t, v: setattr(t.slotted, "beta", v)),
    "class of the task": (lambda t: type(t).beta, lambda t, v: setattr(type(t), "beta", v)),
    "class of an object": (lambda t: t.of_class.beta, lambda t, v: setattr(t.of_class, "beta", v)),
    "named class": (lambda t: OfClass.beta, lambda t, v: setattr(OfClass, "beta", v)),
    "closure": (lambda t: t.read_cell(), lambda t, v: t.assign_cell(v)),
    "global dict": (lambda t: TABLE["beta"], lambda t, v: TABLE.update(beta=v)),
    "global object": (lambda t: SHARED.beta, lambda t, v: setattr(SHARED, "beta", v)),
    "global list": (lambda t: HELD[0].beta, lambda t, v: setattr(HELD[0], "beta", v)),
    "depth": (lambda t: t.deep.a.a.a.a.beta, lambda t, v: setattr(t.deep.a.a.a.a, "beta", v)),
    "missing": (lambda t: getattr(t, "late", 0.0), lambda t, v: setattr(t, "late", v)),
    "vars": (lambda t: vars(t).get("late", 0.0), lambda t, v: setattr(t, "late", v)),
    "trainer": (
        lambda t: getattr(t.trainer, "beta", 0.0),
        lambda t, v: setattr(t.trainer, "beta", v),
    ),
    "data": (lambda t: getattr(t.data, "beta", 0.0), lambda t, v: setattr(t.data, "beta", v)),
    "function": (
        lambda t: beta_of_function(),
        lambda t, v: setattr(beta_of_function, "beta", v),
    ),
    "default": (
        lambda t: with_default(),
        lambda t, v: with_default.__defaults__[0].__setitem__(0, v),
    ),
    "method": (lambda t: t.replaced(), lambda t, v: setattr(t, "replaced", lambda: v)),
    "private of a layer": (
        lambda t: t.layer(tf.zeros([])),
        lambda t, v: assign_layer(t.layer, "private", v),
    ),
    "dict of a layer": (
        lambda t: t.layer(tf.zeros([])),
        lambda t, v: assign_layer(t.layer, "dict", v),
    ),
    "tensor of a layer": (
        lambda t: t.layer(tf.zeros([])),
        lambda t, v: setattr(t.layer, "offset", tf.constant(v)),
    ),
    "list of Keras' layer": (
        lambda t: t.rescaling(tf.ones([1, 1]))[0, 0],
        lambda t, v: setattr(t.rescaling, "scale", [v]),
    ),
    "array of Keras' layer": (
        lambda t: t.rescaling(tf.zeros([1, 1]))[0, 0],
        lambda t, v: setattr(t.rescaling, "offset", np.array([v])),
    ),
    "metric": (
        lambda t: t.metrics["accuracy"].threshold,
        lambda t, v: setattr(t.metrics["accuracy"], "threshold", v),
    ),
    "module": (lambda t: t.module.beta, lambda t, v: setattr(t.module, "beta", v)),
    "view": (lambda t: t.view["beta"], lambda t, v: t.viewed.update(beta=v)),
    "object of a layer": (
        lambda t: t.layer(tf.zeros([])),
        lambda t, v: assign_layer(t.layer, "object", v),
    ),
}


@pytest.mark.parametrize("place", HIDDEN)
def test_a_number_is_found_wherever_python_code_finds_it(place, monkeypatch):
    read, assign = HIDDEN[place]
    monkeypatch.setattr(OfClass, "beta", 0.0)
    monkeypatch.setitem(TABLE, "beta", 0.0)
    monkeypatch.setattr(beta_of_function, "beta", 0.0, raising=False)

    class Hides(NumberTask):
        beta = 0.0

        def __init__(self, data):
            super().__init__(data)
            self.slotted, self.of_class, (self.read_cell, self.assign_cell) = (
                Slotted(),
                OfClass(),
                closure(),
            )

            self.module, self.viewed = Module(), {"beta": 0.0}
            self.view = MappingProxyType(self.viewed)
            self.deep = SimpleNamespace(beta=0.0)
            for _ in range(4):
                self.deep = SimpleNamespace(a=self.deep)

        def configure_model(self):
            super().configure_model()
            self.layer = Holds()
            self.layer(tf.zeros([1]))
            self.rescaling = keras.layers.Rescaling([0.0])
            self.rescaling(tf.zeros([1, 1]))

        def configure_metrics(self):
            return {"accuracy": keras.metrics.BinaryAccuracy(threshold=0.0)}

        def replaced(self):
            return 0.0

        def on_train_epoch_start(self):
            assign(self, float(self.trainer.current_epoch))

        def training_step(self, batch):
            self.log("seen", tf.cast(read(self), "float32"))
            return super().training_step(batch)

    trainer = fitted(Hides(NumberData([1.0, 2.0])), max_epochs=3)
    assert trainer.callback_metrics["seen"] == 2.0


def test_a_hook_changes_the_momentum_of_an_optimizer():
    class Slows(BoringTask):
        def configure_optimizers(self):
            self.optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
            return self.optimizer

        def on_train_epoch_start(self):
            self.optimizer.momentum = self.momenta[self.trainer.current_epoch]

    losses = []
    for momenta in ([0.9, 0.9], [0.9, 0.0]):
        task = Slows()
        task.momenta = momenta
        losses.append(fitted(task, max_epochs=2).callback_metrics["loss"])
    assert losses[0] != losses[1]


def test_a_number_changed_between_batches_is_seen_at_the_next():
    class PerBatch(NumberTask):
        scale, seen = 1.0, ()

        def on_train_batch_start(self, batch_idx):
            self.scale = 10.0**batch_idx

        def training_step(self, batch):
            self.log("scale", tf.constant(self.scale))
            return super().training_step(batch)

        def on_train_batch_end(self, outputs, batch_idx):
            self.seen = (*self.seen, outputs["scale"])

    task = PerBatch(NumberData([1.0, 2.0, 3.0]))
    trainer = fitted(task, max_epochs=1)
    assert task.seen == (1.0, 10.0, 100.0)
    assert trainer.callback_metrics["scale"] == pytest.approx(37.0)  # no batch's value is lost


def test_what_nobody_changes_is_traced_once():
    class Counts(NumberTask):
        epochs_seen = 0

        def __init__(self, data):
            super().__init__(data)
            self.history, self.calls, self.factor = [], 0, 2.0

        def training_step(self, batch):
            self.calls += 1  # the step's own, at its trace
            return super().training_step(batch) * self.factor

        def on_train_epoch_end(self):
            self.history.append(self.epochs_seen)  # no step reads either
            self.epochs_seen += 1

    task = Counts(NumberData([1.0, 2.0]))
    fitted(task, max_epochs=4)
    assert task.traced["training"] == 1
    assert task.history == [0, 1, 2, 3]


class Positions(NumberTask):
    """Keeps what a step sees of the position at each batch."""

    as_numbers = False

    def configure_model(self):
        super().configure_model()
        self.seen = keras.Variable(np.zeros((3, 64), "float32"), trainable=False)
        self.count = keras.Variable(0, trainable=False, dtype="int32")

    def training_step(self, batch):
        trainer = self.trainer
        position = [trainer.global_step, trainer.current_epoch, trainer.batch_idx]
        if self.as_numbers:
            position = [int(number) for number in position]
        column = tf.one_hot(self.count, 64)
        self.seen.assign_add(tf.stack([tf.cast(p, "float32") for p in position])[:, None] * column)
        self.count.assign_add(1)
        return super().training_step(batch)

    def positions(self):
        return np.asarray(self.seen)[:, : int(self.count)].astype(int).tolist()


@pytest.mark.parametrize("as_numbers", [False, True])
@pytest.mark.parametrize("known_length", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize(
    ("every", "steps"),
    [
        pytest.param(1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], marks=pytest.mark.slow),
        (2, [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]),
    ],
)
def test_a_step_sees_its_position_at_every_batch(as_numbers, known_length, every, steps):
    length = "known" if known_length else "unknown"
    task = Positions(NumberData([1.0, 2.0, 3.0, 4.0, 5.0], length=length))
    task.as_numbers = as_numbers
    fitted(task, max_epochs=2, accumulate_grad_batches=every)
    epochs, batches = [0] * 5 + [1] * 5, [0, 1, 2, 3, 4] * 2
    assert task.positions() == [steps, epochs, batches]
    assert as_numbers or task.traced["training"] == 1


def test_a_resumed_step_sees_its_position(tmp_path):
    task = Positions(NumberData([1.0, 2.0, 3.0]))
    fitted(task, max_epochs=4, max_steps=5).save_checkpoint(tmp_path / "c")
    again = Positions(NumberData([1.0, 2.0, 3.0]))
    Trainer(**quiet(max_epochs=3)).fit(again, ckpt_path=tmp_path / "c")
    assert again.positions()[0] == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_validation_sees_the_step_that_training_has_reached():
    class Validates(NumberTask):
        def validation_step(self, batch):
            self.log("at", tf.cast(self.trainer.global_step, "float32"))
            self.log("epoch_now", tf.cast(self.trainer.current_epoch, "float32"))
            return super().validation_step(batch)

    task = Validates(NumberData([1.0, 2.0], held_out=[1.0, 2.0, 3.0]))
    trainer = fitted(task, max_epochs=3)
    assert trainer.callback_metrics["val_at"] == 6.0
    assert trainer.callback_metrics["val_epoch_now"] == 2.0


@pytest.mark.distributed
def test_replicas_see_the_position_too():
    class Anneals(BoringTask):
        def training_step(self, batch):
            self.log("at", tf.cast(self.trainer.global_step, "float32"))
            return super().training_step(batch)

    trainer = fitted(Anneals(), max_epochs=2, accelerator="cpu", devices=2)
    assert trainer.callback_metrics["at"] == 5.5


class Draws(BoringTask):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.rng = np.random.default_rng(3)

    def training_step(self, batch):
        return super().training_step(batch) * (1.0 + self.draw(self))


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda task: np.random.rand(), "numpy.random"),
        (lambda task: random.random(), "Python's random"),
        (lambda task: task.rng.normal(), "self.rng"),
        (lambda task: keras.random.uniform([]), None),
    ],
)
def test_numbers_drawn_in_python_are_told(draw, name, caplog):
    fitted(Draws(draw), max_epochs=1, limit_val_batches=0)
    told = [r.getMessage() for r in caplog.records if "draws with" in r.getMessage()]
    assert len(told) == (name is not None)
    assert name is None or f"training_step draws with {name} in Python" in told[0]


def test_what_a_step_takes_from_an_iterator_is_told(caplog):
    class Takes(NumberTask):
        def __init__(self, data):
            super().__init__(data)
            self.numbers = iter([1.0, 2.0, 3.0])

        def training_step(self, batch):
            return super().training_step(batch) * next(self.numbers)

    fitted(Takes(NumberData([1.0])), max_epochs=1)
    assert "training_step takes from the iterator self.numbers in Python" in caplog.text


def test_a_method_of_the_trainer_inside_a_step_is_refused():
    class Logs(BoringTask):
        def training_step(self, batch):
            self.trainer.log_metrics({"x": 1.0})
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match=r"training_step calls trainer\.log_metrics"):
        fitted(Logs(), max_epochs=1)


def test_what_a_step_reads_of_the_trainer_is_never_old(caplog):
    class Reads(BoringTask):
        def training_step(self, batch):
            self.log("limit", tf.constant(float(self.trainer.accumulate_grad_batches)))
            return super().training_step(batch)

    class Raises(Callback):
        def on_train_epoch_start(self, trainer, task):
            trainer.log_every_n_steps = 7 + trainer.current_epoch

    class ReadsInterval(BoringTask):
        def training_step(self, batch):
            self.log("interval", tf.constant(float(self.trainer.log_every_n_steps)))
            return super().training_step(batch)

    trainer = fitted(ReadsInterval(), max_epochs=3, callbacks=[Raises()])
    assert trainer.callback_metrics["interval"] == 9.0
    fitted(Reads(), max_epochs=1)


def test_nan_and_large_arrays_stay_what_they_are():
    class Odd(NumberTask):
        def __init__(self, data):
            super().__init__(data)
            self.missing, self.large = float("nan"), np.zeros(2**19)

        def training_step(self, batch):
            tf.constant(self.missing), tf.constant(self.large)
            return super().training_step(batch)

    task = Odd(NumberData([1.0]))
    with warnings.catch_warnings():
        fitted(task, max_epochs=3)
    assert task.traced["training"] == 1
