"""Fits that must end alike on one device and on several workers; run by `on_workers`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.rectangles import RectangleData
from helpers.replica_tasks import (
    BAD,
    FewData,
    KerasNormalized,
    Minimizing,
    MinimizingOnce,
    Named,
    NamedData,
    Normalized,
    Overflows,
    Reader,
    TwoOptimizers,
    Words,
)
from helpers.replicated import outcome
from helpers.several_sets import TwoSets, Undropped
from helpers.small_gan import few_images, small_gan
from helpers.style_tasks import fast_network, optimized_image
from helpers.texts import texts

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks.batch_size_finder import BatchSizeFinder
from lightning_tf.callbacks.checkpointing.model_checkpoint import ModelCheckpoint
from lightning_tf.callbacks.early_stopping import EarlyStopping
from lightning_tf.callbacks.loggers.console_logger import ConsoleLogger
from lightning_tf.callbacks.loggers.csv_logger import CSVLogger
from lightning_tf.callbacks.loggers.json_lines_logger import JSONLinesLogger
from lightning_tf.callbacks.loggers.tensor_board_logger import TensorBoardLogger
from lightning_tf.callbacks.prediction_writer import PredictionWriter
from lightning_tf.data import ArrayData, Digits
from lightning_tf.data.pipeline.combined_sets import MODES
from lightning_tf.distribute import workers as workers_room
from lightning_tf.exceptions import ConfigurationError, DataError, TerminationRequested
from lightning_tf.loops.worker_agreement import agreed, check_signals
from lightning_tf.profiler import TraceProfiler
from lightning_tf.tasks import (
    ImageClassification,
    ObjectDetection,
    Regression,
    TextClassification,
    TimeSeriesForecast,
)
from lightning_tf.variables import all_variables

SERIES = {"history": 12, "units": 4, "batch_size": 7, "season": 6}
CLIPPED = {"gradient_clip_val": 0.01, "accumulate_grad_batches": 3}


def indexed(batch_size=7):
    """Return data of which every worker reads its own rows by index."""
    few = FewData()
    held_out = (few.x[:9], few.y[:9])
    return ArrayData(few.x, few.y, val=held_out, test=held_out, batch_size=batch_size)


QUICK = {
    "by index": (lambda: BoringTask(indexed()), {"max_epochs": 2}),
    "normalized": (lambda: Normalized(FewData(7)), CLIPPED),
    "two optimizers": (lambda: TwoOptimizers(FewData(4)), {"gradient_clip_val": 0.1}),
    "unknown length": (lambda: BoringTask(FewData(known_length=False)), {}),
    "named tuples": (lambda: Named(NamedData(7)), {}),
    "one example a batch": (lambda: BoringTask(indexed(1)), {"limit_train_batches": 9}),
}
MORE = {
    **QUICK,
    **{f"batches of {n}": (lambda n=n: BoringTask(FewData(n)), {}) for n in (1, 2, 3, 4, 8, 16)},
    "keras normalized": (lambda: KerasNormalized(FewData(7)), {}),
    "minimizing": (lambda: Minimizing(FewData()), {"gradient_clip_val": 0.01}),
    "minimizing once": (lambda: MinimizingOnce(FewData()), CLIPPED),
    "by value": (
        lambda: Normalized(FewData()),
        {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    **{
        f"sets by {mode}": (
            lambda mode=mode: Undropped(TwoSets(mode)),
            {"max_epochs": 2, "predicts": False},
        )
        for mode in MODES
    },
    "64-bit weights": (lambda: TwoOptimizers(FewData(4)), {"precision": "64-true"}),
    "sparse gradients": (lambda: Reader(Words("sparse")), {}),
    "not synchronized": (
        lambda: KerasNormalized(FewData(7), synchronized=False),
        {"sync_batchnorm": True},
    ),
    "every batch watched": (lambda: BoringTask(indexed()), {"logger": Rows(), "max_steps": 5}),
    "validation inside the epoch": (lambda: BoringTask(FewData()), {"val_check_interval": 3}),
}

# 37 images in batches of 6: the last batch is one image, and one worker has none. The options
# are those of the tests of each task on the replicas of one process.
IMAGES = {"data": few_images(37), "batch_size": 6}
NOTHING_MORE = {"evaluates": False, "limit_val_batches": 0}
GENERATIVE = {
    "critic of several updates": (
        lambda: small_gan("wgan-gp", n_critic=2, optimizer="sgd", **IMAGES),
        NOTHING_MORE,
    ),
    "spectral normalization": (
        lambda: small_gan(
            "hinge", spectral_normalization=True, networks="dcgan", width=4, **IMAGES
        ),
        NOTHING_MORE,
    ),
    "a class for each sample": (lambda: small_gan(conditional=True, **IMAGES), NOTHING_MORE),
    "clipped and accumulated": (
        lambda: small_gan("lsgan", optimizer="sgd", **IMAGES),
        {**NOTHING_MORE, **CLIPPED},
    ),
    "validated": (
        lambda: small_gan(data=few_images(50), batch_size=7, optimizer="sgd"),
        {},
    ),
    "a painted image": (lambda: optimized_image(None), {"max_steps": 4, "evaluates": False}),
    "a fast style": (lambda: fast_network(None), {"max_steps": 4, "predicts": False}),
}

# Texts of unequal length, a series, a table: with an uneven last batch and without dropout, whose
# masks differ from worker to worker.
TABLE = {"x": np.arange(37.0) % 5, "y": np.arange(37.0) % 3}
DATA = {
    "words": (lambda: of_texts("bag_of_words"), {}),
    "words in their order": (lambda: of_texts("gru"), {"gradient_clip_val": 0.1}),
    "a series": (lambda: TimeSeriesForecast(np.sin(np.arange(90.0) / 3), "gru", **SERIES), {}),
    "a table": (lambda: Regression(pd.DataFrame(TABLE), "y", units=(4,), batch_size=7), {}),
}

# Fifty updates of a detector, three an epoch.
FIFTY_UPDATES = {
    **{"max_steps": 50, "max_epochs": 17, "limit_val_batches": 0, "gradient_clip_val": 10.0},
    **{"evaluates": False, "predicts": False},
}
DETECTORS = {
    "retinanet by sgd": {"optimizer": "sgd", "learning_rate": 3e-3},
    "retinanet by adamw": {},
    "ssd by adamw": {"head": "ssd"},
}
DETECTION = {
    name: (lambda options=options: of_rectangles(**options), FIFTY_UPDATES)
    for name, options in DETECTORS.items()
}


def of_rectangles(batch_size=8, **options):
    data = RectangleData(24, batch_size=batch_size, shuffled=True)
    small = {"backbone": "small", "image_size": 64, "levels": (3, 4, 5), "width": 16}
    return ObjectDetection(data, augmentation=None, **small, **options)


def of_texts(network):
    sizes = {"units": 4, "embedding_size": 4, "vocabulary_size": 40, "batch_size": 7}
    options = {"val": texts(9), "test": texts(11)}
    return TextClassification(texts(37), network, dropout=0.0, data_options=options, **sizes)


OF_WORKERS = (
    "by index",
    "named tuples",
    "64-bit weights",
    "sparse gradients",
    "not synchronized",
    "minimizing once",
    "sets by max_size_cycle",
    "sets by max_size",
)
CASES = {
    "quick": QUICK,
    "more": MORE,
    "of workers": {name: MORE[name] for name in OF_WORKERS},
    "generative": GENERATIVE,
    "data": DATA,
    "detection": DETECTION,
}


def outcomes(folder, kind, devices):
    """Fit every case and return the outcomes by name."""
    cases = CASES[kind]
    Trainer(**quiet(max_steps=1, accelerator="cpu", devices=devices))  # joins the others
    return {name: outcome(make, devices, **arguments) for name, (make, arguments) in cases.items()}


def several(folder, *names):
    """Call some of the functions below: starting workers once for all of them saves time."""
    return {name: globals()[name](folder) for name in names}


def overflows(folder):
    """Fit in mixed_float16 with an infinite gradient on one worker, then on the other."""
    report = []
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    for bad in ([BAD, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, BAD]):
        logger = Rows()
        data = NumberData([1, 1, 1, 1, *bad, 2, 2, 2, 2], 4)
        task = Overflows(data, keras.optimizers.SGD(1.0))
        trainer = fitted(
            task, max_epochs=1, log_every_n_steps=1, logger=logger, precision="16-mixed"
        )
        scale = trainer.training.optimizers[""].loss_scaler.scale
        skipped = logger.column("train/skipped_updates")
        report.append((float(scale.numpy()), float(task.weight.numpy()), skipped))
    return report


def evaluation(folder):
    """Return the mean of 7 numbers in batches of 4, and ordered predictions of several kinds."""

    class Named(NumberTask):
        def predict_step(self, batch):
            whole = tf.cast(batch, tf.int32)
            lengths = tf.repeat(whole[:, None], 2, axis=1)
            ragged = tf.ragged.range(tf.reshape(lengths, [-1]))
            return {
                "twice": batch * 2.0,
                "name": tf.strings.as_string(whole),
                "ragged": tf.RaggedTensor.from_uniform_row_length(ragged, 2),
            }

    trainer = Trainer(**quiet(max_steps=1))
    task = Named(NumberData([0.0], 4, held_out=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]))
    loss = trainer.validate(task)["val_loss"]
    batches = trainer.predict(task, collect=True)
    return (
        loss,
        [len(batch["twice"]) for batch in batches],
        np.concatenate([batch["twice"] for batch in batches]).tolist(),
        np.concatenate([batch["name"] for batch in batches]).tolist(),
        [[len(example) for example in row] for batch in batches for row in batch["ragged"]],
    )


def agreements(folder):
    """Return what workers agree on when they ask for different things."""
    trainer = Trainer(**quiet(max_steps=1, accelerator="cpu"))
    is_second = trainer.workers.index == 1
    count, seconds = agreed(trainer, 3 if is_second else 8, 20.5 if is_second else 10.25)
    report = {"count": count, "seconds": seconds, "no stop": trainer.stop_reason}
    if is_second:
        trainer.request_stop("worker 1 has seen enough")
    agreed(trainer)
    report["stop"] = trainer.stop_reason
    if not is_second:
        trainer.signals.receive(signal.SIGTERM)
    check_signals(trainer)  # would leave the other one waiting for ever
    report["alone"] = "passed over"
    try:
        agreed(trainer)
    except TerminationRequested as ended:
        report["signal"] = f"ended with {ended.code}"
    return report


def fails(error):
    """Raise an error, if there is one."""
    if error is not None:
        raise error


def exchanges(folder):
    """Return the results of every collective; all workers make every call."""
    workers = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers
    rows_here = np.arange(2 - workers.index, dtype="float32")[:, None] + 10 * workers.index
    report = {
        "numbers": workers.all_gather([workers.index, -(2**40)]).tolist(),
        "told": workers.broadcast({"folder": f"of worker {workers.index}", "at": [1, None]}),
        "bytes": workers.all_gather_bytes(b"\xff" * (1000 * workers.index)),
        "rows": workers.all_gather_rows(rows_here).tolist(),
        "names": workers.all_gather_rows(
            np.array([b"a", b"bcd"][workers.index :], object)
        ).tolist(),
        "flags": workers.all_gather_rows(np.array([workers.is_chief])).tolist(),
        "nothing": workers.all_gather_rows(np.zeros((0, 3), "int32")).shape,
        "values": workers.all_gather_object({"of": workers.index}),
        "whole": workers.unless_one_fails(lambda: "own"),
        "chief": workers.is_chief,
        "first on host": workers.is_first_on_host,
    }
    report["part"] = workers.shard(7)
    workers_room.TABLE_BYTES = 48  # so that more bytes than that take several exchanges
    report["pieces"] = workers.all_gather_bytes(bytes(range(100 + workers.index)))
    rows = np.arange(40.0)[20 * workers.index :].reshape(-1, 2)
    report["long rows"] = workers.all_gather_rows(rows).tolist()
    report["failed"] = []
    of_ours, of_another = [DataError("x.txt is empty"), None], [None, KeyError("x")]
    for errors in (of_ours, of_another, [OSError("0"), OSError("1")]):
        try:
            workers.unless_one_fails(lambda errors=errors: fails(errors[workers.index]))
        except (DataError, KeyError, OSError) as error:
            notes = getattr(error, "__notes__", [])
            report["failed"].append((type(error).__name__, str(error), *notes))
    workers.barrier()
    try:
        workers.all_gather_rows(np.float32(1.0))
    except ConfigurationError as error:
        report["scalar"] = str(error)
    return report


class EndsEarly(NumberTask):
    """A task whose validation loss never falls."""

    def validation_step(self, batch):
        return tf.reduce_mean(batch) - self.weight


def written(folder):
    """Return the files that each worker leaves in its own folder, from everything that writes."""
    index = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers.index
    outputs = Path(folder, str(index))
    outputs.mkdir()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=9,
        seed=3,
        log_every_n_steps=1,
        default_root_dir=outputs,
        logger=[CSVLogger(), TensorBoardLogger(), JSONLinesLogger(), ConsoleLogger()],
        callbacks=[EarlyStopping("val_loss"), PredictionWriter(format="csv"), ModelCheckpoint()],
        profiler=TraceProfiler(1, 2),
    )
    task = EndsEarly(NumberData([1.0, 2.0, 3.0], 2, held_out=[1.0, 2.0, 3.0]))
    trainer.fit(task)
    end = trainer.global_step, trainer.stop_reason
    trainer.predict(task, collect=True)
    refused = ""
    try:
        fitted(BoringTask(), max_steps=1, accelerator="cpu", callbacks=[BatchSizeFinder()])
    except ConfigurationError as error:
        refused = str(error)
    files = sorted(str(path.relative_to(outputs)) for path in outputs.rglob("*") if path.is_file())
    return files, *end, refused, os.path.relpath(trainer.log_dir, folder)


def with_dropout(folder=None, devices=1):
    """Fit with dropout, whose masks differ between replicas."""

    class Dropping(BoringTask):
        def configure_model(self):
            layers = [keras.layers.Dropout(0.5), keras.layers.Dense(2)]
            self.model = keras.Sequential([keras.Input((32,)), *layers])

    return outcome(lambda: Dropping(indexed()), devices)


class Announce(Callback):
    """Prints process id and update for the test."""

    logs_metrics = False
    every_n_steps = 10

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            print(f"pid {os.getpid()} update {trainer.global_step}", flush=True)
            time.sleep(0.2)  # long enough to be killed in between


class StopsOne(Callback):
    """Requests a stop on one worker only."""

    def on_train_window_end(self, trainer, task):
        if trainer.workers.index == 1 and trainer.global_step >= 7:
            trainer.request_stop("worker 1 has seen enough")


class Breaks(Callback):
    """Fails on one worker only."""

    def on_train_window_end(self, trainer, task):
        if trainer.workers.index == 1 and trainer.global_step >= 7:
            raise ValueError("worker 1 cannot read its data")


def training(folder, max_steps=120, ckpt_path="last", *callbacks):
    """Train on digits with dropout, from the newest checkpoint if there is one, to the end."""
    checkpoints = ModelCheckpoint(every_n_train_steps=20, save_last=True)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=max_steps,
        seed=3,
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[checkpoints, Announce(), *callbacks],
    )
    task = ImageClassification(data=Digits(batch_size=61), network="mlp", dropout=0.2)
    trainer.fit(task, ckpt_path=ckpt_path)
    trainer.save_checkpoint(os.path.join(folder, "end"))
    return {
        "step": trainer.global_step,
        "resumed": trainer.resumed,
        "best": checkpoints.best_model_path,
        "weights": {k: np.asarray(v.numpy()) for k, v in all_variables(task).items()},
        "metrics": dict(trainer.callback_metrics),
    }


class KillsOnce(Callback):
    """Kills the process of one worker in its first start, between two checkpoints."""

    every_n_steps = 10

    def __init__(self, worker):
        self.worker = worker

    def on_train_window_end(self, trainer, task):
        is_first = os.environ.get("LIGHTNING_TF_RESTART", "0") == "0"
        if is_first and trainer.global_step == 50 and trainer.workers.index == self.worker:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_training(folder, lost):
    """Train as `training` does, without asking for a checkpoint; one worker is killed."""
    return training(folder, 120, None, KillsOnce(lost))


def stopped(folder):
    """Fit with a stop request of one worker, then with max_time, on which clocks differ."""
    one = fitted(BoringTask(FewData()), max_epochs=100, callbacks=[StopsOne()])
    other = fitted(BoringTask(FewData()), max_time={"seconds": 1})
    return [one.global_step, one.stop_reason, other.global_step]


def broken(folder):
    """Fit with an error on one worker only."""
    fitted(BoringTask(FewData()), max_epochs=10_000, callbacks=[Breaks()])


def custom_strategy(folder):
    """Fit with a strategy object of the user."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    trainer = fitted(BoringTask(FewData()), max_epochs=1, strategy=strategy)
    return trainer.workers.index, trainer.workers.count, dict(trainer.callback_metrics)
