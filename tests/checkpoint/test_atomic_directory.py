import os
import subprocess
import sys

import pytest

from lightning_tf.checkpoint.atomic_directory import (
    OWNER,
    AtomicDirectory,
    final_name,
    locate,
    sweep,
)


def make(path, text="new"):
    with AtomicDirectory(path) as beside:
        (beside / "file").write_text(text)


def dead_owner():
    """The mark of a process that has ended."""
    code = "from lightning_tf.checkpoint.atomic_directory import OWNER; print(OWNER)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def test_it_stands_under_its_name_only_after_the_block(tmp_path):
    with AtomicDirectory(tmp_path / "deep" / "a") as beside:
        (beside / "file").write_text("new")
        assert not (tmp_path / "deep" / "a").exists()
    assert (tmp_path / "deep" / "a" / "file").read_text() == "new"
    assert os.listdir(tmp_path / "deep") == ["a"]


def test_what_stood_there_is_replaced_as_a_whole(tmp_path):
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "other").write_text("old")
    make(tmp_path / "a")
    assert os.listdir(tmp_path / "a") == ["file"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_block_that_fails_leaves_the_old_one_and_nothing_beside(tmp_path):
    make(tmp_path / "a", "old")

    def fail():
        with AtomicDirectory(tmp_path / "a") as beside:
            (beside / "file").write_text("new")
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fail()
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_in_the_way_is_replaced_and_its_target_stays(tmp_path):
    make(tmp_path / "target", "old")
    (tmp_path / "a").symlink_to("target")
    make(tmp_path / "a")
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "target" / "file").read_text() == "old"


def test_what_a_killed_process_moved_away_still_stands_and_comes_back(tmp_path):
    old = tmp_path / f".a.{dead_owner()}.old"
    make(old, "old")
    assert locate(tmp_path / "a") == old
    assert final_name(old.name) == "a"
    sweep(tmp_path)
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_process_left_half_done_is_swept(tmp_path):
    owner = dead_owner()
    make(tmp_path / "a", "whole")
    make(tmp_path / f".a.{owner}.old", "old")
    (tmp_path / f".b.{owner}.part").mkdir()
    (tmp_path / f".c.{owner}.part").symlink_to("a")
    sweep(tmp_path)
    assert os.listdir(tmp_path) == ["a"]
    assert final_name(f".b.{owner}.part") == ""


def test_what_a_living_process_or_another_machine_makes_is_not_touched(tmp_path):
    host, pid, nonce = OWNER.split("~")
    names = [f".a.{OWNER}.part", f".a.elsewhere~{pid}~{nonce}.part", f".a.{host}~1~{nonce}.part"]
    for name in (*names, ".hidden", "other.part"):
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, ".hidden", "other.part"])


def test_a_process_of_the_same_number_as_this_one_may_have_been_another(tmp_path):
    host, pid, _ = OWNER.split("~")
    (tmp_path / f".a.{host}~{pid}~0000abcd.part").mkdir()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_nothing_to_sweep(tmp_path):
    sweep(tmp_path / "missing")
    assert locate(tmp_path / "missing" / "a") == tmp_path / "missing" / "a"
