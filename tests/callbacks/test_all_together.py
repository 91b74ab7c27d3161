"""Every callback and logger in one fit: they do not get in each other's way, and resume exactly."""

import json
import os

import keras
import pandas
import pytest
from helpers.boring import Rows, quiet
from helpers.resumable import TwoParts, everything

from lightning_tf import Trainer, callbacks
from lightning_tf.callbacks import (
    EMA,
    BackboneFinetuning,
    BatchSizeFinder,
    ConsoleLogger,
    CSVLogger,
    DeviceStats,
    EarlyStopping,
    GradientAccumulationScheduler,
    JSONLinesLogger,
    KerasAdapter,
    LambdaCallback,
    LearningRateFinder,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
    NotebookLogger,
    PredictionWriter,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoardLogger,
    TerminateOnNaN,
    Timer,
)

# Need an account or a server: with tests of their own.
# They need a trial, a server, a folder or a package of their own.
ELSEWHERE = {"MLflowLogger", "OptunaPruning", "RayReport", "TrackioLogger", "WandbLogger"}
ELSEWHERE |= {"StochasticWeightAveraging"}  # not beside EMA
ELSEWHERE |= {"FeatureMaps"}  # of images
ELSEWHERE |= {"HistogramLogger", "Histograms"}  # the base of two loggers, and what it has
CLOCKS = ("device/", "time")


class Predicts(TwoParts):
    def predict_step(self, batch):
        return self.model(batch[0], training=False)


def _log_fifth(trainer, task):
    trainer.log_metrics({"fifth": float(trainer.global_step)})


def all_loggers(folder):
    return [
        CSVLogger(folder),
        JSONLinesLogger(folder),
        TensorBoardLogger(folder, graph=True, histograms_every_n_steps=7),
        ConsoleLogger(),
        NotebookLogger(),
        Rows(),
    ]


def all_callbacks(folder):
    return [
        BatchSizeFinder(init_val=2, max_val=4),
        LearningRateFinder(1e-4, 0.1, 60),
        BackboneFinetuning("backbone", 2),
        GradientAccumulationScheduler({1: 2}),
        EMA(0.9),
        # Margins that nothing passes: every check counts.
        ReduceLROnPlateau("val_loss", 0.5, 2, min_delta=9.0),
        EarlyStopping("val_loss", 9.0, 5, restore_best_weights=True, start_from_epoch=1),
        LearningRateMonitor(log_momentum=True, log_weight_decay=True),
        DeviceStats(),
        TerminateOnNaN(),
        Timer("00:01:00:00"),
        LambdaCallback(5, _log_fifth),
        KerasAdapter(keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)),
        PredictionWriter(folder / "predictions", format="csv"),
        ProgressBar(),
        ModelSummary(),
        ModelCheckpoint(folder / "saves", "{step}", every_n_train_steps=3, save_top_k=-1),
    ]


def run(folder, ckpt_path=None):
    loggers = all_loggers(folder / "logs")
    arguments = quiet(max_epochs=9, seed=3, log_every_n_steps=2, logger=loggers)
    arguments |= {"callbacks": all_callbacks(folder), "enable_checkpointing": True}
    trainer = Trainer(**arguments)
    trainer.fit(Predicts(), ckpt_path=ckpt_path)
    return trainer


def rows_after(trainer, step):
    rows = [(at, dict(row)) for at, row in trainer.loggers[-1].rows if at > step]
    return [(at, {k: v for k, v in row.items() if not k.startswith(CLOCKS)}) for at, row in rows]


def test_no_callback_is_left_out(tmp_path):
    used = {type(c).__name__ for c in (*all_loggers(tmp_path), *all_callbacks(tmp_path))}
    assert set(callbacks.__all__) - ELSEWHERE <= used


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    home = os.getcwd()
    os.chdir(folder)
    trainer = run(folder)
    os.chdir(home)
    return folder, trainer


def test_all_of_them_do_their_work_in_one_fit(whole):
    folder, trainer = whole
    callbacks = {type(callback): callback for callback in trainer.callbacks}
    assert {type(c) for c in all_callbacks(folder)} <= set(callbacks)
    # Epoch 0 is not judged, 1 is the best, 2 to 6 are five checks without improvement.
    assert trainer.current_epoch == 7
    assert "has not improved" in trainer.stop_reason
    assert callbacks[EarlyStopping].best_step == 12  # 8 updates of epoch 0, 4 of epoch 1
    assert callbacks[BatchSizeFinder].suggestion == trainer.task.data.batch_size == 4
    assert len(callbacks[LearningRateFinder].rates) > 20
    searched = callbacks[LearningRateFinder].suggestion or 0.05  # where the loss falls nowhere
    rate = searched * 0.1 * 0.5 ** callbacks[ReduceLROnPlateau].reductions
    assert float(trainer.optimizers[""].learning_rate) == pytest.approx(rate, rel=1e-5)
    assert callbacks[ReduceLROnPlateau].reductions == 3
    assert callbacks[BackboneFinetuning].is_unfrozen
    assert 0.0 < callbacks[Timer].time_elapsed("train") < 3600.0
    log = folder / "logs" / "version_0"
    assert {"curves.png", "log.jsonl", "tensorboard", "metrics.csv"} <= set(os.listdir(log))
    figures = {"learning_rate_finder_00000000.png", "batch_size_finder_00000000.png"}
    assert set(os.listdir(log / "figures")) == figures
    table = pandas.read_csv(log / "metrics.csv")
    assert table["step"].is_monotonic_increasing
    for column in ("train/learning_rate", "device/examples_per_second", "train/fifth", "val/loss"):
        assert table[column].notna().any(), column
    assert list(trainer.predict(trainer.task))
    assert len(pandas.read_csv(folder / "predictions" / "predictions.csv")) == 30


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(3, marks=pytest.mark.slow),
        9,
        pytest.param(12, marks=pytest.mark.slow),
        pytest.param(21, marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_of_all_of_them_equals_the_one_never_stopped(whole, tmp_path, step):
    folder, trainer = whole
    again = run(tmp_path, folder / "saves" / f"step={step}.ckpt")
    assert everything(again) == everything(trainer)
    assert rows_after(again, step) == rows_after(trainer, step)
    for mine, theirs in zip(again.callbacks, trainer.callbacks, strict=True):
        if not isinstance(mine, (Timer, ModelCheckpoint, JSONLinesLogger)):
            assert json.dumps(mine.state_dict()) == json.dumps(theirs.state_dict())
    for callback in again.callbacks:  # a clock cannot be the same twice
        if isinstance(callback, Timer):
            assert callback.time_elapsed("train") > 0.0
