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
    monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "cgroup")
    groups = {kind: (tmp_path / f"groups{kind}", *names) for kind, (_, *names) in GROUPS.items()}
    monkeypatch.setattr(module, "GROUPS", groups)
    return groups


def test_without_a_container_it_is_what_the_machine_can_give(machine):
    assert free_memory() == 50_000 * 1024


@pytest.mark.parametrize("own", ["", "slurm/job_7", "slurm/job_7/step_0/task_0"])
@pytest.mark.parametrize("kind", ["", "memory"])
def test_a_group_leaves_its_limit_without_what_is_used_but_for_files(machine, tmp_path, kind, own):
    """That of a container is the root that it sees; a scheduler's lies around that of a process."""
    number = "4:cpu,memory" if kind else "0:"
    (tmp_path / "cgroup").write_text(f"1:name=systemd:/\n{number}:/{own}\n")
    base, limit, used, cached = machine[kind]
    folder = base / "slurm/job_7" if own else base
    folder.mkdir(parents=True)
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
