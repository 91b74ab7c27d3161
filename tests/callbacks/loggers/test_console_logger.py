import io
import logging

import numpy as np
import pytest
from helpers.boring import BoringTask, quiet
from rich.console import Console

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ConsoleLogger, ProgressBar
from lightning_tf.exceptions import ConfigurationError


class Sends(Callback):
    """Gives the loggers one of everything."""

    def on_train_end(self, trainer, task):
        trainer.log_images("samples", np.zeros((2, 8, 6, 1)))
        mask = {"truth": {"mask_data": np.zeros((8, 6), int)}}
        trainer.log_images("streets", np.zeros((1, 8, 6, 1)), masks=[mask], boxes=[{}])
        trainer.log_table("scores", ["who", "[b]score"], [["a[/]", 0.123456], ["b", 2], ["c", 3]])
        trainer.log_figure("plot", None)
        trainer.log_text("remark", "[b]fine")
        trainer.log_file("data", "data.bin")


def printed(caplog, **arguments):
    text = io.StringIO()
    logger = ConsoleLogger(file=text, **arguments)
    trainer = Trainer(
        **quiet(max_epochs=1, log_every_n_steps=2, logger=logger, callbacks=[Sends()])
    )
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer.fit(BoringTask())
    assert not caplog.records
    return text.getvalue(), trainer


def test_rows_are_lines_and_the_rest_is_named(caplog):
    text, trainer = printed(caplog, max_rows=2)
    lines = text.splitlines()
    assert lines[0].startswith("step 2  epoch 0  train/loss ")
    assert f"val/loss {trainer.callback_metrics['val_loss']:.4f}" in text
    assert "step 4  samples: 2 images of 8 x 6" in lines
    assert "step 4  streets: 1 images of 8 x 6 with masks and boxes" in lines
    assert "step 4  plot: a figure" in lines
    assert "step 4  remark: [b]fine" in lines
    assert "step 4  data: data.bin" in lines
    assert "and 1 more rows" in text
    for cell in ("scores, step 4", "[b]score", "a[/]", "0.1235"):
        assert cell in text
    assert "\x1b" not in text


def test_only_what_is_asked_for_is_printed(caplog):
    text, _ = printed(caplog, only=("val/", "plot"))
    assert [line.split("  ")[0] for line in text.splitlines()] == ["step 4", "step 4"]
    assert "train/" not in text


def test_beside_a_live_bar_every_line_stays_whole(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    bar = ProgressBar(0.0, console=Console(force_terminal=True, width=200))
    logger = ConsoleLogger(only=("train/loss",))
    Trainer(**quiet(max_epochs=1, log_every_n_steps=2, logger=logger, callbacks=[bar])).fit(
        BoringTask()
    )
    text = terminal.getvalue()
    assert "epoch 1/1" in text
    rows = [line for line in text.splitlines() if "train/loss" in line]
    assert [row.split("step ")[0].replace("\x1b[2K", "").strip() for row in rows] == ["", "", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": "val/"}, "only='val/'"),
        ({"max_rows": 0}, "max_rows is 0"),
        ({"console": Console(), "file": io.StringIO()}, "both console and file"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        ConsoleLogger(**arguments)
