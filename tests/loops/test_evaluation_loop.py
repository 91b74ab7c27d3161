import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, Rows, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import KerasTask


class HeldOut(NumberData):
    """Held-out numbers of a length that may be unknown, in batches of two."""

    def __init__(self, held_out, kind="known"):
        super().__init__([1.0], 2, held_out=held_out)
        self.kind = kind

    def val_dataset(self):
        dataset = super().val_dataset()
        if self.kind == "unknown":
            return dataset.filter(lambda x: True)
        return dataset.repeat() if self.kind == "endless" else dataset


class Watches(Callback):
    def __init__(self):
        self.started, self.ended = [], []

    def on_validation_batch_start(self, trainer, task, batch_idx):
        self.started.append(batch_idx)

    def on_validation_batch_end(self, trainer, task, outputs, batch, batch_idx):
        self.ended.append((batch_idx, outputs["val_loss"]))


@pytest.mark.parametrize("kind", ["known", "unknown"])
@pytest.mark.parametrize("watched", [False, True])
def test_the_mean_is_over_all_examples(kind, watched):
    callbacks = Watches() if watched else None
    trainer = Trainer(**quiet(callbacks=callbacks))
    values = trainer.validate(NumberTask(HeldOut([1, 2, 3, 4, 10], kind)))
    assert values == {"val_loss": 4.0}
    assert trainer.callback_metrics == {"val_loss": 4.0}


def test_batch_hooks_are_called_for_each_batch_and_no_other():
    watches = Watches()
    Trainer(**quiet(callbacks=watches)).validate(NumberTask(HeldOut([1, 2, 3, 4, 10])))
    assert watches.ended == [(0, 1.5), (1, 3.5), (2, 10.0)]
    assert watches.started == [0, 1, 2]


def test_hooks_of_validation_and_test_in_order():
    for entry, stage in (("validate", "validation"), ("test", "test")):
        recorder = Recorder()
        getattr(Trainer(**quiet(callbacks=recorder)), entry)(NumberTask(HeldOut([1])))
        parts = ("start", "epoch_start", "window_end", "epoch_end", "end")
        middle = [f"on_{stage}_{part}" for part in parts]
        assert recorder.names == ["setup", *middle, "teardown"]


def test_the_values_are_known_when_the_epoch_ends():
    class Reads(Callback):
        seen = None

        def on_validation_epoch_end(self, trainer, task):
            self.seen = (trainer.stage, dict(trainer.callback_metrics))

    reads = Reads()
    Trainer(**quiet(callbacks=reads)).validate(NumberTask(HeldOut([3])))
    assert reads.seen == ("validate", {"val_loss": 3.0})


def test_a_second_evaluation_starts_its_metrics_anew():
    class Counts(NumberTask):
        def configure_metrics(self):
            return {"total": keras.metrics.Sum()}

        def validation_step(self, batch):
            self.metrics["total"].update_state(batch)

    trainer, task = Trainer(**quiet()), Counts(HeldOut([1, 2, 3]))
    assert trainer.validate(task) == {"val_total": 6.0}
    assert trainer.validate(task) == {"val_total": 6.0}


def test_evaluation_moves_no_weight_and_no_statistics():
    class Normed(BoringTask):
        def configure_model(self):
            layers = [keras.layers.BatchNormalization(), keras.layers.Dense(2)]
            self.model = keras.Sequential([keras.Input((32,)), *layers])

        def validation_step(self, batch):
            return tf.reduce_mean(self.model(batch[0], training=False))

    task, trainer = Normed(), Trainer(**quiet())
    trainer.validate(task)
    before = [np.array(weight) for weight in task.model.get_weights()]
    trainer.validate(task)
    trainer.test(task)
    after = task.model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(("limit", "expected"), [(1, 1.5), (0.5, 2.5), (1.0, 3.5), (99, 3.5)])
def test_limits_take_the_first_batches(limit, expected):
    task = NumberTask(HeldOut([1, 2, 3, 4, 5, 6, 3, 4]))
    assert Trainer(**quiet(limit_val_batches=limit)).validate(task) == {"val_loss": expected}
    assert Trainer(**quiet(limit_test_batches=limit)).test(task) == {"test_loss": expected}


@pytest.mark.parametrize("entry", ["validate", "test"])
def test_a_limit_of_zero_leaves_nothing_to_evaluate(entry):
    trainer = Trainer(**quiet(limit_val_batches=0, limit_test_batches=0))
    with pytest.raises(ConfigurationError, match="leaves nothing"):
        getattr(trainer, entry)(NumberTask(HeldOut([1])))


@pytest.mark.parametrize("kind", ["known", "unknown"])
def test_empty_data_are_an_error(kind):
    with pytest.raises(DataError, match="val_dataset is empty"):
        Trainer(**quiet()).validate(NumberTask(HeldOut(np.zeros([0]), kind)))


def test_missing_data_are_an_error():
    with pytest.raises(DataError, match="test_dataset gave nothing"):
        Trainer(**quiet()).test(NumberTask(NumberData([1])))


def test_endless_data_need_a_limit():
    task = NumberTask(HeldOut([1, 2, 3], "endless"))
    with pytest.raises(ConfigurationError, match="limit_val_batches"):
        Trainer(**quiet()).validate(task)
    assert Trainer(**quiet(limit_val_batches=2)).validate(task) == {"val_loss": 2.0}


def test_a_dict_of_losses_is_logged_by_name():
    class Two(NumberTask):
        def validation_step(self, batch):
            return {"generator": tf.reduce_mean(batch), "discriminator": tf.reduce_max(batch)}

    values = Trainer(**quiet()).validate(Two(HeldOut([1, 3])))
    assert values == {"val_generator_loss": 2.0, "val_discriminator_loss": 3.0}


def test_a_name_that_has_the_prefix_keeps_it():
    class Prefixed(NumberTask):
        def validation_step(self, batch):
            self.log("val_score", tf.reduce_mean(batch))

    assert Trainer(**quiet()).validate(Prefixed(HeldOut([2]))) == {"val_score": 2.0}


def test_a_test_after_fit_uses_the_trained_weight_and_keeps_the_fits_metrics():
    class Weighs(NumberTask):
        def validation_step(self, batch):
            return tf.convert_to_tensor(self.weight) + 0.0 * tf.reduce_mean(batch)

    rows = Rows()
    task = Weighs(NumberData([1, 2], held_out=[1]))
    trainer = fitted(task, max_epochs=1, logger=rows)
    assert trainer.test(task) == {"test_loss": -3.0}
    assert trainer.callback_metrics["val_loss"] == -3.0
    assert rows.column("test/loss") == [(2, -3.0)]


def test_an_exception_in_a_step_leaves_after_on_exception_ran_once():
    class Fails(NumberTask):
        def validation_step(self, batch):
            raise ZeroDivisionError("mine")

    recorder, rows = Recorder(), Rows()
    trainer = Trainer(**quiet(callbacks=recorder, logger=rows))
    with pytest.raises(ZeroDivisionError, match="mine"):
        trainer.test(Fails(HeldOut([1])))
    assert recorder.names.count("on_exception") == 1
    assert rows.ends == ["failed"]
    assert trainer.test(NumberTask(HeldOut([1]))) == {"test_loss": 1.0}


def test_window_hooks_tell_how_many_batches_are_done(tmp_path):
    class Watcher(Callback):
        def __init__(self):
            self.done = {"validation": [], "test": []}

        def on_validation_window_end(self, trainer, task, batches):
            self.done["validation"].append(batches)

        def on_test_window_end(self, trainer, task, batches):
            self.done["test"].append(batches)

    watcher = Watcher()
    trainer = Trainer(**quiet(callbacks=watcher, default_root_dir=tmp_path))
    task = NumberTask(NumberData([1.0], 2, held_out=[1, 2, 3, 4, 10]))
    trainer.validate(task)
    assert trainer.num_val_batches == 3
    trainer.test(task)
    assert trainer.num_test_batches == 3
    for done in watcher.done.values():
        assert done[-1] == 3
        assert done == sorted(set(done))


class OfArrays(BoringTask):
    def test_step(self, batch):
        return self.validation_step(batch)


def keras_task(arrays):
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    return KerasTask(net, data=arrays, loss="mse", optimizer="sgd")


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (
            lambda arrays: KerasTask(
                keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
                data=arrays,
                loss="mse",
                optimizer="sgd",
            ),
            "pass test_",
        ),
        (OfArrays, r"give data=\{'train': ..., 'test': ...\}, or call trainer.test\(task, data\)"),
    ],
    ids=["KerasTask", "own task"],
)
def test_a_test_without_test_data_says_how_to_give_some(make, remedy):
    arrays = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    with pytest.raises(DataError, match=remedy):
        Trainer(**quiet()).test(make(arrays))
