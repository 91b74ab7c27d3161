"""Images with boxes on several replicas and workers."""

import pytest
from helpers import box_cases
from helpers.on_workers import run
from helpers.replicated import furthest


@pytest.mark.distributed
@pytest.mark.parametrize("name", box_cases.CASES)
def test_two_replicas_end_like_one(tmp_path, name):
    box_cases.write_images(tmp_path)
    in_memory = box_cases.CASES[name]
    one, two = (box_cases.ends(tmp_path, in_memory, devices) for devices in (1, 2))
    what, apart = furthest(one, two)
    assert apart < 1e-5, f"{what} differs by {apart:.1e}"


@pytest.mark.distributed
def test_two_workers_end_like_one_process(tmp_path):
    root = tmp_path / "root"
    box_cases.write_images(root)
    reports, _ = run("helpers.box_cases:fits", tmp_path, str(root))
    for name, in_memory in box_cases.CASES.items():
        one = box_cases.ends(root, in_memory)
        for worker in reports:
            what, apart = furthest(one, worker[name])
            assert apart < 1e-5, f"{name}: {what} differs by {apart:.1e}"
