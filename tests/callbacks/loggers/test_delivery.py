"""What a tracker gets, and what stays here, while it is away, hangs or comes back."""

import logging
import time

import pytest
from helpers.kept_run import KeptRun, Tracker

from lightning_tf.callbacks.loggers import delivery as module
from lightning_tf.callbacks.loggers.delivery import Delivery


@pytest.fixture
def tracker(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(KeptRun, "tracker", Tracker())
    return KeptRun.tracker


def begun(folder, resumed_at=None, seconds=5.0):
    delivery = Delivery(folder, KeptRun({"status": None}), seconds, "Do something.")
    delivery.begin(resumed_at)
    return delivery


def add(delivery, steps):
    for step in steps:
        delivery.add_row(step, {"loss": float(step), "epoch": 0.0})


def wait_for(condition):
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def abandon(delivery):
    """Leave it as a killed process does: what stands on the disk stays, and nothing is told."""
    delivery._queue.end(5.0)


def numbers(steps):
    return [(step, float(step)) for step in steps]


def test_rows_arrive_while_the_run_goes_on(tmp_path, tracker):
    delivery = begun(tmp_path)
    add(delivery, [1, 2])
    wait_for(lambda: tracker.column("loss") == numbers([1, 2]))
    add(delivery, [3])
    assert delivery.close("success") == 0
    assert tracker.column("loss") == numbers([1, 2, 3])
    assert tracker.ends == ["success"]


def test_a_tracker_that_comes_back_gets_everything_and_one_warning_was_told(
    tmp_path, tracker, caplog
):
    tracker.is_away = True
    delivery = begun(tmp_path)
    for step in range(1, 6):
        add(delivery, [step])
        delivery._queue.wait(5.0)
        time.sleep(0.03)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"stays in {tmp_path} and is tried again. Do something." in caplog.text
    tracker.is_away = False
    assert delivery.close("success") == 0
    assert tracker.column("loss") == numbers(range(1, 6))


def test_whoever_opens_the_folder_next_sends_the_rest(tmp_path, tracker):
    tracker.is_away = True
    delivery = begun(tmp_path)
    add(delivery, [1, 2])
    delivery.add_file(2, "text", "note", lambda folder: (folder / "n").write_text("hi") and "n")
    assert delivery.close("failed") > 0
    tracker.is_away = False
    assert begun(tmp_path).close("success") == 0
    assert tracker.column("loss") == numbers([1, 2])
    assert tracker.files == [(2, "text/note", b"hi")]
    assert not any((tmp_path / "files").glob("*"))


def test_an_answer_that_was_lost_makes_no_double_row(tmp_path, tracker):
    tracker.loses_answers = True
    delivery = begun(tmp_path)
    add(delivery, [1, 2, 3])
    abandon(delivery)
    assert tracker.column("loss") == numbers([1, 2, 3])
    tracker.loses_answers = False
    resumed = begun(tmp_path, resumed_at=1)  # measures 2 and 3 again
    add(resumed, [2, 3, 4])
    assert resumed.close("success") == 0
    assert tracker.column("loss") == numbers([1, 2, 3, 4])


@pytest.mark.parametrize("sent", [0, 2, 6])
def test_a_killed_run_that_is_resumed_has_every_row_once(tmp_path, tracker, sent):
    killed = begun(tmp_path)
    add(killed, range(1, sent + 1))
    killed._queue.wait(5.0)
    tracker.is_away = True
    add(killed, range(sent + 1, 5))
    killed.save()  # as before the checkpoint of update 4
    add(killed, range(max(sent, 4) + 1, 7))
    abandon(killed)
    tracker.is_away = False

    resumed = begun(tmp_path, resumed_at=4)
    resumed.add_row(4, {"val/loss": 0.5, "epoch": 0.0})  # came after the checkpoint
    add(resumed, [5, 6, 7])
    assert resumed.close("success") == 0
    assert sorted(tracker.column("loss")) == numbers(range(1, 8))
    assert tracker.column("val/loss") == [(4, 0.5)]


def test_where_the_folder_is_lost_the_tracker_says_what_it_has(tmp_path, tracker):
    first = begun(tmp_path / "a")
    add(first, [1, 2, 3])
    first.close("success")
    resumed = begun(tmp_path / "b", resumed_at=1)
    add(resumed, [2, 3, 4])
    resumed.close("success")
    assert tracker.column("loss") == numbers([1, 2, 3, 4])


def test_a_tracker_that_hangs_makes_nobody_wait(tmp_path, tracker, caplog):
    tracker.answers.clear()
    delivery = begun(tmp_path, seconds=1.0)
    slowest = 0.0
    for step in range(1, 1001):
        before = time.perf_counter()
        add(delivery, [step])
        slowest = max(slowest, time.perf_counter() - before)
    before = time.perf_counter()
    assert delivery.close("success") > 0
    assert time.perf_counter() - before < 3.0
    assert slowest < 0.5
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1000
    tracker.answers.set()


def test_a_tracker_that_hangs_holds_up_no_file_that_is_written(tmp_path, tracker):
    tracker.answers.clear()
    delivery = begun(tmp_path, seconds=1.0)
    add(delivery, [1])
    wait_for(lambda: tracker.asked == 1)
    delivery.add_file(1, "text", "note", lambda folder: (folder / "n").write_text("hi") and "n")
    assert delivery.close("success") > 0
    tracker.answers.set()
    assert begun(tmp_path).close("success") == 0
    assert tracker.files == [(1, "text/note", b"hi")]


def test_a_request_that_ends_after_the_close_moves_nothing(tmp_path, tracker):
    delivery = begun(tmp_path, seconds=1.0)
    wait_for(lambda: tracker.asked == 1)
    tracker.answers.clear()
    add(delivery, [1])
    wait_for(lambda: tracker.asked == 2)
    assert delivery.close("success") > 0
    tracker.answers.set()
    delivery._queue._thread.join(5.0)
    assert begun(tmp_path).close("success") == 0
    assert tracker.column("loss") == numbers([1])
    assert tracker.ends == ["success"]


def test_files_that_are_refused_hold_up_no_row(tmp_path, tracker, caplog):
    tracker.takes_no_files = True
    delivery = begun(tmp_path)
    delivery.add_file(1, "text", "note", lambda folder: (folder / "n").write_text("hi") and "n")
    add(delivery, [1, 2])
    assert delivery.close("success") > 0
    assert tracker.column("loss") == numbers([1, 2])
    assert "sending files failed and the run goes on" in caplog.text
    tracker.takes_no_files = False
    assert begun(tmp_path).close("success") == 0
    assert tracker.files == [(1, "text/note", b"hi")]


def test_a_folder_that_is_kept_outlives_its_original(tmp_path, tracker):
    original = tmp_path / "epoch=1.ckpt"
    original.mkdir()
    (original / "run.json").write_text("{}")
    delivery = begun(tmp_path / "run")
    kept = delivery.keep(original)
    (original / "run.json").unlink()
    assert kept.name == "epoch=1.ckpt"
    assert (kept / "run.json").read_text() == "{}"
    delivery.close("success")


def test_a_file_that_is_gone_is_told_and_left_out(tmp_path, tracker, caplog):
    tracker.is_away = True
    delivery = begun(tmp_path)
    delivery.add_file(1, "text", "note", lambda folder: (folder / "n").write_text("hi") and "n")
    delivery.close("success")
    next((tmp_path / "files").glob("*/n")).unlink()
    tracker.is_away = False
    assert begun(tmp_path).close("success") == 0
    assert "n is gone" in caplog.text


def test_a_disk_that_refuses_ends_nothing(tmp_path, tracker, caplog):
    (tmp_path / "file").write_text("")
    delivery = begun(tmp_path / "file" / "run")
    add(delivery, [1])
    delivery.add_file(1, "text", "note", lambda folder: "n")
    delivery.close("success")
    assert "writing" in caplog.text
    assert "text note failed" in caplog.text
