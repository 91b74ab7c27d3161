import glob
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import struct_pb2
from helpers.boring import BoringTask, quiet
from helpers.extras import needs
from matplotlib.figure import Figure
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import TensorBoardLogger
from lightning_tf.callbacks.loggers.histograms import Histograms
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger


class Sends(Callback):
    """Gives the loggers one of everything."""

    def on_train_end(self, trainer, task):
        images = np.zeros((2, 6, 8, 1))
        images[1] = 1.0
        trainer.log_images("samples", images, captions=["black", "white"])
        mask = {"mask_data": np.eye(8, dtype=int)}
        trainer.log_images("marked", np.zeros((1, 8, 8, 1)), masks=[{"a": mask, "b": mask}])
        trainer.log_table("confusion", ["truth", "pre|dicted"], [[3, "a|b"]] * 101)
        figure = Figure(figsize=(3.0, 2.0))
        figure.add_subplot().plot([1, 2])
        trainer.log_figure("plot", figure)
        trainer.log_text("remark", "a < b,\n\n# ü")
        trainer.log_file("data", "somewhere/data.bin")


class HasHparams(BoringTask):
    def __init__(self, units=16, rate=0.5, names=("a", "b")):
        super().__init__()


def trained(tmp_path, logger=None, task=None, **arguments):
    defaults = {"max_epochs": 2, "log_every_n_steps": 2, "default_root_dir": tmp_path}
    logger = logger or TensorBoardLogger()
    trainer = Trainer(**quiet(**{**defaults, **arguments}, logger=logger))
    trainer.fit(task or BoringTask())
    return trainer


def events_of(trainer):
    histograms = []
    for path in sorted(glob.glob(os.path.join(trainer.log_dir, "tensorboard", "*tfevents*"))):
        records = tf.data.TFRecordDataset(path).as_numpy_iterator()
        histograms += [tf.compat.v1.Event.FromString(record) for record in records]
    return histograms


def values_of(trainer, plugin):
    """Triples of tag, step and array of one plugin."""
    return [
        (value.tag, event.step, tf.make_ndarray(value.tensor))
        for event in events_of(trainer)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == plugin
    ]


def texts_of(trainer):
    return {tag: (step, text[0].decode()) for tag, step, text in values_of(trainer, "text")}


def test_rows_are_scalars_over_updates(tmp_path):
    trainer = trained(tmp_path)
    events = events_of(trainer)
    assert events[0].file_version == "brain.Event:2"
    scalars = values_of(trainer, "scalars")
    assert [step for tag, step, _ in scalars if tag == "train/loss"] == [2, 4, 6, 8]
    assert [(s, float(v)) for tag, s, v in scalars if tag == "epoch"][-1] == (8, 1.0)
    last = [value for tag, _, value in scalars if tag == "val/loss"][-1]
    assert last.dtype == np.float32
    assert float(last) == np.float32(trainer.callback_metrics["val_loss"])
    trainer.test(trainer.task)
    assert [step for tag, step, _ in values_of(trainer, "scalars") if tag == "test/loss"] == [8]


def test_images_and_figures_are_png_files(tmp_path):
    trainer = trained(tmp_path, callbacks=[Sends()])
    images = {tag: (step, list(v)) for tag, step, v in values_of(trainer, "images")}
    step, (width, height, *pngs) = images["samples"]
    assert (step, width, height, len(pngs)) == (8, b"8", b"6", 2)
    for content, shade in zip(pngs, (0, 255), strict=True):
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (8, 6)
            assert set(np.asarray(image).ravel().tolist()) == {shade}
    assert len(images["marked"][1]) == 2 + 2  # an image for each set of marks
    with Image.open(io.BytesIO(images["marked"][1][2])) as image:
        assert np.asarray(image).any()
    _, (width, height, content) = images["plot"]
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (int(width), int(height))


def test_tables_captions_and_files_are_texts(tmp_path):
    texts = texts_of(trained(tmp_path, callbacks=[Sends()]))
    step, table = texts["confusion/table"]
    lines = table.splitlines()
    assert step == 8
    assert lines[:3] == ["| truth | pre\\|dicted |", "| --- | --- |", "| 3 | a\\|b |"]
    assert (len(lines), lines[-1]) == (2 + 100 + 2, "and 1 more rows")
    assert "| white |" in texts["samples/captions"][1]
    assert "somewhere" in texts["data/file"][1]
    assert texts["remark/text"] == (8, "    a < b,\n    \n    # ü")


@pytest.mark.slow
def test_a_table_and_a_figure_of_one_name_have_tags_of_their_own(tmp_path):
    class Both(Callback):
        def on_train_end(self, trainer, task):
            trainer.log_figure("confusion", Figure(figsize=(1.0, 1.0)))
            trainer.log_table("confusion", ["a"], [[1]])

    trainer = trained(tmp_path, callbacks=[Both()])
    plugins = {
        (value.tag, value.metadata.plugin_data.plugin_name)
        for event in events_of(trainer)
        for value in event.summary.value
    }
    assert len(plugins) == len({tag for tag, _ in plugins})


def test_hyperparameters_stand_in_their_dashboard_and_as_a_text(tmp_path):
    trainer = trained(tmp_path, task=HasHparams(units=32))
    assert "| units | 32 |" in texts_of(trainer)["hparams"][1]
    histograms = {
        value.tag: value.metadata.plugin_data.content
        for event in events_of(trainer)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    }
    start = histograms["_hparams_/session_start_info"]
    # HParamsPluginData: session_start_info = 3, of that length.
    assert start[0] == 3 << 3 | 2
    length, at = 0, 1
    for shift in range(0, 28, 7):
        length |= (start[at] & 127) << shift
        at += 1
        if start[at - 1] < 128:
            break
    assert length == len(start) - at
    # A Struct has the same map as its first field, and skips the others.
    hparams = struct_pb2.Struct.FromString(start[at:])
    assert (hparams["units"], hparams["rate"], hparams["names"]) == (32.0, 0.5, "['a', 'b']")
    assert hparams["trainer/max_epochs"] == 2.0
    assert b"version_0" in start
    assert histograms["_hparams_/session_end_info"][2:4] == b"\x08\x01"


def test_the_graph_is_that_of_the_step(tmp_path):
    trainer = trained(tmp_path, TensorBoardLogger(graph=True))
    graphs = [event.graph_def for event in events_of(trainer) if event.graph_def]
    assert len(graphs) == 1
    operations = {node.op for node in tf.compat.v1.GraphDef.FromString(graphs[0]).node}
    assert "MatMul" in operations
    assert not [e for e in events_of(trained(tmp_path, TensorBoardLogger())) if e.graph_def]


def test_histograms_of_weights_come_at_their_updates(tmp_path):
    trainer = trained(tmp_path, TensorBoardLogger(histograms_every_n_steps=3))
    histograms = values_of(trainer, "histograms")
    assert {step for _, step, _ in histograms} == {3, 6}
    kernels = [value for tag, _, value in histograms if tag == "weights/model.0000.kernel"]
    assert kernels[0].shape == (64, 3)
    assert kernels[0][:, 2].sum() == 64.0
    np.testing.assert_allclose(kernels[0][1:, 0], kernels[0][:-1, 1])
    assert values_of(trained(tmp_path), "histograms") == []


@pytest.mark.slow
def test_histograms_of_gradients_are_those_of_wandb_and_change_no_number(tmp_path):
    class Kept(Logger):
        """Counts beside TensorBoardLogger, by what WandbLogger counts with."""

        def __init__(self):
            self.histograms, self.counted = Histograms("all", 2), {}

        def on_optimizers_configured(self, trainer, task):
            self.histograms.attach(task, trainer.training.optimizers)

        def next_step(self, trainer):
            return self.histograms.next_step(trainer.global_step)

        def on_train_start(self, trainer, task):
            self.histograms.begin(trainer)

        def on_train_window_end(self, trainer, task):
            self.counted |= {
                (n, trainer.global_step): v for n, v in self.histograms.read_due(trainer).items()
            }

        def teardown(self, trainer, task, stage):
            self.histograms.detach()

    kept = Kept()
    board = TensorBoardLogger(histograms_every_n_steps=2, histograms="all")
    trainer = trained(tmp_path, [board, kept], seed=3)
    histograms = values_of(trainer, "histograms")
    assert {(tag, step) for tag, step, _ in histograms} == set(kept.counted)
    assert {tag.split("/")[0] for tag, *_ in histograms} == {"gradients", "weights"}
    for tag, step, rows in histograms:
        np.testing.assert_array_equal(rows[:, 2], kept.counted[tag, step][0])
    plain = trained(tmp_path, seed=3)
    assert trainer.callback_metrics == plain.callback_metrics
    with pytest.raises(ConfigurationError, match=r"histograms is 'gradient'.*'gradients'"):
        TensorBoardLogger(histograms="gradient")


def test_a_resumed_run_goes_on_and_what_it_does_again_is_forgotten(tmp_path):
    class Saves(Callback):
        every_n_steps = 4

        def on_train_window_end(self, trainer, task):
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "part")

    whole = trained(tmp_path, callbacks=[Saves()])
    again = Trainer(
        **quiet(
            max_epochs=2, log_every_n_steps=2, default_root_dir=tmp_path, logger=TensorBoardLogger()
        )
    )
    again.fit(BoringTask(), ckpt_path=tmp_path / "part")
    assert again.log_dir == whole.log_dir
    kept = []
    for event in events_of(again):
        if event.session_log.status == tf.compat.v1.SessionLog.START:
            assert event.step == 5
            kept = [(tag, step) for tag, step in kept if step < event.step]  # as TensorBoard does
        kept += [(value.tag, event.step) for value in event.summary.value]
    assert [step for tag, step in kept if tag == "train/loss"] == [2, 4, 6, 8]
    # The checkpoint of update 4 was written before the validation that follows it.
    assert [step for tag, step in kept if tag == "val/loss"] == [4, 4, 8]


def test_rows_are_on_the_disk_where_a_run_is_killed(tmp_path):
    class Looks(Callback):
        every_n_steps = 1
        steps = ()

        def on_train_window_end(self, trainer, task):
            histograms = [e.step for e in events_of(trainer) if e.summary.value]
            self.steps += (max(histograms, default=0),)

    looks = Looks()
    trained(
        tmp_path,
        TensorBoardLogger(flush_every_n_steps=3),
        callbacks=[looks],
        log_every_n_steps=1,
        limit_val_batches=0,
    )
    assert looks.steps == (0, 0, 3, 3, 3, 6, 6, 6)


def test_a_prediction_leaves_nothing(tmp_path):
    trainer = Trainer(**quiet(default_root_dir=tmp_path, logger=TensorBoardLogger()))
    trainer.predict(BoringTask(), collect=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["flush_every_n_steps", "histograms_every_n_steps"])
def test_bad_arguments_are_refused(name):
    with pytest.raises(ConfigurationError, match="every_n_steps is -1"):
        TensorBoardLogger(**{name: -1})


@needs("tensorboard", "tensorboard")
@pytest.mark.slow
def test_tensorboard_serves_what_was_written(tmp_path):
    trainer = trained(tmp_path, callbacks=[Sends()])
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", trainer.log_dir]
    command += ["--port", "0", "--load_fast", "false", "--reload_interval", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/", line):
                break
        assert found, "TensorBoard ended before it served"

        def ask(path, **query):
            address = f"{found[0]}data/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read()

        deadline = time.monotonic() + 60.0
        while not (tags := json.loads(ask("plugin/scalars/tags"))):
            assert time.monotonic() < deadline, "TensorBoard shows no scalar"
            time.sleep(0.2)
        ((run, names),) = tags.items()
        assert {"train/loss", "val/loss", "train/loss_epoch", "epoch"} <= set(names)
        series = json.loads(ask("plugin/scalars/scalars", run=run, tag="val/loss"))
        assert [step for _, step, _ in series] == [4, 8]
        assert series[-1][2] == np.float32(trainer.callback_metrics["val_loss"])

        ((_, images),) = json.loads(ask("plugin/images/tags")).items()
        assert {"samples", "marked", "plot"} <= set(images)
        (sample,) = json.loads(ask("plugin/images/images", run=run, tag="samples", sample=1))
        assert sample["step"] == 8
        with (
            urllib.request.urlopen(
                f"{found[0]}data/plugin/images/individualImage?{sample['query']}", timeout=30
            ) as answer,
            Image.open(io.BytesIO(answer.read())) as image,
        ):
            assert image.size == (8, 6)
            assert np.asarray(image).min() == 255  # the second one is white
        ((_, texts),) = json.loads(ask("plugin/text/tags")).items()
        assert {"confusion/table", "data/file"} <= set(texts)
    finally:
        process.kill()
        process.communicate()
