"""Several data sets: of training combined, of validation, test and prediction one by one."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.replicated import assert_equal_on_replicas
from helpers.resumable import assert_resume_is_exact
from helpers.several_sets import OnTwoSets, TwoSets, Undropped
from helpers.variants import slow_but

from lightning_tf import Callback, HostMetric, Trainer
from lightning_tf.callbacks import EarlyStopping, PredictionWriter
from lightning_tf.data.pipeline.combined_sets import MODES
from lightning_tf.exceptions import ConfigurationError, DataError


def numbers(*values):
    return tf.data.Dataset.from_tensor_slices(np.array(values, "float32")).batch(2)


class Held(NumberData):
    """Trains on one number; validates, tests and predicts on whatever sets are given."""

    def __init__(self, sets):
        super().__init__([1.0])
        self.sets = sets

    def val_dataset(self):
        return self.sets

    def test_dataset(self):
        return self.sets

    def predict_dataset(self):
        return self.sets


def both():
    return {"clean": numbers(1, 2, 3), "noisy": numbers(10, 20, 30, 40, 50)}


class Median(HostMetric):
    def reset(self):
        self.seen = []

    def update(self, outputs):
        self.seen.extend(outputs["x"])

    def compute(self):
        return float(np.median(self.seen))


class Measured(NumberTask):
    def configure_host_metrics(self):
        return {"median": Median()}

    def validation_step(self, batch):
        self.collect("x", batch)
        self.log("largest", tf.reduce_max(batch))
        return super().validation_step(batch)


class Watches(Callback):
    logs_metrics = False

    def __init__(self):
        self.batches, self.windows, self.found = [], [], None

    def on_validation_batch_end(self, trainer, task, outputs, batch, batch_idx):
        loss = next(name for name in outputs if "loss" in name)
        self.batches.append((trainer.dataset_name, batch_idx, loss))

    def on_validation_window_end(self, trainer, task, batches):
        self.windows.append(batches)

    def on_validation_end(self, trainer, task):
        self.found = trainer.dataset_name, sorted(task.host_metrics)


def test_every_value_has_the_name_of_its_set():
    rows = Rows()
    trainer = fitted(Measured(Held(both())), max_epochs=2, logger=rows)
    values = trainer.validate(trainer.task)
    assert values["val_clean_loss"] == pytest.approx(2.0)
    assert values["val_noisy_loss"] == pytest.approx(30.0)
    assert (values["val_clean_median"], values["val_noisy_median"]) == (2.0, 30.0)
    assert {"val_clean_largest", "val_noisy_largest"} <= set(values)
    assert len(values) == 6
    assert len(rows.column("val/clean_loss")) == len(rows.column("val/noisy_median")) == 3
    assert trainer.num_val_batches == 5


def test_sets_of_a_list_have_their_numbers():
    values = Trainer(**quiet()).test(NumberTask(Held(list(both().values()))))
    assert values == {"test_0_loss": 2.0, "test_1_loss": 30.0}


def test_hooks_know_the_set_and_begin_its_batches_with_0():
    watches = Watches()
    Trainer(**quiet(callbacks=watches)).validate(Measured(Held(both())))
    clean = [("clean", i, "val_clean_loss") for i in range(2)]
    assert watches.batches == clean + [("noisy", i, "val_noisy_loss") for i in range(3)]
    assert watches.windows == [1, 2, 3, 4, 5]
    assert watches.found == (None, ["clean_median", "noisy_median"])


def test_a_step_is_traced_once_for_each_set_and_knows_which():
    class Knows(OnTwoSets):
        def validation_step(self, batch):
            loss = super().validation_step(batch)
            return 0.0 * loss if self.trainer.dataset_name == "noisy" else loss

    task = Knows()
    trainer = fitted(task, max_epochs=3, val_check_interval=2)
    assert task.traced == ["clean", "noisy"]
    assert trainer.callback_metrics["val_noisy_loss"] == 0.0
    assert trainer.callback_metrics["val_clean_loss"] > 0.0
    assert trainer.dataset_name is None


def test_one_set_is_traced_once_and_keeps_its_names():
    task = NumberTask(Held(numbers(1, 2, 3)))
    trainer = fitted(task, max_epochs=3)
    assert task.traced == {"training": 1, "validation": 1}
    assert set(trainer.callback_metrics) == {"loss", "val_loss"}


def test_limits_hold_for_each_set():
    trainer = Trainer(**quiet(limit_val_batches=1))
    values = trainer.validate(NumberTask(Held(both())))
    assert values == {"val_clean_loss": 1.5, "val_noisy_loss": 15.0}


def test_a_monitor_of_no_set_is_refused_with_the_names():
    task = NumberTask(Held(both()))
    with pytest.raises(ConfigurationError, match="val_clean_loss"):
        fitted(task, max_epochs=1, callbacks=[EarlyStopping("val_claen_loss")])


def test_names_that_would_meet_are_refused():
    class Logs(NumberTask):
        def validation_step(self, batch):
            self.log("b_loss", tf.reduce_mean(batch))
            return tf.reduce_mean(batch)

    sets = {"a": numbers(1), "a_b": numbers(1)}
    with pytest.raises(ConfigurationError, match="'val_a_b_loss'"):
        Trainer(**quiet()).validate(Logs(Held(sets)))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({}, "returned no data set"),
        ({"a/b": None}, "names a data set 'a/b'"),
        ({1: None}, "names a data set 1"),
        ([None], "data set 0 is None"),
        ({"a": numbers().take(0)}, "val_dataset, data set 'a', is empty"),
    ],
)
def test_what_no_evaluation_can_take_is_refused(sets, message):
    with pytest.raises(DataError, match=message):
        Trainer(**quiet()).validate(NumberTask(Held(sets)))


def test_a_prediction_has_a_list_for_each_set(tmp_path):
    trainer, task = Trainer(**quiet()), NumberTask(Held(both()))
    predicted = trainer.predict(task, collect=True)
    assert np.concatenate(predicted["clean"]).tolist() == [2.0, 4.0, 6.0]
    assert len(predicted["noisy"]) == 3
    assert [name for name, _ in trainer.predict(task)] == ["clean"] * 2 + ["noisy"] * 3

    task = NumberTask(Held(list(both().values())))
    assert [len(batches) for batches in trainer.predict(task, collect=True)] == [2, 3]


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_predictions_of_several_sets_go_to_files_of_their_own(tmp_path, form):
    writer = PredictionWriter(tmp_path, format=form, interval="batch_and_epoch")
    Trainer(**quiet(callbacks=writer)).predict(NumberTask(Held(both())))
    names = sorted(path.name for path in tmp_path.iterdir())
    batches = [f"batch_clean_{i:05d}.{form}" for i in range(2)]
    batches += [f"batch_noisy_{i:05d}.{form}" for i in range(3)]
    assert names == [*batches, f"predictions_clean.{form}", f"predictions_noisy.{form}"]


# ---- training


@pytest.mark.parametrize("combine", slow_but(MODES, "max_size_cycle", "sequential"))
@pytest.mark.parametrize("reshuffles", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_resume_inside_an_epoch_is_exact(tmp_path, combine, reshuffles):
    assert_resume_is_exact(
        tmp_path,
        lambda: OnTwoSets(TwoSets(combine, reshuffles=reshuffles)),
        list,
        stop=4,
        end=11,
        max_epochs=4,
    )


@pytest.mark.distributed
@pytest.mark.parametrize("combine", MODES)
@pytest.mark.parametrize("in_list", [False, True])
def test_replicas_end_with_the_weights_of_one_device(combine, in_list):
    assert_equal_on_replicas(
        lambda: Undropped(TwoSets(combine, in_list)), counts=(2, 3), predicts=False, max_epochs=2
    )


def test_a_combined_batch_counts_all_its_examples():
    class Counts(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(batch["a"]) + 0.0 * self.weight

    class Uneven(NumberData):
        combine = "min_size"

        def train_dataset(self, epoch):
            return {"a": numbers(1, 1, 5), "b": numbers(0, 0, 0, 0)}

    trainer = fitted(Counts(Uneven([0])), max_epochs=1)
    # Four examples of the first batch and three of the second, of both sets together.
    assert trainer.callback_metrics["loss"] == pytest.approx((4 * 1.0 + 3 * 5.0) / 7)


def test_a_mode_that_there_is_not_is_refused():
    with pytest.raises(ConfigurationError, match=r"combine is 'max_cycle'.*max_size_cycle"):
        fitted(OnTwoSets(TwoSets("max_cycle")), max_epochs=1)


def test_a_rest_of_several_sets_is_refused(tmp_path):
    class Rests(TwoSets):
        def train_dataset_from(self, epoch, batch):
            return self.train_dataset(epoch)

    task = OnTwoSets(Rests())
    fitted(task, max_steps=2).save_checkpoint(tmp_path / "part")
    trainer = Trainer(**quiet(max_steps=4))
    with pytest.raises(DataError, match="train_dataset_from returned several data sets"):
        trainer.fit(OnTwoSets(Rests()), ckpt_path=tmp_path / "part")


def test_overfit_batches_validates_on_each_training_set():
    trainer = fitted(OnTwoSets(), max_epochs=1, overfit_batches=2)
    assert {"val_large_loss", "val_small_loss"} <= set(trainer.callback_metrics)
    assert (trainer.num_training_batches, trainer.num_val_batches) == (2, 4)


def test_a_report_tells_the_sets_apart():
    report = OnTwoSets().describe()
    names = ["train_large", "train_small", "val_clean", "val_noisy", "test_clean", "test_noisy"]
    assert list(report.splits) == names
    assert report.leaked["val_clean"] == 10


def test_one_set_of_boring_data_is_as_before():
    assert set(fitted(BoringTask(BoringData()), max_epochs=1).callback_metrics) == {
        *("loss", "accuracy", "val_loss", "val_accuracy")
    }
