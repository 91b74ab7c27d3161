"""Every variable that a step moves is saved, resumed and put back, or told."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted, quiet
from helpers.resumable import bits, everything
from helpers.variants import slow_but

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import forget_global_seed_generator
from lightning_tf.run.run_state import everything as variables_of

SHARED = {}  # a module's state, as programs have it


class Counts(keras.layers.Layer):
    """Counts its training calls in a variable that Keras does not track."""

    def build(self, shape):
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, x, training=False):
        if training:
            self.calls.assign_add(1.0)
        return x + 0.01 * self.calls


class Helper:
    """An object of the user's, which is no layer."""


class Stateful(BoringTask):
    """Moves variables at every place where a user may keep one."""

    places = ("stateful_rnn", "layer", "task", "list", "generator", "metric", "helper", "module")

    def __init__(self, place, draws_in_validation=False):
        super().__init__(BoringData(batch_size=16))
        self.place, self.draws_in_validation = place, draws_in_validation

    def configure_model(self):
        super().configure_model()
        self.rnn = keras.Sequential(
            [keras.Input(batch_shape=(16, 4, 8)), keras.layers.LSTM(2, stateful=True)]
        )
        self.counts = Counts()
        self.total = tf.Variable(0.0)
        self.totals = {"of": [keras.Variable(0.0, trainable=False)]}
        self.generator = tf.random.Generator.from_seed(3)
        self.running = keras.metrics.Mean()
        self.helper = Helper()
        self.helper.total = tf.Variable(0.0, trainable=False)
        SHARED["total"] = tf.Variable(0.0, trainable=False)

    def moved(self, x):
        """Move the place's state, and return a scalar that depends on it."""
        if self.place == "stateful_rnn":
            return tf.reduce_mean(self.rnn(tf.reshape(x, (16, 4, 8))))
        if self.place == "layer":
            return tf.reduce_mean(self.counts(x, training=True))
        if self.place == "generator":
            return self.generator.normal([])
        if self.place == "metric":
            self.running.update_state(x)
            return self.running.result()
        variable = {
            "task": self.total,
            "list": self.totals["of"][0],
            "helper": self.helper.total,
            "module": SHARED["total"],
        }[self.place]
        variable.assign(variable + tf.reduce_mean(x))
        return tf.convert_to_tensor(variable)

    def training_step(self, batch):
        return {"model": super().training_step(batch) * (1.0 + self.moved(batch[0]))}

    def validation_step(self, batch):
        loss = BoringTask.training_step(self, batch)
        return loss + self.moved(batch[0]) if self.draws_in_validation else loss

    def configure_optimizers(self):
        return {"model": keras.optimizers.SGD(0.1)}


def resumed(task, path, **arguments):
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(task, ckpt_path=path)
    return trainer


NEXT_TO_THE_MODEL = {"limit_val_batches": 0, "seed": 5, "max_epochs": 3}


@pytest.mark.filterwarnings("ignore:.*stateful")
@pytest.mark.parametrize("place", slow_but(Stateful.places, "layer", "list", "module"))
def test_a_resumed_run_has_the_state_wherever_it_is_kept(place, tmp_path):
    whole = fitted(Stateful(place), **NEXT_TO_THE_MODEL)
    first = fitted(Stateful(place), **{**NEXT_TO_THE_MODEL, "max_steps": 6})
    first.save_checkpoint(tmp_path / "c")
    again = resumed(Stateful(place), tmp_path / "c", **NEXT_TO_THE_MODEL)
    assert everything(again) == everything(whole)


@pytest.mark.parametrize("place", slow_but(Stateful.places, "task", "generator"))
def test_the_sanity_check_leaves_no_trace_where_validation_moves_state(place):
    runs = [
        fitted(Stateful(place, True), max_epochs=2, seed=5, num_sanity_val_steps=steps)
        for steps in (0, 2)
    ]
    assert everything(runs[0]) == everything(runs[1])


class MovedByAHook(BoringTask):
    """Its validation hook moves what training reads: a variable, and generators."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def configure_model(self):
        super().configure_model()
        self.factor = keras.Variable(1.0, trainable=False, name="factor")
        self.draws = keras.random.SeedGenerator(3)

    def on_validation_end(self):
        seed = self.draws if self.kind == "own generator" else None
        move = 2.0
        if "generator" in self.kind:
            move = 1.0 + keras.random.uniform((), seed=seed)
        self.factor.assign(self.factor * move)

    def training_step(self, batch):
        return super().training_step(batch) * tf.stop_gradient(self.factor)


@pytest.mark.parametrize(
    "kind",
    [
        "variable",
        pytest.param("own generator", marks=pytest.mark.slow),
        pytest.param("global generator", marks=pytest.mark.slow),
    ],
)
def test_the_sanity_check_leaves_no_trace_where_a_hook_moves_state(kind):
    losses = []
    for steps in (0, 2):
        forget_global_seed_generator()  # as in a new process
        trainer = fitted(MovedByAHook(kind), max_epochs=2, seed=5, num_sanity_val_steps=steps)
        losses.append((trainer.callback_metrics["loss"], float(trainer.task.factor)))
    assert losses[0] == losses[1]


class Tries(Callback):
    logs_metrics = False

    def on_train_start(self, trainer, task):
        before = bits(variables_of(trainer, task))
        with trainer.trial_run(task) as trial_run:
            batches = trial_run.batches()
            for _ in range(3):
                trial_run.update(batches)
            assert bits(variables_of(trainer, task)) != before
        assert bits(variables_of(trainer, task)) == before


@pytest.mark.parametrize("place", slow_but(Stateful.places, "metric", "helper"))
def test_a_trial_run_puts_the_state_back(place):
    fitted(Stateful(place), callbacks=[Tries()], **{**NEXT_TO_THE_MODEL, "max_epochs": 1})


@pytest.mark.parametrize("place", slow_but(Stateful.places, "list", "helper"))
def test_only_what_no_attribute_leads_to_is_told(place, caplog):
    fitted(Stateful(place), **{**NEXT_TO_THE_MODEL, "max_epochs": 1})
    told = [r.getMessage() for r in caplog.records if "no attribute of the task" in r.getMessage()]
    assert len(told) == (place in ("helper", "module"))
    assert all("training_step uses Variable" in message for message in told)


def test_weights_that_no_optimizer_updates_are_told_once(caplog):
    class Forgets(Stateful):
        def training_step(self, batch):
            x = batch[0] + self.shift
            return super().training_step((x, batch[1]))

        def configure_model(self):
            super().configure_model()
            self.shift = keras.Variable(np.zeros(32, "float32"), name="shift")
            self.unused = keras.Variable(1.0)

    fitted(Forgets("layer"), **NEXT_TO_THE_MODEL)
    told = [r.getMessage() for r in caplog.records if "no optimizer" in r.getMessage()]
    assert len(told) == 1
    assert "no optimizer updates shift.0000.shift, which training_step uses" in told[0]


class Taught(BoringTask):
    """A frozen teacher, which stands in no checkpoint."""

    def configure_model(self):
        super().configure_model()
        self.teacher = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])
        self.teacher.trainable = False

    def constant_variables(self):
        return [self.teacher]

    def training_step(self, batch):
        return super().training_step(batch) + tf.reduce_mean(self.teacher(batch[0]) ** 2)


def test_constant_variables_stand_in_no_checkpoint_and_are_not_told(tmp_path, caplog):
    caplog.set_level(logging.INFO, "lightning_tf")
    trainer = fitted(Taught(), max_epochs=1, seed=1)
    assert not [name for name in variables_of(trainer, trainer.task) if "teacher" in name]
    assert "teacher" not in caplog.text
    trainer.save_checkpoint(tmp_path / "c")
    resumed(Taught(), tmp_path / "c", max_epochs=2, seed=1)


def test_a_step_that_assigns_what_is_called_constant_is_refused():
    class Lies(Stateful):
        def constant_variables(self):
            return [self.total]

    with pytest.raises(ConfigurationError, match="training_step assigns Variable:0, which Lies"):
        fitted(Lies("task"), **NEXT_TO_THE_MODEL)


def test_a_test_with_a_checkpoint_tells_which_weights_it_does_not_load(tmp_path, caplog):
    trainer = fitted(Stateful("helper", True), max_epochs=1, seed=1)
    trainer.save_checkpoint(tmp_path / "c")
    caplog.clear()
    trainer.test(trainer.task, ckpt_path=tmp_path / "c")
    assert "test_step uses Variable, which no attribute of the task leads to" in caplog.text
    assert "are not loaded" in caplog.text


@pytest.mark.distributed
@pytest.mark.parametrize("place", ["list", "metric"])
def test_state_beside_the_model_resumes_on_replicas(place, tmp_path):
    devices = {"accelerator": "cpu", "devices": 2}
    whole = fitted(Stateful(place), **NEXT_TO_THE_MODEL, **devices)
    # At an epoch's end, where what replicas move by their own examples is averaged.
    first = fitted(Stateful(place), **{**NEXT_TO_THE_MODEL, "max_epochs": 2}, **devices)
    first.save_checkpoint(tmp_path / "c")
    again = resumed(Stateful(place), tmp_path / "c", **NEXT_TO_THE_MODEL, **devices)
    assert everything(again) == everything(whole)


def test_tables_that_a_step_changes_are_told(caplog):
    class Tables(BoringTask):
        def configure_model(self):
            super().configure_model()
            self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

        def training_step(self, batch):
            self.table.insert(tf.constant([1], tf.int64), tf.constant([2.0]))
            return super().training_step(batch)

    fitted(Tables(), max_epochs=1)
    assert "LookupTableInsertV2" in caplog.text


class Outside(BoringTask):
    """Adds what moves outside every variable."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.numbers = kind, iter(tf.data.Dataset.range(100))

    def training_step(self, batch):
        return super().training_step(batch) + 0.0 * tf.cast(self.draw(), "float32")

    def draw(self):
        if self.kind == "iterator":
            return next(self.numbers)
        if self.kind == "numpy_function":
            return tf.ensure_shape(tf.numpy_function(lambda: np.float32(1.0), [], tf.float32), [])
        if self.kind == "py_function":
            return tf.ensure_shape(tf.py_function(lambda: 1.0, [], tf.float32), [])
        if self.kind == "sampler":
            labels = tf.constant([[1]], tf.int64)
            return tf.random.log_uniform_candidate_sampler(labels, 1, 2, True, 9)[0][0]
        function = tf.numpy_function(lambda: np.float32(1.0), [], tf.float32, stateful=False)
        return tf.ensure_shape(function, [])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("iterator", "moves a table, queue or iterator (IteratorGetNext)"),
        ("numpy_function", "calls Python (PyFunc"),
        ("py_function", "calls Python (EagerPyFunc"),
        ("sampler", "LogUniformCandidateSampler of tf.random"),
        ("stateless", None),
    ],
)
def test_what_moves_outside_every_variable_is_told_once(kind, said, caplog):
    fitted(Outside(kind), max_epochs=2, limit_val_batches=0)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(told) == (said is not None)
    assert said is None or f"training_step {said}" in told[0].replace("draws with ", "")


def test_random_numbers_of_tensorflow_are_told_inside_a_branch_too(caplog):

    class Branches(BoringTask):
        def training_step(self, batch):
            noise = tf.cond(batch[0][0, 0] > 0.0, lambda: tf.random.normal([]), lambda: 0.0)
            return super().training_step(batch) + 0.0 * noise

    fitted(Branches(), max_epochs=1)
    assert "RandomStandardNormal of tf.random" in caplog.text


def test_the_weights_of_a_module_train_and_are_saved(tmp_path):
    class Affine(tf.Module):
        def __init__(self):
            super().__init__()
            self.shift = tf.Variable(tf.zeros([32]), name="shift")
            self.steps = tf.Variable(0.0, trainable=False, name="steps")

        def __call__(self, x):
            self.steps.assign_add(1.0)
            return x + self.shift

    class Modular(BoringTask):
        def configure_model(self):
            super().configure_model()
            self.affine = Affine()

        def training_step(self, batch):
            return super().training_step((self.affine(batch[0]), batch[1]))

    whole = fitted(Modular(), **NEXT_TO_THE_MODEL)
    assert np.abs(whole.task.affine.shift.numpy()).max() > 0.0
    first = fitted(Modular(), **{**NEXT_TO_THE_MODEL, "max_steps": 6})
    first.save_checkpoint(tmp_path / "c")
    again = resumed(Modular(), tmp_path / "c", **NEXT_TO_THE_MODEL)
    assert everything(again) == everything(whole)
    loaded = Modular.from_checkpoint(tmp_path / "c")
    assert float(loaded.affine.steps) == 6.0


def test_a_weight_that_is_made_after_the_optimizers_is_refused():
    class Late(BoringTask):
        late = None

        def training_step(self, batch):
            if self.late is None:
                self.late = tf.Variable(0.0, name="late")
            return super().training_step(batch) + 0.0 * self.late

    with pytest.raises(ConfigurationError, match="late:0 was made after the optimizers"):
        fitted(Late(), **NEXT_TO_THE_MODEL)
