import os

import pytest

from lightning_tf.callbacks.checkpointing.checkpoint_directory import CheckpointDirectory


@pytest.fixture
def folder(tmp_path):
    return CheckpointDirectory(str(tmp_path / "here"))


def write(path, content="x"):
    os.makedirs(path)
    with open(os.path.join(path, "file"), "w") as file:
        file.write(content)
    return path


def content(path):
    with open(os.path.join(path, "file")) as file:
        return file.read()


def test_a_taken_name_gets_a_version(folder):
    first = write(folder.free_path("a"))
    second = write(folder.free_path("a"))
    assert [os.path.basename(path) for path in (first, second)] == ["a.ckpt", "a-v1.ckpt"]
    assert folder.free_path("a").endswith("a-v2.ckpt")
    assert folder.free_path("a", reusable={second}) == second


def test_without_versions_a_taken_name_is_given_again(folder):
    path = write(folder.free_path("a"))
    assert CheckpointDirectory(folder.path, versioned=False).free_path("a") == path


def test_a_claimed_name_is_taken_until_it_is_released(folder):
    other = CheckpointDirectory(folder.path)
    first, second = folder.claim_path("a"), other.claim_path("a")
    assert [os.path.basename(path) for path in (first, second)] == ["a.ckpt", "a-v1.ckpt"]
    assert other.claim_path("a", reusable={first}).endswith("a-v2.ckpt")
    folder.release(first)
    assert folder.free_path("a") == first
    other.release(second, other.path + "/a-v2.ckpt")


def test_what_somebody_holds_is_not_removed(folder):
    path = write(folder.free_path("a"))
    folder.remove(path, is_held=lambda held: held == path)
    assert content(path) == "x"


def test_a_dangling_link_is_taken(folder):
    os.makedirs(folder.path)
    os.symlink("nowhere", folder.free_path("a"))
    assert folder.free_path("a").endswith("a-v1.ckpt")


def test_nothing_outside_is_removed(folder, tmp_path):
    inside = write(folder.free_path("a"))
    outside = write(str(tmp_path / "outside.ckpt"))
    deeper = write(os.path.join(folder.path, "other", "b.ckpt"))
    link = folder.free_path("link")
    os.symlink(outside, link)
    for path in (inside, outside, deeper, link, folder.free_path("missing")):
        folder.remove(path)
    assert not os.path.exists(inside)
    assert content(outside) == content(deeper) == content(link) == "x"


def test_a_link_is_relative_and_moves_on(folder, tmp_path):
    first, second = write(folder.free_path("a"), "first"), write(folder.free_path("b"), "second")
    last = folder.free_path("last")
    folder.link(last, first)
    assert os.readlink(last) == "a.ckpt"
    folder.link(last, second)
    assert content(last) == "second"
    assert content(first) == "first"
    os.rename(folder.path, tmp_path / "moved")
    assert content(tmp_path / "moved" / "last.ckpt") == "second"


def test_a_link_takes_the_place_of_a_directory(folder):
    target, last = write(folder.free_path("a"), "new"), write(folder.free_path("last"), "old")
    folder.link(last, target)
    assert content(last) == "new"
    assert sorted(os.listdir(folder.path)) == ["a.ckpt", "last.ckpt"]


def test_without_links_it_is_a_copy(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("this file system has no links")

    monkeypatch.setattr(os, "symlink", refuse)
    target, last = write(folder.free_path("a"), "new"), folder.free_path("last")
    folder.link(last, target)
    assert not os.path.islink(last)
    assert content(last) == "new"
