import io
import logging
import re

import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, quiet
from rich.console import Console

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ConsoleLogger, ProgressBar
from lightning_tf.exceptions import ConfigurationError

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class CountingTrainer(Trainer):
    """Counts how often the bar reads the device."""

    reads = 0

    def running_metrics(self):
        self.reads += 1
        return super().running_metrics()


class FailsInEpoch(Callback):
    def on_train_window_end(self, trainer, task):
        raise RuntimeError("on purpose")


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def lines_of(file):
    return file.getvalue().splitlines()


def epoch_lines(file):
    return [line for line in lines_of(file) if line.startswith("epoch ")]


def test_without_a_terminal_each_epoch_is_one_line():
    file = io.StringIO()
    Trainer(**quiet(max_epochs=2, callbacks=[ProgressBar(file=file)])).fit(BoringTask())
    lines = epoch_lines(file)
    assert len(lines) == 2
    number = r"\d\.\d{4}"
    pattern = (
        rf"epoch 1/2  loss {number}  accuracy {number}  val_loss {number}  "
        rf"val_accuracy {number}  \(\d+\.\d s, [\d,.]+ steps/s\)"
    )
    assert re.fullmatch(pattern, lines[0])
    assert lines[1].startswith("epoch 2/2  ")


def test_the_line_has_the_values_of_the_epoch():
    file = io.StringIO()
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(file=file)]))
    trainer.fit(BoringTask())
    assert f"val_loss {trainer.callback_metrics['val_loss']:.4f}" in file.getvalue()
    assert f"  loss {trainer.callback_metrics['loss']:.4f}" in file.getvalue()


def test_values_of_an_earlier_epoch_are_not_shown_again():
    file = io.StringIO()
    bar = ProgressBar(file=file)
    Trainer(**quiet(max_epochs=3, check_val_every_n_epoch=2, callbacks=[bar])).fit(BoringTask())
    assert ["val_loss" in line for line in epoch_lines(file)] == [False, True, False]


def test_what_is_logged_appears_only_with_prog_bar():
    class Logs(BoringTask):
        def training_step(self, batch):
            self.log("hidden", tf.constant(1.0))
            self.log("visible", tf.constant(2.0), prog_bar=True)
            return super().training_step(batch)

    file = io.StringIO()
    Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(file=file)])).fit(Logs())
    assert "visible 2.0000" in epoch_lines(file)[0]
    assert "hidden" not in epoch_lines(file)[0]


def test_the_line_has_what_the_task_logs_at_the_epochs_end():
    class Counts(BoringTask):
        def on_train_epoch_end(self):
            self.log("caught", 3.0, prog_bar=True)

    file = io.StringIO()
    Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(file=file)])).fit(Counts())
    assert "caught 3.0000" in file.getvalue()


def test_without_a_terminal_the_device_is_never_read_for_the_bar():
    bar = ProgressBar(refresh_seconds=0, file=io.StringIO())
    trainer = CountingTrainer(**quiet(max_epochs=2, callbacks=[bar]))
    trainer.fit(BoringTask())
    assert trainer.reads == 0


def test_the_device_is_read_only_when_a_refresh_is_due():
    reads = {}
    for refresh_seconds in (0, 3600):
        bar = ProgressBar(refresh_seconds=refresh_seconds, console=terminal())
        trainer = CountingTrainer(**quiet(max_epochs=2, callbacks=[bar]))
        trainer.fit(BoringTask())
        reads[refresh_seconds] = trainer.reads
    assert reads[0] >= 2
    assert reads[3600] == 0


def test_a_terminal_shows_bars_and_keeps_a_line_for_each_epoch():
    console = terminal()
    bar = ProgressBar(refresh_seconds=0, console=console)
    Trainer(**quiet(max_epochs=2, callbacks=[bar])).fit(BoringTask())
    shown = console.file.getvalue()
    assert "4/4" in shown
    assert "sanity check" in shown
    assert "validation" in shown
    assert len(re.findall(r"epoch \d/2  loss .* steps/s\)\n", shown)) == 2
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1
    assert shown.rindex(SHOW_CURSOR) > shown.rindex("steps/s)")


def test_an_unknown_length_is_counted_up():
    console = terminal()
    task = BoringTask(BoringData(known_length=False))
    bar = ProgressBar(refresh_seconds=0, console=console)
    trainer = Trainer(**quiet(max_steps=6, callbacks=[bar]))
    trainer.fit(task)
    shown = console.file.getvalue()
    assert "epoch 1  loss" in shown  # no limit of epochs, hence no total
    assert "2/4" in shown  # the second epoch knows what the first has counted
    assert trainer.global_step == 6


def test_an_exception_gives_the_terminal_back():
    console = terminal()
    bar = ProgressBar(console=console)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[bar, FailsInEpoch()]))
    with pytest.raises(RuntimeError, match="on purpose"):
        trainer.fit(BoringTask())
    shown = console.file.getvalue()
    assert HIDE_CURSOR in shown
    assert shown.count(SHOW_CURSOR) == shown.count(HIDE_CURSOR)
    assert not console._live_stack


def test_a_prediction_closed_early_gives_the_terminal_back():
    console = terminal()
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(0, console=console)]))
    batches = trainer.predict(BoringTask())
    next(batches)
    assert console._live_stack
    batches.close()
    assert not console._live_stack
    assert "predict" in console.file.getvalue()


def test_validate_and_test_end_with_their_metrics_as_lines():
    file = io.StringIO()
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(file=file)]))
    task = BoringTask()
    tested = trainer.test(task)
    assert lines_of(file) == [
        f"test_loss      {tested['test_loss']:.4f}",
        f"test_accuracy  {tested['test_accuracy']:.4f}",
    ]
    file.truncate(0)
    Trainer(**quiet(callbacks=[ProgressBar(file=file)])).validate(task)
    assert "val_accuracy  0." in file.getvalue()


def test_validate_on_a_terminal_ends_with_a_table():
    console = terminal()
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(console=console)]))
    loss = trainer.validate(BoringTask())["val_loss"]
    assert re.search(rf"│ val_loss +│ {loss:.4f} │", console.file.getvalue())


def test_the_reason_of_a_stop_is_told(caplog):
    class Stops(Callback):
        def on_train_epoch_end(self, trainer, task):
            trainer.request_stop("enough")

    caplog.set_level(logging.INFO, "lightning_tf")
    file = io.StringIO()
    Trainer(**quiet(max_epochs=5, callbacks=[ProgressBar(file=file), Stops()])).fit(BoringTask())
    assert len(epoch_lines(file)) == 1
    assert "fit ended: enough. 1 epoch and 4 updates are done" in caplog.text


def test_a_fit_and_a_test_end_with_a_table_of_their_stages():
    file = io.StringIO()
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(file=file)]))
    trainer.fit(BoringTask())
    values = trainer.callback_metrics | trainer.test(trainer.task)

    head, loss, accuracy = (line.split() for line in lines_of(file)[-3:])
    assert head == ["metric", "train", "val", "test"]
    assert loss == ["loss", *(f"{values[n]:.4f}" for n in ("loss", "val_loss", "test_loss"))]
    assert accuracy[0] == "accuracy"


def test_a_terminal_tells_how_long_the_rest_takes():
    console = terminal()
    bar = ProgressBar(refresh_seconds=0, console=console)
    Trainer(**quiet(max_epochs=3, callbacks=[bar])).fit(BoringTask())
    assert re.search(r"steps/s  \d:\d\d:\d\d left", console.file.getvalue())
    assert "tracing the steps" in console.file.getvalue()


def test_contradictory_arguments_are_refused():
    with pytest.raises(ConfigurationError, match="console and file"):
        ProgressBar(console=terminal(), file=io.StringIO())
    with pytest.raises(ConfigurationError, match="refresh_seconds=-1"):
        ProgressBar(refresh_seconds=-1)


@pytest.mark.parametrize("output", [None, "closed"])
def test_a_process_without_an_output_trains(output, monkeypatch):
    if output == "closed":
        output = io.StringIO()
        output.close()
    monkeypatch.setattr("sys.stdout", output)
    shown = {"enable_progress_bar": True, "enable_model_summary": True, "logger": ConsoleLogger()}
    trainer = Trainer(**quiet(max_epochs=1, **shown))
    trainer.fit(BoringTask())
    trainer.test(trainer.task)
    assert len(trainer.predict(trainer.task, collect=True)) == 4
