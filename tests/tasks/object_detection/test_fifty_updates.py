"""Fifty updates of a detector end alike on devices, on workers and by accumulation."""

from functools import cache

import pytest
from helpers.on_workers import run
from helpers.replicated import furthest_by_norm, outcome
from helpers.worker_cases import DETECTION, DETECTORS, FIFTY_UPDATES, of_rectangles

pytestmark = pytest.mark.distributed

TOLERANCE = 1e-5


@cache
def of_one_device(name):
    make_task, arguments = DETECTION[name]
    return outcome(make_task, 1, **arguments)


def assert_equal(name, other):
    what, apart = furthest_by_norm(of_one_device(name), other)
    print(f"{name}: {what} differs by {apart:.1e}")
    assert apart < TOLERANCE, f"{name}: {what} differs by {apart:.1e}"


@pytest.mark.parametrize("devices", [2, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", DETECTION)
def test_fifty_updates_are_the_same_on_devices(name, devices):
    make_task, arguments = DETECTION[name]
    assert_equal(name, outcome(make_task, devices, **arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTION)
def test_fifty_updates_are_the_same_by_accumulation(name):
    def make():
        return of_rectangles(batch_size=4, **DETECTORS[name])

    assert_equal(name, outcome(make, 1, **FIFTY_UPDATES, accumulate_grad_batches=2))


@pytest.mark.slow
def test_fifty_updates_are_the_same_on_two_workers(tmp_path):
    outcomes, _ = run("helpers.worker_cases:outcomes", tmp_path, "detection", 1, timeout=900)
    assert len(outcomes) == 2
    for found in outcomes:
        for name in DETECTION:
            assert_equal(name, found[name])
