"""Runs in a real Trackio, whose file is in a temporary TRACKIO_DIR."""

import sys
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import TrackioLogger
from lightning_tf.exceptions import ConfigurationError

# What Trackio and its like warn about themselves, in the thread.
pytestmark = pytest.mark.filterwarnings("ignore")


def needs_trackio(test):
    reason = "pip install 'lightning-tf[trackio]'"
    missing = find_spec("trackio") is None
    return pytest.mark.slow(pytest.mark.skipif(missing, reason=reason)(test))


@pytest.fixture
def trackio(tmp_path, monkeypatch):
    """Trackio with folders of this test's own: it reads TRACKIO_DIR once."""
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_trackios(name)}
    yield tmp_path
    for name in [name for name in sys.modules if _is_trackios(name)]:
        del sys.modules[name]
    sys.modules.update(kept)


def _is_trackios(name):
    return name.partition(".")[0] == "trackio"


def rows(name):
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.get_logs("digits", name)


def column(run_name, name):
    return [(row["step"], row[name]) for row in rows(run_name) if name in row]


def fit(folder, logger, *callbacks, task=None, ckpt_path=None, **arguments):
    options = {"max_epochs": 2, "log_every_n_steps": 1, "seed": 0, **arguments}
    trainer = Trainer(
        **quiet(logger=logger, callbacks=list(callbacks), default_root_dir=str(folder), **options)
    )
    trainer.fit(task or BoringTask(), ckpt_path=ckpt_path)
    return trainer


class Shows(Callback):
    def on_fit_end(self, trainer, task):
        trainer.log_images("val/pictures", np.zeros((2, 8, 8, 3), "uint8"))
        trainer.log_table("cells", ["a", "b"], [[1, "x"], [2.5, "y"]])
        figure = plt.figure()
        trainer.log_figure("drawing", figure)
        plt.close(figure)
        trainer.log_file("program", __file__)
        trainer.logger.log_text("remark", "fine", trainer.global_step)


@needs_trackio
def test_a_run_has_its_rows_config_images_tables_and_texts(trackio):
    logger = TrackioLogger("digits", name="baseline")
    trainer = fit(trackio, logger, Shows())
    name = f"baseline-{logger.run_id}"
    assert [step for step, _ in column(name, "train/loss")] == list(range(1, 9))
    assert column(name, "val/loss")[-1] == (8, trainer.callback_metrics["val_loss"])

    from trackio.sqlite_storage import SQLiteStorage

    assert SQLiteStorage.get_run_config("digits", name)["trainer/max_epochs"] == 2
    for picture in ("val/pictures", "drawing"):
        step, image = column(name, picture)[0]
        assert step == 8
        assert (trackio / "trackio" / "media" / image["file_path"]).is_file()
    assert column(name, "cells")[0][1]["_value"] == [{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}]
    assert column(name, "program") == [(8, __file__)]
    assert column(name, "remark") == [(8, "fine")]
    assert not (trackio / "trackio_runs" / "digits" / logger.run_id / "files").exists()


@needs_trackio
def test_a_resumed_run_goes_on_in_the_same_run_without_a_double_row(trackio):
    first = TrackioLogger("digits")
    trainer = fit(trackio, first, max_epochs=1)
    trainer.save_checkpoint(trackio / "saved")
    fit(trackio, TrackioLogger("digits", run_id=first.run_id), max_epochs=2)

    again = TrackioLogger("digits")
    fit(trackio, again, max_epochs=3, ckpt_path=str(trackio / "saved"))
    assert again.run_id == first.run_id
    steps = [step for step, _ in column(first.run_id, "train/loss")]
    assert steps == [1, 2, 3, 4, *range(1, 9), 9, 10, 11, 12]  # the second began anew


@needs_trackio
def test_what_a_killed_run_had_handed_over_is_there_once(trackio):
    logger = TrackioLogger("digits")
    fit(trackio, logger, Shows())
    before = rows(logger.run_id)
    # As if the process had been killed before Trackio had finished.
    for name in ("rows", "files"):
        cursor = trackio / "trackio_runs" / "digits" / logger.run_id / f"{name}.sent"
        cursor.write_text(f"0 {cursor.read_text().split()[1]}\n")
    assert TrackioLogger.send(logger.log_dir)
    assert rows(logger.run_id) == before


@needs_trackio
def test_what_trackio_lost_is_given_to_it_again(trackio, caplog):
    logger = TrackioLogger("digits")
    project = trackio / "trackio"
    project.mkdir()
    (project / "digits.db").mkdir()  # where its file should be
    fit(trackio, logger)
    assert "failed and the run goes on" in caplog.text
    (project / "digits.db").rmdir()
    assert TrackioLogger.send(logger.log_dir)
    assert [step for step, _ in column(logger.run_id, "train/loss")] == list(range(1, 9))


@needs_trackio
def test_what_the_logger_decides_on_is_refused():
    with pytest.raises(ConfigurationError, match="itself decides on resume"):
        TrackioLogger(init={"resume": "must"})
