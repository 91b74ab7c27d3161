"""Free memory is what the machine has, or what a container leaves of it."""

import pytest

from lightning_tf.data import free_memory as module
from lightning_tf.data.free_memory import GROUPS, free_memory

MACHINE = "MemTotal:  100000 kB\nMemFree:  1000 kB\nMemAvailable:  50000 kB\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Writes what the system tells of itself; returns the folders of both kinds of groups."""
    (tmp_path / "meminfo").write_text(MACHINE)
    monkeypatch.setattr(module, "MEMORY_INFO", tmp_path / "meminfo")
    groups = [(tmp_path / str(place), *names) for place, (_, *names) in enumerate(GROUPS)]
    monkeypatch.setattr(module, "GROUPS", groups)
    return groups


def test_without_a_container_it_is_what_the_machine_can_give(machine):
    assert free_memory() == 50_000 * 1024


@pytest.mark.parametrize("kind", [0, 1])
def test_a_container_leaves_its_limit_without_what_is_used_but_for_files(machine, kind):
    folder, limit, used, cached = machine[kind]
    folder.mkdir()
    (folder / limit).write_text("9000000\n")
    (folder / used).write_text("7000000\n")
    (folder / "memory.stat").write_text(f"anon 1\n{cached} 500000\n")
    assert free_memory() == 2_500_000
    (folder / used).write_text("9900000\n")
    assert free_memory() == 0
    (folder / limit).write_text("max\n")
    assert free_memory() == 50_000 * 1024


def test_a_system_that_does_not_say_is_asked_for_nothing(machine, tmp_path):
    (tmp_path / "meminfo").unlink()
    assert free_memory() is None
