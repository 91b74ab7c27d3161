import math
import os

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.scripted import Scripted

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import KerasAdapter
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.loops.training_values import TrainingValues
from lightning_tf.tasks import KerasTask

# Keras 3.15 asks NumPy 2 for copies of its variables in a way that NumPy warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Notes(keras.callbacks.Callback):
    """Notes hooks and logs; batches are left out."""

    def __init__(self):
        super().__init__()
        self.hooks, self.logs = [], {}

    def _note(self, hook, logs):
        self.hooks.append(hook)
        self.logs[hook] = dict(logs or {})

    def on_train_begin(self, logs=None):
        self._note("train_begin", logs)

    def on_train_end(self, logs=None):
        self._note("train_end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._note(f"epoch_begin {epoch}", logs)

    def on_epoch_end(self, epoch, logs=None):
        self._note(f"epoch_end {epoch}", logs)

    def on_test_begin(self, logs=None):
        self._note("test_begin", logs)

    def on_test_end(self, logs=None):
        self._note("test_end", logs)

    def on_predict_begin(self, logs=None):
        self._note("predict_begin", logs)

    def on_predict_end(self, logs=None):
        self._note("predict_end", logs)


class NotesBatches(Notes):
    def on_train_batch_end(self, batch, logs=None):
        self._note(f"batch_end {batch}", logs)


class NotesTestBatches(Notes):
    def on_test_batch_begin(self, batch, logs=None):
        self._note(f"test_batch_begin {batch}", logs)


def learning_rate(trainer):
    return float(trainer.optimizers[""].learning_rate.numpy())


def watches(callback, stage="train"):
    trainer = fitted(BoringTask(), max_epochs=1, callbacks=[callback])
    return trainer.hooks.watches_batches(stage)


def test_hooks_come_in_the_order_of_keras():
    notes = Notes()
    trainer = fitted(BoringTask(), max_epochs=2, callbacks=[notes])
    epoch = ["epoch_begin {}", "test_begin", "test_end", "epoch_end {}"]
    expected = [hook.format(number) for number in (0, 1) for hook in epoch]
    assert notes.hooks == ["train_begin", *expected, "train_end"]
    notes.hooks.clear()
    trainer.test(trainer.task)
    trainer.validate(trainer.task)
    trainer.predict(trainer.task, collect=True)
    assert notes.hooks == ["test_begin", "test_end"] * 2 + ["predict_begin", "predict_end"]


def test_logs_have_the_names_of_keras_and_only_what_is_fresh():
    notes = Notes()
    trainer = fitted(BoringTask(), max_epochs=2, check_val_every_n_epoch=2, callbacks=[notes])
    assert set(notes.logs["epoch_end 0"]) == {"loss", "accuracy"}
    assert notes.logs["epoch_end 1"] == trainer.callback_metrics
    assert notes.logs["test_end"]["loss"] == trainer.callback_metrics["val_loss"]


def test_params_and_model_are_those_of_the_run():
    notes = Notes()
    trainer = fitted(BoringTask(), max_epochs=3, callbacks=[notes])
    assert notes.params == {"verbose": 0, "epochs": 3, "steps": 4}
    assert notes.model is trainer.task.model


def test_only_callbacks_that_override_batch_hooks_make_windows_of_one():
    assert not watches(Notes())
    assert watches(NotesBatches())
    assert not watches(NotesBatches(), "validation")
    assert watches(NotesTestBatches(), "validation")
    assert not watches(NotesTestBatches())
    assert not watches(keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None))
    assert watches(keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None))


def test_batches_come_with_the_running_means_of_fit():
    notes = NotesBatches()
    task = NumberTask(NumberData([1.0, 2.0, 4.0]))
    task.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    task.configure_model()
    task.configure_optimizers = lambda: {"weight": keras.optimizers.SGD(1e-9)}
    task.training_step = lambda batch: {"weight": NumberTask.training_step(task, batch)}
    fitted(task, max_epochs=1, callbacks=[notes])
    losses = [notes.logs[f"batch_end {batch}"]["weight_loss"] for batch in range(3)]
    np.testing.assert_allclose(losses, [1.0, 1.5, 7 / 3], rtol=1e-5)


def test_sanity_checks_are_not_shown():
    notes = NotesTestBatches()
    fitted(BoringTask(), max_epochs=0, num_sanity_val_steps=2, callbacks=[notes])
    assert notes.hooks == ["train_begin", "train_end"]


def test_the_models_optimizer_is_there_while_it_runs_and_then_as_before():
    seen = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.optimizer)

    task = BoringTask()
    task.configure_model()
    task.model.compile("rmsprop", "mse")
    compiled = task.model.optimizer
    task.configure_model = lambda: None
    trainer = fitted(task, max_epochs=1, callbacks=[Looks(), Looks()])
    assert seen == [trainer.optimizers[""]] * 2
    assert task.model.optimizer is compiled
    bare = BoringTask()
    fitted(bare, max_epochs=1, callbacks=[Looks(), Looks()])
    assert "optimizer" not in vars(bare.model)


def test_the_model_is_as_before_after_an_exception():
    def fail(epoch, logs):
        raise RuntimeError("on purpose")

    task = BoringTask()
    failing = keras.callbacks.LambdaCallback(on_epoch_begin=fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(task, max_epochs=1, callbacks=[Notes(), failing])
    assert "optimizer" not in vars(task.model)
    fitted(task, max_epochs=1, callbacks=[Notes()])


def test_learning_rate_scheduler():
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / 10**epoch)
    trainer = fitted(BoringTask(), max_epochs=3, callbacks=[scheduler])
    assert learning_rate(trainer) == pytest.approx(0.001)


def test_reduce_lr_on_plateau():
    plateau = keras.callbacks.ReduceLROnPlateau("val_score", mode="min", factor=0.5, patience=1)
    trainer = fitted(Scripted([1, 1, 1]), max_epochs=3, callbacks=[plateau])
    assert learning_rate(trainer) == pytest.approx(0.025)


def test_early_stopping_stops_and_brings_back_the_best_weights():
    stopping = keras.callbacks.EarlyStopping(
        "val_score", mode="min", patience=2, restore_best_weights=True
    )
    kept = {}

    class Keeps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()

    task = Scripted([3, 1, 2, 2, 2])
    trainer = fitted(task, max_epochs=5, callbacks=[Keeps(), stopping])
    assert trainer.current_epoch == 4
    assert "model.stop_training" in trainer.stop_reason
    for weight, best in zip(task.model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(weight, best)


def test_a_stop_before_min_epochs_is_asked_for_again():
    stopping = keras.callbacks.EarlyStopping("val_score", mode="min", patience=1)
    trainer = fitted(Scripted([1]), max_epochs=9, min_epochs=4, callbacks=[stopping])
    assert trainer.current_epoch == 4


def test_a_stop_before_min_epochs_goes_away_with_a_recovery():
    stopping = keras.callbacks.EarlyStopping("val_score", mode="min", patience=1)
    task = Scripted([1, 2, 0.5, 0.4])
    trainer = fitted(task, max_epochs=4, min_epochs=3, callbacks=[stopping])
    assert trainer.current_epoch == 4


class Asks(keras.callbacks.Callback):
    """Assigns to ``model.stop_training`` at the end of the epochs that are named."""

    def __init__(self, assigned):
        super().__init__()
        self.assigned = assigned

    def on_epoch_end(self, epoch, logs=None):
        if epoch in self.assigned:
            self.model.stop_training = self.assigned[epoch]


def test_a_request_beside_that_of_early_stopping_outlives_its_recovery():
    for callbacks, epochs in (
        ([Asks({1: True})], 3),  # asked while EarlyStopping's request waited
        ([Asks({0: True})], 3),
        ([Asks({1: True, 2: False})], 5),  # taken back by the one who made it
        ([Asks({1: True}), Asks({2: False})], 3),  # not by another
        ([Asks({1: True}), Asks({1: False})], 5),  # but in the same epoch, as in fit
        ([], 5),
    ):
        stopping = keras.callbacks.EarlyStopping("val_score", mode="min", patience=1)
        trainer = fitted(
            Scripted([1, 2, 0, -1, -2]),
            max_epochs=5,
            min_epochs=3,
            callbacks=[stopping, *callbacks],
        )
        assert trainer.current_epoch == epochs, [c.assigned for c in callbacks]


def test_what_others_set_on_the_model_stops_too():
    class Sets(Callback):
        def on_train_epoch_start(self, trainer, task):
            task.model.stop_training = trainer.current_epoch == 1

    net = [Sets(), keras.callbacks.History()]
    trainer = fitted(BoringTask(), max_epochs=5, callbacks=net)
    assert "outside of Keras' callbacks" in trainer.stop_reason


def test_mode_auto_knows_the_tasks_metrics():
    stopping = keras.callbacks.EarlyStopping("val_accuracy", patience=99)
    fitted(BoringTask(), max_epochs=2, callbacks=[stopping])
    assert stopping.mode == "max"
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=99)
    fitted(BoringTask(), max_epochs=2, callbacks=[stopping])
    assert stopping.mode == "min"
    with pytest.raises(ValueError, match="Pass `mode='max'`"):
        fitted(Scripted([1]), max_epochs=2, callbacks=[keras.callbacks.EarlyStopping("val_score")])


def test_csv_logger(tmp_path):
    path = str(tmp_path / "keras.csv")
    trainer = fitted(BoringTask(), max_epochs=2, callbacks=[keras.callbacks.CSVLogger(path)])
    table = pandas.read_csv(path)
    assert table["epoch"].tolist() == [0, 1]
    assert table["val_loss"].iloc[-1] == trainer.callback_metrics["val_loss"]


def test_history_collects_the_epochs():
    history = keras.callbacks.History()
    fitted(Scripted([3, 2]), max_epochs=2, callbacks=[history])
    assert history.history["val_score"] == [3.0, 2.0]


def test_model_checkpoint_writes_models_that_load(tmp_path):
    path = str(tmp_path / "model-{epoch}.keras")
    checkpoint = keras.callbacks.ModelCheckpoint(
        path, monitor="val_score", mode="min", save_best_only=True
    )
    task = Scripted([2, 3, 1])
    trainer = fitted(task, max_epochs=3, callbacks=[checkpoint])
    assert sorted(os.listdir(tmp_path)) == ["model-1.keras", "model-3.keras"]
    assert not trainer.hooks.watches_batches("train")
    loaded = keras.models.load_model(tmp_path / "model-3.keras")
    x = task.data.x
    np.testing.assert_array_equal(loaded(x), task.model(x))


def test_terminate_on_nan_ends_training_without_an_error():
    class Diverges(BoringTask):
        def training_step(self, batch):
            return super().training_step(batch) * math.nan

    trainer = fitted(Diverges(), max_epochs=3, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert trainer.global_step == 1
    callback = keras.callbacks.TerminateOnNaN(raise_error=True)
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        fitted(Diverges(), max_epochs=3, callbacks=[callback])


def test_swap_ema_weights_evaluates_the_averages_and_trains_the_weights():
    class Averages(BoringTask):
        def configure_optimizers(self):
            return keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)

    plain = fitted(Averages(), max_epochs=2, seed=1)
    swap = keras.callbacks.SwapEMAWeights()
    swapped = fitted(Averages(), max_epochs=2, seed=1, callbacks=[swap])
    # To rounding: on some processors the swapped graph rounds in another way.
    assert swapped.callback_metrics["loss"] == pytest.approx(plain.callback_metrics["loss"])
    assert swapped.callback_metrics["val_loss"] != plain.callback_metrics["val_loss"]
    kernel = plain.task.model.layers[0].kernel
    average = plain.optimizers[""]._model_variables_moving_average[0]
    np.testing.assert_allclose(swapped.task.model.layers[0].kernel, kernel, atol=1e-6)
    kernel.assign(average)
    plain.task.model.layers[0].bias.assign(plain.optimizers[""]._model_variables_moving_average[1])
    averaged = plain.validate(plain.task)["val_loss"]
    assert swapped.callback_metrics["val_loss"] == pytest.approx(averaged, abs=1e-6)


def test_swap_ema_weights_without_a_fit_is_refused():
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[keras.callbacks.SwapEMAWeights()]))
    with pytest.raises(ConfigurationError, match="call fit first"):
        trainer.test(BoringTask())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: keras.callbacks.BackupAndRestore(path), "BackupAndRestore.*ckpt_path"),
        (lambda path: keras.callbacks.TensorBoard(path), "TensorBoard.*profiler"),
        (lambda path: keras.callbacks.SwapEMAWeights(swap_on_epoch=True), "swap_on_epoch"),
    ],
)
def test_what_works_only_inside_model_fit_is_refused(tmp_path, make, message):
    with pytest.raises(ConfigurationError, match=message):
        Trainer(max_epochs=1, callbacks=[make(str(tmp_path / "keras.weights.h5"))])


def test_a_task_without_a_keras_model_is_refused():
    with pytest.raises(ConfigurationError, match="NumberTask has none"):
        fitted(NumberTask(NumberData([1.0])), max_epochs=1, callbacks=[Notes()])


def test_with_several_optimizers_it_is_the_one_of_the_model():
    class Two(BoringTask):
        def configure_model(self):
            super().configure_model()
            self.other = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])

        def configure_optimizers(self):
            return {"other": keras.optimizers.Adam(0.1), "model": keras.optimizers.SGD(0.1)}

        def training_step(self, batch):
            loss = super().training_step(batch)
            return {"model": loss, "other": keras.ops.mean(self.other(batch[0]) ** 2)}

    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5)
    trainer = fitted(Two(), max_epochs=1, limit_val_batches=0, callbacks=[KerasAdapter(scheduler)])
    rates = {name: float(opt.learning_rate.numpy()) for name, opt in trainer.optimizers.items()}
    assert rates == {"model": 0.5, "other": pytest.approx(0.1)}


def values_beside_fit(make, epochs=3, **options):
    """Return the histories that fit and the Trainer give with callbacks made anew for each."""
    x, y = BoringTask().data.x, BoringTask().data.y

    def net():
        keras.utils.set_random_seed(1)
        made = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])
        made.compile("sgd", SPARSE, metrics=["accuracy"])
        return made

    def dataset():
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)

    by_fit, by_trainer = keras.callbacks.History(), keras.callbacks.History()
    model = net()
    model.fit(
        dataset(), epochs=epochs, validation_data=dataset(), callbacks=[*make(), by_fit], **FIT
    )
    task = KerasTask(net(), data=dataset(), validation_data=dataset())
    fitted(task, max_epochs=epochs, callbacks=[*make(), by_trainer], **options)
    return by_fit.history, by_trainer.history


SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
FIT = {"verbose": 0, "shuffle": False}


def assert_alike(pair):
    expected, history = pair
    assert history.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)


class Stops(keras.callbacks.Callback):
    """Sets an attribute of the model in one hook, from its second call on."""

    def __init__(self, hook, attribute="stop_training", calls=2):
        super().__init__()
        self.left = calls

        def stop(*args, **kwargs):
            self.left -= 1
            if self.left <= 0:
                setattr(self.model, attribute, True)

        setattr(self, hook, stop)


@pytest.mark.parametrize(
    ("hook", "calls"),
    [
        ("on_train_begin", 1),
        ("on_epoch_begin", 2),
        pytest.param("on_train_batch_begin", 6, marks=pytest.mark.slow),
        ("on_train_batch_end", 6),
        pytest.param("on_test_begin", 2, marks=pytest.mark.slow),
        pytest.param("on_test_batch_end", 2, marks=pytest.mark.slow),
        ("on_test_end", 2),
        ("on_epoch_end", 2),
    ],
)
def test_training_stops_where_fit_stops_whichever_hook_asks(hook, calls):
    # The second callback does not undo what the first has asked for, in whichever order.
    assert_alike(values_beside_fit(lambda: [Stops(hook, calls=calls), Notes()]))
    assert_alike(values_beside_fit(lambda: [Notes(), Stops(hook, calls=calls)]))


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param("on_test_begin", marks=pytest.mark.slow),
        pytest.param("on_test_batch_begin", marks=pytest.mark.slow),
        "on_test_batch_end",
    ],
)
def test_an_evaluation_ends_where_evaluate_ends(hook):
    assert_alike(values_beside_fit(lambda: [Stops(hook, "stop_evaluating")]))


@pytest.mark.parametrize("hook", ["on_predict_begin", "on_predict_batch_end"])
def test_a_prediction_ends_where_predict_ends(hook):
    task = BoringTask()
    trainer = Trainer(**quiet(callbacks=[Stops(hook, "stop_predicting", calls=1)]))
    assert len(trainer.predict(task, collect=True)) == 1


def test_callbacks_hand_one_dict_of_logs_along():
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = float(epoch)

    def make():
        scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))
        stopping = keras.callbacks.EarlyStopping("mine", mode="max", patience=9)
        return [scheduler, Adds(), stopping]

    pair = values_beside_fit(make)
    assert_alike(pair)
    assert pair[1]["mine"] == [0.0, 1.0, 2.0]
    assert pair[1]["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])


@pytest.mark.parametrize(
    "hook", ["on_train_batch_end", pytest.param("on_test_batch_end", marks=pytest.mark.slow)]
)
def test_logs_of_batches_and_get_metrics_result_are_those_of_fit(hook):
    seen = []

    class Looks(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            seen.append([])
            setattr(self, hook, self.look)

        def look(self, batch, logs=None):
            result = {n: float(v) for n, v in self.model.get_metrics_result().items()}
            seen[-1].append((batch, dict(logs), result))

    values_beside_fit(lambda: [Looks()], epochs=2)
    for (batch, logs, result), (expected_batch, expected, own) in zip(*reversed(seen), strict=True):
        assert batch == expected_batch
        assert logs == pytest.approx(expected, rel=1e-5)
        assert result == pytest.approx(own, rel=1e-5)


@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")
@pytest.mark.parametrize("method", ["evaluate", "test_on_batch"])
def test_a_callback_that_evaluates_the_model_itself_gets_its_values(method):
    x = np.random.default_rng(3).normal(size=(16, 4)).astype("float32")
    seen = []

    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            options = {"verbose": 0} if method == "evaluate" else {}
            values = getattr(self.model, method)(x, x[:, :1], return_dict=True, **options)
            running = self.model.get_metrics_result()
            seen.append((values["loss"], values["mae"], running["loss"], running["mae"]))

    pair = []
    for by_fit in (True, False):
        keras.utils.set_random_seed(1)
        net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        net.compile("sgd", "mse", metrics=["mae"])
        data = tf.data.Dataset.from_tensor_slices((2.0 * x, x[:, :1])).batch(8)
        if by_fit:
            net.fit(data, epochs=2, callbacks=[Evaluates()], **FIT)
        else:
            fitted(KerasTask(net, data=data), max_epochs=2, callbacks=[Evaluates()])
        assert "evaluate" not in vars(net)
        pair.append([row[:2] for row in seen])
        seen.clear()
    np.testing.assert_allclose(pair[1], pair[0], rtol=1e-5)


def test_nothing_waits_for_the_device_without_a_batch_hook(monkeypatch):
    reads = []
    peek = TrainingValues.peek
    monkeypatch.setattr(TrainingValues, "peek", lambda self: reads.append(1) or peek(self))
    fitted(BoringTask(), max_epochs=2, callbacks=[Notes(), keras.callbacks.History()])
    assert not reads


def test_a_history_stays_with_its_model_and_the_step_is_traced_once():
    class WithModel(NumberTask):
        def configure_model(self):
            super().configure_model()
            self.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

        def training_step(self, batch):
            return super().training_step(batch) + tf.reduce_mean(self.model(batch[:, None]))

    task, history = WithModel(NumberData([1.0, 2.0])), keras.callbacks.History()
    fitted(task, max_epochs=3, callbacks=[history])
    assert task.model.history is history
    assert task.traced["training"] == 1
    assert "get_metrics_result" not in vars(task.model)
