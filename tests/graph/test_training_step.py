import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks.gradient_accumulation_scheduler import GradientAccumulationScheduler
from lightning_tf.distribute.replica_batch import count_examples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.loops.training_values import TrainingValues


class Wakes(Callback):
    """Ends windows at these updates."""

    logs_metrics = False

    def __init__(self, *steps):
        self.steps = steps

    def next_step(self, trainer):
        return min((step for step in self.steps if step > trainer.global_step), default=None)


class WatchesBatches(Callback):
    logs_metrics = False

    def on_train_batch_end(self, trainer, task, outputs, batch_idx):
        """Being there makes windows of one."""

    def on_validation_batch_end(self, trainer, task, outputs, batch, batch_idx):
        """Being there makes windows of one."""


# ---- traces


@pytest.mark.parametrize("length", ["known", "unknown"])
@pytest.mark.parametrize("watched", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_each_step_is_traced_once_per_fit(length, watched):
    data = NumberData(range(23), 4, length=length, held_out=range(9))
    task = NumberTask(data)
    callbacks = [Wakes(1, 2, 4, 7, 9, 15), *([WatchesBatches()] if watched else [])]
    trainer = fitted(
        task, max_epochs=4, log_every_n_steps=3, val_check_interval=4, callbacks=callbacks
    )
    assert trainer.global_step == 24
    assert task.traced == {"training": 1, "validation": 1}
    trainer.max_epochs = 6
    trainer.fit(task)
    assert task.traced == {"training": 2, "validation": 2}


def test_accumulation_and_its_flush_need_no_further_trace():
    task = NumberTask(NumberData(range(23), 4))
    fitted(task, max_epochs=3, accumulate_grad_batches=4)
    assert task.traced["training"] == 1


def test_a_test_traces_its_step_once():
    task = NumberTask(NumberData([1], held_out=range(9)))
    Trainer(**quiet()).test(task)
    assert task.traced == {"training": 0, "validation": 1}


def test_a_model_built_by_its_first_call_trains():
    class Lazy(BoringTask):
        calls = 0

        def configure_model(self):
            self.model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(2)])

        def training_step(self, batch):
            self.calls += 1
            return super().training_step(batch)

        def validation_step(self, batch):
            return tf.reduce_mean(self.model(batch[0], training=False))

    task = Lazy()
    trainer = fitted(task, max_epochs=1)
    assert task.calls == 2  # to build the model, and for the compiled step
    trainer.max_epochs = 2
    trainer.fit(task)
    assert task.calls == 3
    assert [layer.built for layer in task.model.layers] == [True, True]
    assert float(np.abs(task.model.layers[0].bias).max()) > 0.0


@pytest.mark.parametrize("entry", ["validate", "test", "predict"])
def test_a_model_built_by_its_first_call_evaluates(entry):
    class Lazy(BoringTask):
        def configure_model(self):
            self.model = keras.Sequential([keras.layers.Dense(2)])

    trainer = Trainer(**quiet())
    result = getattr(trainer, entry)(Lazy())
    assert len(list(result)) > 0


# ---- waits for the device


def test_training_waits_only_for_rows_and_epoch_ends(monkeypatch):
    reads = []
    read = TrainingValues.read

    def counted(values):
        reads.append(values.progress.global_step)
        return read(values)

    monkeypatch.setattr(TrainingValues, "read", counted)
    fitted(NumberTask(NumberData(range(100))), max_epochs=2, log_every_n_steps=30)
    assert reads == [30, 60, 90, 100, 120, 150, 180, 200]


def test_a_window_ends_where_somebody_must_be_awake_and_nowhere_else():
    class Notes(Wakes):
        def __init__(self, *steps):
            super().__init__(*steps)
            self.ends = []

        def on_train_window_end(self, trainer, task):
            self.ends.append(trainer.global_step)

    # The first windows are short: the clock has to learn what a batch takes.
    callback = Notes(300, 777)
    trainer = fitted(
        NumberTask(NumberData(range(1000))),
        max_epochs=1,
        log_every_n_steps=500,
        callbacks=callback,
    )
    assert trainer.global_step == 1000
    assert {300, 500, 777, 1000} <= set(callback.ends)
    assert len(callback.ends) <= 12


# ---- several optimizers


class Rivals(NumberTask):
    """Two players whose losses hold each other's weight."""

    def configure_model(self):
        self.left = keras.Variable(2.0, name="left")
        self.right = keras.Variable(5.0, name="right")

    def configure_optimizers(self):
        return {"left": keras.optimizers.SGD(1.0), "right": keras.optimizers.SGD(1.0)}

    def training_step(self, batch):
        product = self.left * self.right * tf.reduce_mean(batch)
        return {"left": product, "right": 2.0 * product}


def test_all_losses_come_from_the_weights_at_the_steps_start():
    task = Rivals(NumberData([1]))
    trainer = fitted(task, max_epochs=1)
    assert (float(task.left), float(task.right)) == (2.0 - 5.0, 5.0 - 2.0 * 2.0)
    assert trainer.callback_metrics["left_loss"] == 10.0
    assert trainer.callback_metrics["right_loss"] == 20.0
    assert trainer.global_step == 1


def test_each_optimizer_moves_its_own_variables_only():
    class OneSided(Rivals):
        def training_step(self, batch):
            product = self.left * self.right * tf.reduce_mean(batch)
            return {"left": product, "right": 0.0 * self.right}

    task = OneSided(NumberData([1]))
    fitted(task, max_epochs=1)
    assert (float(task.left), float(task.right)) == (-3.0, 5.0)


@pytest.mark.parametrize("returned", ["left", "wrong", None, "scalar"])
def test_losses_must_name_the_optimizers(returned):
    class Wrong(Rivals):
        def training_step(self, batch):
            loss = self.left * self.right
            if returned == "scalar":
                return loss
            return None if returned is None else {returned: loss}

    with pytest.raises(ConfigurationError, match=r"left.*right|'wrong'"):
        fitted(Wrong(NumberData([1])), max_epochs=1)


def test_minimize_updates_at_once_and_repeatedly():
    class Critic(Rivals):
        def training_step(self, batch):
            for _ in range(2):  # d(left**2)/d(left) = 2 left; with rate 0.25 it halves each time
                self.minimize("left", lambda: self.left**2)
            return {"right": self.left * self.right}

        def configure_optimizers(self):
            return {"left": keras.optimizers.SGD(0.25), "right": keras.optimizers.SGD(1.0)}

    task = Critic(NumberData([1]))
    trainer = fitted(task, max_epochs=1)
    assert float(task.left) == 0.5
    assert float(task.right) == 4.5  # its loss came after the critic's two updates
    assert trainer.callback_metrics["left_loss"] == (4.0 + 1.0) / 2
    assert trainer.global_step == 1


def test_minimize_alone_needs_no_returned_loss():
    class Alone(Rivals):
        def training_step(self, batch):
            self.minimize("left", lambda: 1.0 * self.left)
            self.minimize("right", lambda: 2.0 * self.right)

    task = Alone(NumberData([1]))
    fitted(task, max_epochs=1)
    assert (float(task.left), float(task.right)) == (1.0, 3.0)


def test_minimize_of_an_unknown_optimizer_names_the_nearest():
    class Typo(Rivals):
        def training_step(self, batch):
            self.minimize("lefty", lambda: 1.0 * self.left)

    with pytest.raises(ConfigurationError, match="Did you mean 'left'"):
        fitted(Typo(NumberData([1])), max_epochs=1)


@pytest.mark.parametrize("precision", ["float32", "16-mixed"])
def test_minimize_passes_through_accumulation_and_clipping(precision):
    class Accumulates(NumberTask):
        def configure_optimizers(self):
            return {"weight": keras.optimizers.SGD(1.0)}

        def training_step(self, batch):
            self.minimize("weight", lambda: tf.reduce_mean(batch) * self.weight)

    task = Accumulates(NumberData([10, -8, 50, 50]))
    fitted(
        task,
        max_epochs=1,
        accumulate_grad_batches=2,
        gradient_clip_val=4.0,
        precision=precision,
    )
    assert float(task.weight) == pytest.approx(-(1.0 + 4.0), rel=1e-6)


class Twice(Rivals):
    """Updates ``left`` twice in a batch: by two calls, or by a call and a returned loss."""

    def __init__(self, data, calls):
        super().__init__(data)
        self.calls = calls

    def training_step(self, batch):
        for _ in range(self.calls):
            self.minimize("left", lambda: self.left * tf.reduce_mean(batch))
        losses = {"right": self.right * tf.reduce_mean(batch)}
        return losses if self.calls == 2 else {**losses, "left": self.left}


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("how", ["by the Trainer", "in a later epoch", "by the optimizers"])
def test_several_updates_in_a_batch_cannot_be_accumulated(calls, how):
    """They gave one update from 2N - 1 gradients and one from the last alone."""

    class Accumulating(Twice):
        def configure_optimizers(self):
            steps = {"gradient_accumulation_steps": 3} if how == "by the optimizers" else {}
            return {name: keras.optimizers.SGD(1.0, **steps) for name in ("left", "right")}

    arguments = {
        "by the Trainer": {"accumulate_grad_batches": 3},
        "in a later epoch": {"callbacks": [GradientAccumulationScheduler({1: 2})]},
        "by the optimizers": {},
    }[how]
    task = Accumulating(NumberData([1, 2, 3, 4]), calls)
    with pytest.raises(ConfigurationError, match=r"'left' 2 times in a batch.*larger batch_size"):
        fitted(task, max_epochs=2, **arguments)
    assert float(task.left) == 2.0  # nothing moved


def test_one_update_of_each_optimizer_accumulates_by_itself_in_either_way():
    class Both(Rivals):
        def training_step(self, batch):
            self.minimize("left", lambda: self.left * tf.reduce_mean(batch))
            return {"right": self.right * tf.reduce_mean(batch)}

    task = Both(NumberData([1, 2, 3, 4, 5]))  # means over 2, 2 and the 1 that is left
    fitted(task, max_epochs=1, accumulate_grad_batches=2)
    assert float(task.left) == pytest.approx(2.0 - (1.5 + 3.5 + 5.0))
    assert float(task.right) == pytest.approx(5.0 - (1.5 + 3.5 + 5.0))


# ---- freezing


class Deep(BoringTask):
    """A backbone with statistics, and a head."""

    calls = 0

    def configure_model(self):
        self.norm = keras.layers.BatchNormalization()
        self.body = keras.layers.Dense(4)
        self.head = keras.layers.Dense(2)
        layers = [keras.Input((32,)), self.body, self.norm, self.head]
        self.model = keras.Sequential(layers)

    def configure_optimizers(self):
        return keras.optimizers.Adam(0.01)

    def training_step(self, batch):
        self.calls += 1
        return super().training_step(batch)

    def validation_step(self, batch):
        return tf.reduce_mean(self.model(batch[0], training=False))


def values(layer):
    return [np.array(weight) for weight in layer.get_weights()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_frozen_layers_stay_frozen_statistics_included():
    class Frozen(Deep):
        def configure_model(self):
            super().configure_model()
            self.norm.trainable = self.body.trainable = False
            self.before = values(self.norm) + values(self.body)

    task = Frozen()
    fitted(task, max_epochs=2)
    assert same(task.before, values(task.norm) + values(task.body))
    assert float(np.abs(task.head.bias).max()) > 0.0


def test_freezing_between_epochs_rebuilds_once_and_keeps_the_slots():
    class Freezes(Deep):
        frozen = ()

        def on_train_epoch_start(self):
            self.body.trainable = self.trainer.current_epoch not in (1, 2)

        def on_train_epoch_end(self):
            if self.trainer.current_epoch < 3:
                kept = [weight for weight in self.slots() if weight.shape == (32, 4)]
                self.frozen = (*self.frozen, [*values(self.body), *kept])

        def slots(self):
            return [np.asarray(slot) for slot in self.trainer.optimizers[""].variables]

    task = Freezes()
    trainer = fitted(task, max_epochs=4)
    after_0, after_1, after_2 = task.frozen
    assert task.calls == 3  # epoch 0; epochs 1 and 2; epoch 3
    assert len(after_0) == 2 + 2  # kernel and bias; Adam's two slots of the kernel
    assert all(np.abs(slot).max() > 0.0 for slot in after_0)
    assert same(after_0, after_1)
    assert same(after_0, after_2)
    assert not np.array_equal(after_2[0], values(task.body)[0])
    assert int(trainer.optimizers[""].iterations) == trainer.global_step


def test_freezing_statistics_alone_is_seen_too():
    class Freezes(Deep):
        def configure_model(self):
            super().configure_model()
            self.norm = keras.layers.BatchNormalization(center=False, scale=False)
            layers = [keras.Input((32,)), self.body, self.norm, self.head]
            self.model = keras.Sequential(layers)

        def on_train_epoch_start(self):
            if self.trainer.current_epoch == 1:
                self.norm.trainable = False
                self.before = values(self.norm)

    task = Freezes()
    fitted(task, max_epochs=2)
    assert same(task.before, values(task.norm))


@pytest.mark.slow
def test_a_layer_frozen_from_the_start_can_be_unfrozen():
    class Thaws(Deep):
        def configure_model(self):
            super().configure_model()
            self.body.trainable = False
            self.before = values(self.body)

        def on_train_epoch_start(self):
            if self.trainer.current_epoch == 1:
                assert same(self.before, values(self.body))
                self.body.trainable = True

    task = Thaws()
    fitted(task, max_epochs=2, accumulate_grad_batches=3)
    assert not same(task.before, values(task.body))


def test_everything_frozen_is_an_error():
    class Frozen(Deep):
        def configure_model(self):
            super().configure_model()
            self.model.trainable = False

    with pytest.raises(ConfigurationError, match="no trainable variable"):
        fitted(Frozen(), max_epochs=1)


# ---- batches


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (tf.zeros([3, 2]), 3),
        ({"a": tf.zeros([4]), "b": tf.zeros([4, 2])}, 4),
        ({"a": tf.constant(2.0), "b": tf.zeros([4])}, 4),
        ((tf.zeros([0, 2]), tf.zeros([0])), 0),
        (tf.ragged.constant([[1], [2, 3], []]), 3),
        (tf.sparse.from_dense([[1, 0], [0, 1]]), 2),
        (tf.constant(1.0), 1),
    ],
)
def test_examples_are_counted_in_all_tensors_but_scalars(batch, count):
    assert int(count_examples(batch)) == count


class Uneven(NumberData):
    """Batches of two tensors, of which one has no row for every example."""

    def __init__(self, second, known):
        super().__init__([1.0, 2.0], batch_size=2)
        self.second, self.known = second, known

    def train_dataset(self, epoch):
        dataset = super().train_dataset(epoch).map(lambda x: (tf.zeros([self.second]), x))
        return dataset.map(_fix_lengths if self.known else _hide_lengths)


def _fix_lengths(other, numbers):
    return other, tf.ensure_shape(numbers, [2])


def _hide_lengths(*tensors):
    return tuple(
        tf.ensure_shape(tf.boolean_mask(t, tf.ones_like(t) > 0.0), [None]) for t in tensors
    )


@pytest.mark.parametrize("known", [True, False])
def test_tensors_of_other_numbers_of_examples_are_refused(known):
    class First(NumberTask):
        def training_step(self, batch):
            return super().training_step(batch[1])

    error = ConfigurationError if known else tf.errors.InvalidArgumentError
    with pytest.raises(error, match="different numbers of examples"):
        fitted(First(Uneven(5, known)), max_epochs=1)
    task = First(Uneven(2, known))
    fitted(task, max_epochs=1)
    assert float(task.weight) == -1.5


def test_batches_of_dicts_and_ragged_tensors_train():
    class Sums(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(tf.reduce_sum(batch["words"], axis=1)) * self.weight

    class Words(NumberData):
        def train_dataset(self, epoch):
            words = tf.ragged.constant([[1.0], [2.0, 3.0], []])
            return tf.data.Dataset.from_tensor_slices({"words": words}).batch(2)

    task = Sums(Words([0]))
    fitted(task, max_epochs=1)
    assert float(task.weight) == -3.0


def test_recorders_do_not_shorten_windows():
    recorder = Recorder()
    fitted(NumberTask(NumberData(range(64))), max_epochs=1, callbacks=recorder)
    assert recorder.names.count("on_train_window_end") < 10


def test_a_step_that_builds_its_model_may_log():
    class Logs(BoringTask):
        def configure_model(self):
            self.model = keras.Sequential([keras.layers.Dense(2)])

        def training_step(self, batch):
            loss = super().training_step(batch)
            self.log("root", tf.sqrt(loss))
            return loss

    assert {"root", "val_root"} <= set(fitted(Logs(), max_epochs=1).callback_metrics)
