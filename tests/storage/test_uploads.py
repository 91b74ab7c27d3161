import logging
import shutil
import threading
import time
from pathlib import Path

import fsspec
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage import uploads
from lightning_tf.storage.location import local_path
from lightning_tf.storage.uploads import TIMEOUT, Uploads

URL = "memory://bucket/run"


def add_checkpoint(folder, name, content="one"):
    path = Path(folder) / f".{name}"
    path.mkdir(parents=True)
    (path / "state.safetensors").write_text(content)
    (path / "run.json").write_text(f'"{name} {content}"')
    path.rename(Path(folder) / name)
    return Path(folder) / name


def stored(kind="memory"):
    system = fsspec.filesystem(kind)
    return {path.removeprefix("/bucket/run/") for path in system.find("/bucket/run")}


def whole(kind="memory"):
    return {n.split("/")[0] for n in stored(kind) if n.endswith("COMPLETE.json")}


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_checkpoints_are_sent_while_the_session_lasts_and_files_at_its_end():
    here, sender = local_path("x", URL), Uploads()
    with sender.session():
        sender.open(here)
        Path(here, "metrics.csv").write_text("step\n")
        Path(here, ".hidden.part").write_text("half")
        add_checkpoint(here, "a.ckpt")
        sender.written()
        wait_for(lambda: whole() == {"a.ckpt"})
        Path(here, "metrics.csv").write_text("step\n1\n")
    assert fsspec.filesystem("memory").cat("/bucket/run/metrics.csv") == b"step\n1\n"
    assert not any("hidden" in name for name in stored())


def test_a_deletion_waits_until_the_next_one_is_sent(switched):
    here, sender = local_path("x", "switched://bucket/run"), Uploads()
    with sender.session():
        sender.open(here)
        first = add_checkpoint(here, "a.ckpt")
        sender.written()
        wait_for(lambda: whole("switched") == {"a.ckpt"})
        seen = []

        def note(self, path, *more, **options):
            seen.append(whole("switched"))
            return fsspec.implementations.memory.MemoryFileSystem.rm(self, path, *more, **options)

        switched.rm = note
        try:
            add_checkpoint(here, "b.ckpt")
            shutil.rmtree(first)
            sender.removed(first)
            wait_for(lambda: whole("switched") == {"b.ckpt"} and seen)
        finally:
            del switched.rm
    assert all("b.ckpt" in there for there in seen)


def test_a_deletion_waits_also_for_a_checkpoint_that_failed_before(switched, monkeypatch):
    monkeypatch.setattr(uploads, "FIRST_WAIT", 0.02)
    here, sender = local_path("x", "switched://bucket/run"), Uploads()
    with sender.session():
        sender.open(here)
        first = add_checkpoint(here, "a.ckpt")
        sender.written()
        wait_for(lambda: whole("switched") == {"a.ckpt"})
        refused = []

        def refuse(self, path, *more, **options):
            if "b.ckpt" in path and len(refused) < 4:
                refused.append(whole("switched"))
                raise PermissionError("not this one")
            return super(switched, self).pipe_file(path, *more, **options)

        monkeypatch.setattr(switched, "pipe_file", refuse)
        add_checkpoint(here, "b.ckpt")
        shutil.rmtree(first)
        sender.removed(first)
        wait_for(lambda: whole("switched") == {"b.ckpt"})
    assert refused == [{"a.ckpt"}] * 4


def test_a_store_that_is_away_is_told_once_and_gets_all_in_the_end(switched, caplog, monkeypatch):
    monkeypatch.setattr(uploads, "FIRST_WAIT", 0.02)
    caplog.set_level(logging.INFO)
    here, sender = local_path("x", "switched://bucket/run"), Uploads()
    with sender.session():
        sender.open(here)
        switched.away = True
        for number in range(3):
            add_checkpoint(here, f"{number}.ckpt")
            sender.written()
            time.sleep(0.1)
        wait_for(lambda: "cannot be written" in caplog.text)
        threading.Timer(0.3, lambda: setattr(switched, "away", False)).start()
    assert whole("switched") == {"0.ckpt", "1.ckpt", "2.ckpt"}
    warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "the store does not answer" in warnings[0]
    assert "the store answers again" in caplog.text


def test_what_was_not_sent_is_named_and_sent_by_the_next_session(switched, caplog, monkeypatch):
    monkeypatch.setattr(uploads, "FIRST_WAIT", 0.02)
    monkeypatch.setenv(TIMEOUT, "0.3")
    here, sender = local_path("x", "switched://bucket/run"), Uploads()
    began = time.monotonic()
    with sender.session():
        sender.open(here)
        switched.away = True
        add_checkpoint(here, "a.ckpt")
    assert time.monotonic() - began < 5
    assert "not uploaded (" in caplog.text
    assert "switched://bucket/run/a.ckpt" in caplog.text

    switched.away = False
    with sender.session():
        sender.open(here)
    assert whole("switched") == {"a.ckpt"}


def test_a_store_that_takes_nothing_is_refused_at_once(switched, monkeypatch):
    monkeypatch.setattr(uploads, "FIRST_WAIT", 0.01)
    switched.away = True
    sender = Uploads()
    with (
        sender.session(),
        pytest.raises(ConfigurationError, match="switched://bucket/run cannot be written"),
    ):
        sender.open(local_path("x", "switched://bucket/run"))


def test_only_the_process_that_sends_touches_the_store(tmp_path):
    sender = Uploads()
    with sender.session(sends=False):
        sender.open(local_path("x", URL))
        add_checkpoint(local_path("x", URL), "a.ckpt")
        sender.written()
    with sender.session():
        sender.open(tmp_path)  # no working copy
    assert stored() == set()


def test_a_timeout_that_is_no_number_is_refused_before_the_run(monkeypatch):
    monkeypatch.setenv(TIMEOUT, "soon")
    began = []
    with pytest.raises(ConfigurationError, match="soon"), Uploads().session():
        began.append(True)
    assert not began
