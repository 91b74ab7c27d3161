import re

import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Rows, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.profiler import Profiler, SimpleProfiler, TraceProfiler


def task():
    return NumberTask(NumberData(range(30), held_out=[1.0, 2.0]))


def rows_of(table):
    """Name to (seconds, calls)."""
    pattern = r"^(.+?)\s+(-?\d+\.\d+)\s+-?\d+\.\d%\s+(\d*)$"
    rows = re.findall(pattern, table, re.MULTILINE)
    return {name: (float(seconds), int(calls or 0)) for name, seconds, calls in rows}


def test_the_table_says_where_the_time_went(tmp_path, capsys):
    class Slow(Callback):
        def on_train_epoch_end(self, trainer, task):
            tf.py_function(lambda: __import__("time").sleep(0.2), [], [])

    trainer = fitted(
        task(),
        max_epochs=2,
        log_every_n_steps=10,
        logger=Rows(),
        callbacks=Slow(),
        profiler="simple",
        default_root_dir=tmp_path,
    )
    table = (tmp_path / "profile.txt").read_text()
    assert table in capsys.readouterr().out
    rows = rows_of(table)
    assert rows["tracing training_step"][1] == 1
    assert rows["tracing validation_step"][1] == 1
    assert rows["Slow.on_train_epoch_end"][1] == 2
    assert rows["Slow.on_train_epoch_end"][0] >= 0.4
    assert rows["train windows"][1] >= 6
    assert rows["log rows"][1] == 6 + 2 + 2
    assert isinstance(trainer.profiler, SimpleProfiler)


def test_the_parts_add_up_to_the_whole_also_where_one_lies_inside_another(tmp_path):
    class Saves(Callback):
        def on_train_epoch_end(self, trainer, task):
            trainer.save_checkpoint(tmp_path / "saved")
            trainer.log_metrics({"extra": 1.0})

    profiler = SimpleProfiler()
    fitted(task(), max_epochs=2, callbacks=Saves(), profiler=profiler, default_root_dir=tmp_path)
    table = (tmp_path / "profile.txt").read_text()
    rows = rows_of(table)
    total = float(re.search(r"^total\s+(\S+)", table, re.MULTILINE)[1])
    assert rows["everything else"][0] >= 0.0
    assert sum(seconds for seconds, _ in rows.values()) == pytest.approx(total, abs=0.02)
    inner, outer = rows["checkpoints"][0], rows["Saves.on_train_epoch_end"][0]
    assert inner > 0.0
    assert outer < inner  # the hook itself does next to nothing


def test_a_second_fit_starts_the_clock_anew(tmp_path):
    profiler = SimpleProfiler()
    trainer = fitted(task(), max_epochs=1, profiler=profiler, default_root_dir=tmp_path)
    trainer.max_epochs = 2
    trainer.fit(trainer.task)
    assert profiler.calls["tracing training_step"] == 1


def test_a_trace_of_some_updates_is_written(tmp_path):
    class Notes(Callback):
        ends = ()

        def on_train_window_end(self, trainer, task):
            self.ends = (*self.ends, trainer.global_step)

    notes = Notes()
    fitted(
        task(),
        max_epochs=1,
        profiler=TraceProfiler(3, 6),
        callbacks=notes,
        default_root_dir=tmp_path,
    )
    assert {3, 6} <= set(notes.ends)
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_the_trace_is_closed_when_training_is_shorter_or_fails(tmp_path):
    fitted(task(), max_steps=5, profiler=TraceProfiler(0, 100, dirpath=str(tmp_path / "a")))
    assert list((tmp_path / "a").rglob("*.xplane.pb"))

    class Fails(NumberTask):
        def on_train_epoch_end(self):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fitted(
            Fails(NumberData([1])),
            max_epochs=1,
            profiler=TraceProfiler(0, 100, dirpath=str(tmp_path / "b")),
        )
    tf.profiler.experimental.start(str(tmp_path / "c"))  # fails where one still runs
    tf.profiler.experimental.stop()


def test_names_give_profilers():
    assert isinstance(Trainer(**quiet(profiler="trace")).profiler, TraceProfiler)
    assert type(Trainer(**quiet()).profiler) is Profiler


@pytest.mark.parametrize("profiler", ["simpel", 3, True])
def test_an_unknown_profiler_is_refused(profiler):
    with pytest.raises(ConfigurationError, match=r"profiler is .*simple"):
        Trainer(**quiet(profiler=profiler))


@pytest.mark.parametrize("ends", [(5, 5), (-1, 3), (7, 2)])
def test_a_trace_needs_an_end_after_its_start(ends):
    with pytest.raises(ConfigurationError, match="TraceProfiler"):
        TraceProfiler(*ends)
