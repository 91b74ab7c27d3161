import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightning_tf.checkpoint.atomic_directory import (
    AtomicDirectory,
    final_name,
    hidden_path,
    is_written_elsewhere,
    locate,
    sweep,
)


def make(path, text="new"):
    with AtomicDirectory(path) as beside:
        (beside / "file").write_text(text)


def owner():
    """A mark of this process."""
    return hidden_path(Path("a"), "part").name.removeprefix(".a.").removesuffix(".part")


OWNER = """
from pathlib import Path
from lightning_tf.checkpoint.atomic_directory import hidden_path
print(hidden_path(Path("a"), "part").name[3:-5], flush=True)
"""


def dead_owner():
    """The mark of a process that has ended."""
    done = subprocess.run([sys.executable, "-c", OWNER], capture_output=True, text=True, check=True)
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
    host, pid, nonce = owner().split("~")
    names = [f".a.{owner()}.part", f".a.elsewhere~{pid}~{nonce}.part", f".a.{host}~1~{nonce}.part"]
    for name in (*names, ".hidden", "other.part"):
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, ".hidden", "other.part"])


def test_a_process_of_the_same_number_as_this_one_may_have_been_another(tmp_path):
    host, pid, _ = owner().split("~")
    (tmp_path / f".a.{host}~{pid}~0000abcd.part").mkdir()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_nothing_to_sweep(tmp_path):
    sweep(tmp_path / "missing")
    assert locate(tmp_path / "missing" / "a") == tmp_path / "missing" / "a"


def test_no_two_writers_of_a_process_share_a_name_beside(tmp_path):
    names = {hidden_path(tmp_path / "a", kind) for kind in ("part", "old") for _ in range(50)}
    assert len(names) == 100
    assert {final_name(name.name) for name in names} == {"", "a"}


def test_many_writers_of_one_name_leave_one_whole(tmp_path):
    def write(number):
        with AtomicDirectory(tmp_path / "a") as beside:
            for file in "bcd":
                (beside / file).write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert os.listdir(tmp_path) == ["a"]
    assert sorted(os.listdir(tmp_path / "a")) == ["b", "c", "d"]
    assert len({(tmp_path / "a" / file).read_text() for file in "bcd"}) == 1


LIVES = """
from pathlib import Path
import sys
from lightning_tf.checkpoint.atomic_directory import AtomicDirectory
with AtomicDirectory(Path(sys.argv[1])) as beside:
    print("writing", flush=True)
    input()
    (beside / "file").write_text("theirs")
"""


def test_what_another_living_process_writes_stays_and_its_name_counts_as_taken(tmp_path):
    command = [sys.executable, "-c", LIVES, str(tmp_path / "a")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "writing\n"
        sweep(tmp_path)
        assert is_written_elsewhere(tmp_path / "a")
        make(tmp_path / "a", "ours")
        other.communicate("\n")
    assert other.returncode == 0
    assert (tmp_path / "a" / "file").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["a"]
    assert not is_written_elsewhere(tmp_path / "a")
