import logging
import math

import keras
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from lightning_tf.exceptions import ConfigurationError


@pytest.mark.parametrize(("mode", "low_is_better"), [("min", True), ("max", False)])
def test_better_is_by_mode_and_by_more_than_the_margin(mode, low_is_better):
    monitor = EarlyStopping("val_loss", mode=mode)
    assert monitor._is_better(1.0, 2.0) is low_is_better
    assert monitor._is_better(2.0, 1.0) is not low_is_better
    assert not monitor._is_better(1.0, 1.0)
    assert not monitor._is_better(1.0, 2.0, by=1.0)
    assert not monitor._is_better(2.0, 1.0, by=1.0)
    assert monitor._is_better(0.0, monitor._worst)
    assert not monitor._is_better(math.nan, monitor._worst)


def test_what_validation_measures_is_judged_after_it():
    assert not EarlyStopping("val_loss")._at_epoch_end
    assert EarlyStopping("loss")._at_epoch_end
    assert EarlyStopping("val_loss", check_on_train_epoch_end=True)._at_epoch_end


def test_an_unknown_mode_is_refused_in_the_owners_name():
    with pytest.raises(ConfigurationError, match=r"EarlyStopping: mode is 'mni'.*'min'"):
        EarlyStopping("loss", mode="mni")


class Reports(Callback):
    """Logs a number at the end of some epochs."""

    def __init__(self, name, every=1):
        self.name, self.every = name, every

    def on_train_epoch_end(self, trainer, task):
        if (trainer.current_epoch + 1) % self.every == 0:
            trainer.log_metrics({self.name: 1.0})


class Quiet(Reports):
    """Says what it logs."""

    logs_metrics = ("score",)


def monitors(name):
    return [
        EarlyStopping(name, patience=9),
        ReduceLROnPlateau(name),
        ModelCheckpoint(monitor=name, every_n_train_steps=99),
    ]


def run(monitor, *others, task=None, **arguments):
    saves = isinstance(monitor, ModelCheckpoint)
    arguments = {"max_epochs": 3, "enable_checkpointing": saves, **arguments}
    trainer = Trainer(**quiet(callbacks=[*others, monitor], **arguments))
    trainer.fit(task or BoringTask())
    return trainer


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("name", ["val_acuracy", "scores", "test_loss", "val_accuracy_0", "lr"])
def test_a_monitor_that_nobody_can_log_is_refused_before_training(name, index):
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=f"monitor='{name}'.: nothing logs it"):
        run(monitors(name)[index], Quiet("score"), task=task)
    assert task.trainer.global_step == 0


@pytest.mark.parametrize("index", range(3))
def test_a_monitor_that_a_hook_may_log_is_refused_after_the_first_epoch(index, caplog):
    task = BoringTask()
    with (
        caplog.at_level(logging.WARNING, "lightning_tf"),
        pytest.raises(ConfigurationError, match=r"nothing logs it.*logs_metrics = \(name,\)"),
    ):
        run(monitors("scores")[index], Reports("score"), task=task)
    assert task.trainer.current_epoch == 0
    assert task.trainer.global_step == 4
    told = [r for r in caplog.records if "a hook must log it" in r.getMessage()]
    assert len(told) == (index != 2)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("reports", [Reports("score"), Quiet("score"), Quiet("score", every=2)])
def test_what_a_hook_logs_can_be_monitored(index, reports):
    trainer = run(monitors("score")[index], reports)
    assert trainer.callback_metrics["score"] == 1.0
    assert trainer.current_epoch == 3


@pytest.mark.parametrize("limit", [0, 1.0])
def test_a_metric_of_validation_is_missed_where_no_validation_will_tell(limit):
    task = BoringTask()
    with pytest.raises(ConfigurationError, match="monitor='val_score'"):
        run(EarlyStopping("val_score"), Reports("score"), task=task, limit_val_batches=limit)
    assert task.trainer.current_epoch == 0


def test_a_vector_of_one_is_monitored_by_its_name(tmp_path):
    class Scored(BoringTask):
        def configure_metrics(self):
            return {"f1": keras.metrics.F1Score(threshold=0.5)}

        def update_metrics(self, y_true, y_pred, sample_weight=None):
            truth = tf.cast(y_true, tf.float32)[:, None]
            super().update_metrics(truth, tf.sigmoid(y_pred[:, :1]))

    stopping = EarlyStopping("val_f1", mode="max", patience=2, min_delta=100.0)
    saving = ModelCheckpoint(tmp_path, monitor="val_f1", mode="max")
    trainer = run(saving, stopping, task=Scored(), max_epochs=9)
    assert trainer.current_epoch == 3
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ConfigurationError, match="Did you mean 'val_f1'"):
        run(EarlyStopping("val_f1_0"), task=Scored())


def test_a_metric_that_no_step_updates_cannot_be_monitored():
    class Forgets(BoringTask):
        def validation_step(self, batch):
            self.update_metrics = lambda *args: None
            return super().validation_step(batch)

    with pytest.raises(ConfigurationError, match="monitor='val_accuracy'"):
        run(EarlyStopping("val_accuracy"), task=Forgets())


@pytest.mark.parametrize("kind", ["EarlyStopping", "ReduceLROnPlateau"])
def test_a_keras_callback_that_monitors_nothing_is_refused_too(kind):
    with pytest.raises(ConfigurationError, match=f"{kind}.*'val_los'.*Did you mean 'val_loss'"):
        run(getattr(keras.callbacks, kind)(monitor="val_los"))
