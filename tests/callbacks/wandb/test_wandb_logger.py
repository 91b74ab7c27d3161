import json
import logging
import os
import re
import subprocess
import sys
import wave
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import wandb
from helpers.boring import BoringTask, NumberData, NumberTask, fitted, quiet
from helpers.paths import ROOT
from helpers.wandb_log import logged_run, logged_runs
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint, WandbLogger
from lightning_tf.callbacks.wandb.journal import WandbJournal
from lightning_tf.callbacks.wandb.run import next_step
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError

pytestmark = pytest.mark.usefixtures("sealed")


def logger_in(folder, **arguments):
    return WandbLogger("digits", dir=folder, **{"mode": "offline", **arguments})


def number_task(numbers=range(1, 5)):
    return NumberTask(NumberData(numbers, held_out=[1.0]), keras.optimizers.SGD(0.0))


class Shows(BoringTask):
    """Logs one of everything at the end of training."""

    def on_fit_end(self):
        trainer = self.trainer
        images = np.linspace(0.0, 1.0, 2 * 8 * 8).reshape(2, 8, 8, 1)
        trainer.log_images("images", images, captions=["dark", "light"])
        trainer.log_table("predictions", ["image", "class"], [[images[0], 3], [images[1], 4]])
        trainer.log_figure("drawing", drawing())
        Path(trainer.log_dir, "notes.txt").write_text("by hand")
        trainer.log_file("notes", str(Path(trainer.log_dir, "notes.txt")))
        show, step = trainer.logger, trainer.global_step
        masks = [{"truth": {"mask_data": np.ones((8, 8), int), "class_labels": {1: "road"}}}] * 2
        corners = {"minX": 0.1, "maxX": 0.9, "minY": 0.1, "maxY": 0.9}
        boxes = [{"truth": {"box_data": [{"position": corners, "class_id": 1}]}}] * 2
        trainer.log_images("streets", images, masks=masks, boxes=boxes)
        labels, scores = [0, 1, 1, 0], np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        show.log_confusion_matrix("confusion", labels, scores, step, ["cat", "dog"])
        show.log_roc("roc", labels, scores, step, ["cat", "dog"])
        show.log_text("remark", "a < b", step)
        show.log_histogram("numbers", np.arange(100.0), step)


def drawing():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([1, 2])
    return figure


def test_an_offline_run_holds_config_rows_and_summary(tmp_path):
    logger = logger_in(tmp_path, name="first", group="trials", tags=["small"], config={"own": 1})
    trainer = Trainer(**quiet(max_epochs=2, log_every_n_steps=2, logger=logger, seed=3))
    trainer.fit(number_task())
    (run,) = logged_runs(tmp_path)
    assert (run.id, run.project, run.name) == (logger.run_id, "digits", "first")
    assert (run.group, run.tags, run.exit_code) == ("trials", ["small"], 0)
    assert run.column("train/loss") == [(2, 1.5), (4, 3.5), (6, 1.5), (8, 3.5)]
    assert run.column("train/loss_epoch") == [(4, 2.5), (8, 2.5)]
    assert run.column("val/loss") == [(4, 1.0), (8, 1.0)]
    assert [row["epoch"] for row in run.history] == [0] * 4 + [1] * 4
    assert [row["_step"] for row in run.history] == list(range(8))
    assert run.metrics["trainer/global_step"] == ""
    assert run.metrics["*"] == "trainer/global_step"
    assert run.config["own"] == 1
    assert run.config["trainer"]["seed"] == 3
    assert run.config["data"]["type"].endswith("NumberData")
    assert run.config["packages"]["keras"] == keras.__version__
    assert run.summary["val/loss"] == run.summary["best/val/loss"] == 1.0
    assert run.summary["best/val/loss_step"] == 4
    assert run.summary["train/loss"] == 3.5
    assert "best/train/loss" not in run.summary


def test_images_tables_charts_texts_and_files_are_what_was_given(tmp_path):
    fitted(Shows(), max_epochs=1, logger=logger_in(tmp_path))
    (run,) = logged_runs(tmp_path)
    rows = {name: row[name] for row in run.history for name in row}
    (folder,) = tmp_path.glob("wandb/offline-run-*/files")
    assert rows["images"]["captions"] == ["dark", "light"]
    with Image.open(folder / rows["images"]["filenames"][1]) as image:
        assert np.asarray(image).max() == 255  # floats are not taken for bytes
    assert rows["streets"]["all_masks"][0].keys() == {"truth"}
    assert rows["streets"]["all_boxes"][0].keys() == {"truth"}
    (table,) = [a for a in run.artifacts if a["name"] == f"run-{run.id}-predictions"]
    cells = json.loads(Path(table["files"]["predictions.table.json"]).read_text())["data"]
    assert [row[1] for row in cells] == [3, 4]
    assert cells[0][0]["_type"] == "image-file"
    confusion = json.loads((folder / rows["confusion_table"]["path"]).read_text())
    assert ["dog", "cat", 1] in confusion["data"]
    assert ["dog", "dog", 1] in confusion["data"]
    roc = json.loads((folder / rows["roc_table"]["path"]).read_text())["data"]
    assert [row[1:] for row in roc if row[0] == "dog"] == [
        [0, 0],
        [0, 0.5],
        [0, 1],
        [0.5, 1],
        [1, 1],
    ]
    assert "a &lt; b" in (folder / rows["remark"]["path"]).read_text()
    assert sum(rows["numbers"]["values"]) == 100
    assert (folder / "notes" / "notes.txt").read_text() == "by hand"
    assert "notes/notes.txt" in run.files
    assert rows["drawing"]["_type"] == "image-file"


def test_a_prefix_stands_before_everything_but_the_axis(tmp_path):
    fitted(number_task(), max_epochs=1, logger=logger_in(tmp_path, prefix="gan/"))
    (run,) = logged_runs(tmp_path)
    assert run.column("gan/val/loss") == [(4, 1.0)]
    assert run.summary["best/gan/val/loss"] == 1.0


def test_histograms_are_of_the_gradients_that_training_computed(tmp_path):
    logger = logger_in(tmp_path)
    logger.watch("all", every_n_steps=2)
    trainer = fitted(number_task([1, 5, 2, 7, 3]), max_epochs=1, logger=logger)
    (run,) = logged_runs(tmp_path)
    gradients = run.column("gradients/weight.0000.weight")
    assert [step for step, _ in gradients] == [2, 4]
    assert [chart["bins"][0] for _, chart in gradients] == [5.0, 7.0]
    assert [sum(chart["values"]) for _, chart in gradients] == [1, 1]
    assert [step for step, _ in run.column("weights/weight.0000.weight")] == [2, 4]
    assert "apply" not in vars(trainer.optimizers[""])  # the optimizer is as it was


@pytest.mark.slow
def test_watching_changes_no_number(tmp_path):
    logger = logger_in(tmp_path, mode="disabled")
    watching = logger_in(tmp_path)
    watching.watch("all", every_n_steps=3)
    weights = [
        fitted(BoringTask(), max_epochs=2, logger=each, seed=1, accumulate_grad_batches=2)
        .task.model.get_weights()[0]
        .tobytes()
        for each in (logger, watching)
    ]
    assert weights[0] == weights[1]


def test_the_best_checkpoint_becomes_an_artifact_with_its_score(tmp_path):
    logger = logger_in(tmp_path, log_model="best")
    best = ModelCheckpoint(monitor="val_loss")
    fitted(BoringTask(), max_epochs=2, logger=logger, callbacks=best, enable_checkpointing=True)
    (artifact,) = logged_runs(tmp_path)[0].artifacts
    assert artifact["name"] == f"model-{logger.run_id}"
    assert set(artifact["aliases"]) == {"best", "latest"}
    assert artifact["metadata"]["score"] == best.best_model_score
    assert (artifact["metadata"]["monitor"], artifact["metadata"]["step"]) == ("val_loss", 8)
    held = Path(artifact["files"]["run.json"]).parent
    assert (
        read_checkpoint(held).run["progress"]
        == read_checkpoint(best.best_model_path).run["progress"]
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError, 1), pytest.param(KeyboardInterrupt, 255, marks=pytest.mark.slow)],
)
def test_the_last_checkpoint_is_sent_after_an_exception_and_ctrl_c(tmp_path, error, status):
    class Ends(BoringTask):
        def on_train_epoch_end(self):
            if self.trainer.current_epoch == 1:
                raise error("the end")

    logger = logger_in(tmp_path, log_model="last")
    with pytest.raises(error):
        fitted(Ends(), max_epochs=3, logger=logger, enable_checkpointing=True)
    (run,) = logged_runs(tmp_path)
    assert run.artifacts[0]["metadata"]["step"] == 4
    assert run.exit_code == status
    assert run.alerts == ([("The run failed", "ERROR")] if error is RuntimeError else [])


def test_every_checkpoint_is_held_though_the_callback_deletes_it(tmp_path):
    logger = logger_in(tmp_path, log_model="all")
    task = number_task()
    fitted(task, max_epochs=3, logger=logger, enable_checkpointing=True)
    artifacts = logged_runs(tmp_path)[0].artifacts
    assert [artifact["metadata"]["step"] for artifact in artifacts] == [4, 8, 12]
    for artifact in artifacts:
        read_checkpoint(Path(artifact["files"]["run.json"]).parent)
    assert len(list(Path(logger.log_dir, "checkpoints").glob("*.ckpt"))) == 1


def test_a_nan_is_alerted(tmp_path):
    with pytest.raises(NonFiniteLossError):
        fitted(number_task([1.0, np.nan]), max_epochs=1, logger=logger_in(tmp_path))
    assert logged_runs(tmp_path)[0].alerts == [("The loss is NaN or infinite", "ERROR")]


@pytest.mark.slow
def test_a_nan_in_validation_is_alerted_once(tmp_path):
    task = NumberTask(NumberData([1.0], held_out=[np.nan]))
    fitted(task, max_epochs=2, logger=logger_in(tmp_path))
    (run,) = logged_runs(tmp_path)
    assert run.alerts == [("val/loss is NaN or infinite", "WARN")]
    assert "best/val/loss" not in run.summary


def test_a_test_after_fit_goes_on_in_the_same_run(tmp_path):
    logger = logger_in(tmp_path)
    trainer = Trainer(**quiet(max_epochs=1, logger=logger))
    task = number_task()
    trainer.fit(task)
    trainer.test(task)
    fit, test = logged_runs(tmp_path)
    assert fit.id == test.id == logger.run_id
    assert [row["_step"] for row in (*fit.history, *test.history)] == [0, 1, 2]
    assert test.column("test/loss") == [(4, 1.0)]


@pytest.mark.slow
def test_without_finish_a_test_after_fit_is_in_the_run_that_is_still_open(tmp_path):
    logger = logger_in(tmp_path, finish=False)
    trainer = Trainer(**quiet(max_epochs=1, logger=logger))
    task = number_task()
    trainer.fit(task)
    trainer.test(task)
    assert logger.experiment.id == wandb.run.id == logger.run_id
    wandb.finish()
    (run,) = logged_runs(tmp_path)
    assert run.column("test/loss") == [(4, 1.0)]


@pytest.mark.slow
def test_another_task_gets_another_run(tmp_path):
    logger = logger_in(tmp_path)
    trainer = Trainer(**quiet(max_epochs=1, logger=logger))
    trainer.fit(number_task())
    first = logger.run_id
    trainer.fit(number_task())
    assert {run.id for run in logged_runs(tmp_path)} == {first, logger.run_id}
    assert first != logger.run_id


def test_a_run_that_is_open_is_used_and_left_open(tmp_path):
    mine = wandb.init(mode="offline", project="own", dir=tmp_path)
    mine.log({"before": 1})
    logger = WandbLogger("digits", dir=tmp_path)
    fitted(number_task(), max_epochs=1, logger=logger)
    assert wandb.run is mine
    assert logger.run_id == mine.id
    mine.log({"after": 2})
    log = mine.settings.sync_file
    mine.finish()
    run = logged_run(Path(log))
    assert run.column("val/loss") == [(4, 1.0)]
    assert [row["after"] for row in run.history if "after" in row] == [2]
    assert run.config["trainer"]["max_epochs"] == 1


class Talkative(Callback):
    """Logs to the run itself, and notes what both sides take for the next row's number."""

    def __init__(self, logger):
        self.logger, self.numbers = logger, []

    def on_train_window_end(self, trainer, task):
        run = self.logger.experiment
        for step in (None, run.step + 3):
            run.log({"own": trainer.global_step}, step=step)
            self.numbers.append((next_step(run), run.step))
        run.log({"open": 1}, commit=False)
        self.numbers.append((next_step(run), run.step))


def test_rows_make_room_for_what_others_log_to_the_same_run(tmp_path):
    logger = logger_in(tmp_path)
    talkative = Talkative(logger)
    fitted(number_task(), max_epochs=1, logger=logger, callbacks=[talkative], log_every_n_steps=1)
    (run,) = logged_runs(tmp_path)
    assert [value for _, value in run.column("train/loss")] == [1.0, 2.0, 3.0, 4.0]
    assert sum("own" in row for row in run.history) == 8
    assert len(talkative.numbers) == 12
    for counted, asked in talkative.numbers:
        assert counted == asked


@pytest.mark.slow
def test_two_loggers_have_two_runs(tmp_path):
    loggers = [logger_in(tmp_path / "a"), logger_in(tmp_path / "b")]
    fitted(number_task(), max_epochs=1, logger=loggers)
    runs = [*logged_runs(tmp_path / "a"), *logged_runs(tmp_path / "b")]
    assert [run.id for run in runs] == [logger.run_id for logger in loggers]
    assert [run.column("val/loss") for run in runs] == [[(4, 1.0)]] * 2


def test_predict_and_a_disabled_logger_leave_nothing(tmp_path):
    trainer = Trainer(**quiet(logger=logger_in(tmp_path)))
    trainer.predict(number_task(), collect=True)
    fitted(number_task(), max_epochs=1, logger=logger_in(tmp_path, mode="disabled"))
    assert not list(tmp_path.glob("wandb*"))


def test_without_a_key_the_run_is_kept_and_the_command_to_send_it_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        logger = logger_in(tmp_path, mode=None)
        fitted(number_task(), max_epochs=1, logger=logger)
    (run,) = logged_runs(tmp_path)
    assert run.column("val/loss") == [(4, 1.0)]
    (message,) = [r.getMessage() for r in caplog.records if "W&B" in r.getMessage()]
    assert "no API key" in message
    assert f"wandb sync {tmp_path}/wandb/*-{run.id}" in message


def test_only_the_first_worker_has_a_run(tmp_path):
    class SecondWorker(Trainer):
        is_global_zero = False

    SecondWorker(**quiet(max_epochs=1, logger=logger_in(tmp_path))).fit(number_task())
    assert not list(tmp_path.glob("wandb*"))


def test_numbers_of_every_type_stand_in_a_row_and_in_its_journal(tmp_path):
    class Logs(NumberTask):
        def on_train_epoch_end(self):
            row = {"a": np.float32(0.5), "b": np.int64(3), "c": tf.constant(2.0), "d": True}
            self.trainer.logger.log_metrics(row, self.trainer.global_step)

    logger = logger_in(tmp_path)
    fitted(Logs(NumberData([1.0])), max_epochs=1, logger=logger)
    (run,) = logged_runs(tmp_path)
    (row,) = [row for row in run.history if "a" in row]
    assert [row[name] for name in "abcd"] == [0.5, 3, 2.0, 1.0]
    rows = WandbJournal(Path(logger.log_dir)).read_rows()
    (values,) = [row.values for row in rows if "a" in row.values]
    assert [values[name] for name in "abcd"] == [0.5, 3, 2.0, 1.0]


@pytest.mark.parametrize("bad", [[], "yes", None, {1: 2}], ids=str)
def test_what_is_no_number_is_refused_by_its_name_where_it_is_logged(tmp_path, bad):
    class Bad(NumberTask):
        def on_train_epoch_end(self):
            self.trainer.logger.log_metrics({"good": 1.0, "bad": bad}, self.trainer.global_step)

    with pytest.raises(ConfigurationError, match="log\\('bad'\\)"):
        fitted(Bad(NumberData([1.0])), max_epochs=1, logger=logger_in(tmp_path))


def test_a_watch_that_cannot_work_is_refused():
    with pytest.raises(ConfigurationError, match="gradients"):
        WandbLogger("digits").watch("gradient")
    with pytest.raises(ConfigurationError, match="every_n_steps is 0"):
        WandbLogger("digits").watch("all", every_n_steps=0)


IMAGES = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), "uint8")
IMAGES[0, 0, 0], IMAGES[0, 0, 1] = 0, 255


@pytest.mark.filterwarnings("ignore")  # of wandb, for images of one colour
def test_images_of_every_kind_are_the_same_pixels_in_the_run(tmp_path):
    given = {
        "bytes": IMAGES,
        "int64": IMAGES.astype("int64"),
        "floats": IMAGES / 255.0,
        "large": IMAGES.astype("float64"),
        "signed": IMAGES / 127.5 - 1.0,
        "uint16": IMAGES.astype("uint16") * 257,
        "tensor": tf.constant(IMAGES),
        "keras": keras.ops.convert_to_tensor(IMAGES),
        "PIL": [Image.fromarray(image) for image in IMAGES],
        "alpha": np.concatenate([IMAGES, np.full((2, 6, 5, 1), 255, "uint8")], axis=-1),
    }

    class Logs(NumberTask):
        def on_fit_end(self):
            for name, images in given.items():
                self.trainer.log_images(name, images)
            self.trainer.log_images("gray", IMAGES[..., 0])
            self.trainer.log_images("one", IMAGES[:1, ..., 0])
            self.trainer.log_images("mask", IMAGES[..., 0] > 127)

    fitted(Logs(NumberData([1.0])), max_epochs=1, logger=logger_in(tmp_path))
    (run,) = logged_runs(tmp_path)
    (folder,) = tmp_path.glob("wandb/offline-run-*/files")

    def pixels(name):
        (row,) = [row[name] for row in run.history if name in row]
        return np.stack([np.asarray(Image.open(folder / path)) for path in row["filenames"]])

    for name in given:
        np.testing.assert_array_equal(pixels(name), IMAGES, err_msg=name)
    gray = np.repeat(IMAGES[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(pixels("gray"), gray)
    np.testing.assert_array_equal(pixels("one"), gray[:1])
    np.testing.assert_array_equal(pixels("mask"), (gray > 127) * np.uint8(255))


@pytest.mark.slow
def test_all_kept_checkpoints_are_sent_under_a_name_of_the_users(tmp_path):
    logger = logger_in(
        tmp_path, log_model=True, checkpoint_name="digits-net", add_file_policy="mutable"
    )
    two = ModelCheckpoint(monitor="val_loss", save_top_k=2)
    fitted(BoringTask(), max_epochs=3, logger=logger, callbacks=two, enable_checkpointing=True)
    artifacts = logged_runs(tmp_path)[0].artifacts
    assert {artifact["name"] for artifact in artifacts} == {"digits-net"}
    assert len(artifacts) == len({*two.best_k_models, two.last_model_path})
    assert sum("best" in artifact["aliases"] for artifact in artifacts) == 1
    # W&B's own copies: what training wrote may change.
    places = {path for artifact in artifacts for path in artifact["files"].values()}
    assert not any(path.startswith(logger.log_dir) for path in places)


def test_videos_and_sounds_are_copied_into_the_run(tmp_path, caplog):
    sound, film = tmp_path / "sound.wav", tmp_path / "film.mp4"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    film.write_bytes(b"not looked at")

    class Logs(NumberTask):
        def on_fit_end(self):
            logger, step = self.trainer.logger, self.trainer.global_step
            logger.log_audio("voice", [sound], step, captions=["nothing"])
            logger.log_video("film", [film], step)

    fitted(Logs(NumberData([1.0])), max_epochs=1, logger=logger_in(tmp_path))
    (run,) = logged_runs(tmp_path)
    (folder,) = tmp_path.glob("wandb/offline-run-*/files")
    rows = {name: row[name] for row in run.history for name in row}
    (seen,) = rows["film"]["videos"]
    assert (folder / seen["path"]).read_bytes() == film.read_bytes()
    if find_spec("soundfile") is None:  # which W&B asks for a sound's length
        assert "pip install soundfile" in caplog.text
    else:
        (heard,) = rows["voice"]["audio"]
        assert (folder / heard["path"]).read_bytes() == sound.read_bytes()


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/wandb.md").read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("code", EXAMPLES, ids=["first", "images", "predictions"])
def test_the_examples_of_the_page_run(code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = logged_runs(os.environ["WANDB_DIR"])
    assert runs[0].exit_code == 0
    assert "of this kind are not reported" not in done.stderr
    names = {name for run in runs for row in run.history for name in row}
    assert "val/accuracy" in names
    expected = {"test/accuracy"}
    if "Shows" in code:
        expected = {"confusion_table", "roc_table", "street", "remark", "scores"}
    if "PredictionTable" in code:
        expected = {"val/predictions"}
        assert [a["type"] for a in runs[0].artifacts].count("dataset") == 1
    assert names >= expected
