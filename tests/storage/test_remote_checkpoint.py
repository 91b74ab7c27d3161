import json
import shutil
from pathlib import Path

import fsspec
import pytest

from lightning_tf.exceptions import CheckpointError
from lightning_tf.storage.location import local_path
from lightning_tf.storage.remote_checkpoint import MARKER, RemoteCheckpoint, at_hand, look_up

URL = "memory://bucket/checkpoints"


def written(name="a.ckpt", content="one"):
    folder = Path(local_path("dirpath", URL)) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "state.safetensors").write_bytes(content.encode() * 1000)
    (folder / "run.json").write_text(json.dumps({"content": content}))
    return RemoteCheckpoint(folder)


def names():
    system = fsspec.filesystem("memory")
    return sorted(path.removeprefix("/bucket/checkpoints/") for path in system.find("/bucket"))


def content_of(path):
    return (Path(path) / "state.safetensors").read_bytes()


def test_a_checkpoint_comes_back_on_another_machine(other_machine):
    written().send()
    other_machine()
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"one" * 1000


def test_the_plain_data_of_a_folder_come_first_and_tensors_when_they_are_read(other_machine):
    written().send()
    other_machine()
    folder = Path(local_path("dirpath", URL))
    assert look_up(folder) == []
    assert sorted(p.name for p in (folder / "a.ckpt").iterdir()) == ["run.json"]
    assert RemoteCheckpoint(folder / "a.ckpt").is_sent()
    assert content_of(at_hand(folder / "a.ckpt")) == b"one" * 1000


def test_what_is_replaced_is_whole_until_the_next_one_is(other_machine, monkeypatch):
    written(content="one").send()
    second = written(content="two")

    def fails(self, path, value, **more):
        raise ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(second._system), "pipe_file", fails)
        with pytest.raises(ConnectionError):
            second.send()
    other_machine()
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"one" * 1000

    other_machine("machine_0")
    second.send()
    assert len(names()) == 3  # nothing is left of the first
    other_machine()
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"two" * 1000


def test_half_an_upload_is_never_taken_for_whole(other_machine):
    written().send()
    fsspec.filesystem("memory").rm(f"/bucket/checkpoints/a.ckpt/{MARKER}")
    other_machine()
    [problem] = look_up(local_path("dirpath", URL))
    assert "a.ckpt was not uploaded whole" in problem
    with pytest.raises(CheckpointError, match="not uploaded whole"):
        at_hand(f"{URL}/a.ckpt")


@pytest.mark.parametrize("file", ["run.json", "state.safetensors"])
def test_a_flipped_byte_is_named(other_machine, file):
    written().send()
    system = fsspec.filesystem("memory")
    [path] = [path for path in system.find("/bucket") if path.endswith(file)]
    content = bytearray(system.cat(path))
    content[3] ^= 1
    system.pipe(path, bytes(content))
    other_machine()
    with pytest.raises(CheckpointError, match=f"damaged in the store: {file}"):
        at_hand(f"{URL}/a.ckpt")


def test_a_marker_that_names_files_elsewhere_vouches_for_nothing(other_machine):
    checkpoint = written()
    checkpoint.send()
    system = fsspec.filesystem("memory")
    marker = json.loads(system.cat(f"/bucket/checkpoints/a.ckpt/{MARKER}"))
    marker["files"]["../../x"] = marker["files"]["run.json"]
    system.pipe(f"/bucket/checkpoints/a.ckpt/{MARKER}", json.dumps(marker).encode())
    assert checkpoint.marker() is None


def test_a_checkpoint_that_somebody_copied_there_is_read(other_machine):
    folder = written().local
    fsspec.filesystem("memory").put(str(folder), "/bucket/copied.ckpt", recursive=True)
    other_machine()
    assert content_of(at_hand("memory://bucket/copied.ckpt")) == b"one" * 1000


def test_what_another_machine_has_written_since_counts(other_machine):
    written(content="one").send()
    other_machine()
    at_hand(f"{URL}/a.ckpt")
    written(content="two").send()
    other_machine("machine_0")
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"two" * 1000


def test_what_was_not_sent_yet_counts_where_it_was_written():
    written(content="one").send()
    unsent = written(content="two")
    look_up(unsent.local.parent)
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"two" * 1000
    assert not unsent.is_sent()


def test_removing_takes_all_of_it():
    checkpoint = written()
    checkpoint.send()
    checkpoint.remove()
    assert names() == []
    checkpoint.remove()  # gone already


def test_a_store_that_is_away_is_no_empty_one(switched):
    path = Path(local_path("dirpath", "switched://bucket/checkpoints"))
    switched.away = True
    with pytest.raises(CheckpointError, match=r"cannot be read: .*does not answer"):
        look_up(path)
    with pytest.raises(CheckpointError, match=r"cannot be read: .*does not answer"):
        at_hand("switched://bucket/checkpoints/a.ckpt")


def replaced(monkeypatch, content="two"):
    """Let another machine replace a.ckpt before the first file of this one's reading comes."""
    from lightning_tf.storage import remote_checkpoint

    fetched, here = remote_checkpoint.get, Path(local_path("dirpath", URL))

    def get(system, source, target):
        monkeypatch.setattr(remote_checkpoint, "get", fetched)
        other = here.parent / "other/a.ckpt"
        shutil.copytree(written(content=content).local, other)
        shutil.rmtree(here / "a.ckpt")
        sender = RemoteCheckpoint(here / "a.ckpt")
        sender.local = other
        sender.send()
        return fetched(system, source, target)

    monkeypatch.setattr(remote_checkpoint, "get", get)


def test_what_is_replaced_while_it_is_read_comes_whole(other_machine, monkeypatch):
    written().send()
    other_machine()
    replaced(monkeypatch)
    assert content_of(at_hand(f"{URL}/a.ckpt")) == b"two" * 1000


def test_what_is_replaced_before_its_tensors_were_read_comes_whole(other_machine):
    written().send()
    other_machine()
    folder = Path(local_path("dirpath", URL))
    look_up(folder)
    other_machine("machine_2")
    written(content="two").send()
    other_machine()
    assert content_of(at_hand(folder / "a.ckpt")) == b"two" * 1000
    assert json.loads((folder / "a.ckpt/run.json").read_bytes()) == {"content": "two"}


def test_what_a_link_points_to_stays_where_another_machine_has_replaced_the_link(other_machine):
    first = written("epoch=0.ckpt")
    last = first.local.with_name("last.ckpt")
    last.symlink_to("epoch=0.ckpt")
    RemoteCheckpoint(last).send()

    other_machine()
    written("last.ckpt", content="two").send()
    other_machine("machine_0")
    assert content_of(at_hand(f"{URL}/last.ckpt")) == b"two" * 1000
    assert content_of(first.local) == b"one" * 1000
