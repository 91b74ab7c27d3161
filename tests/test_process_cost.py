"""What a process costs, its children's part included, whatever the size of who measures."""

import sys

import pytest

from benchmarks.process_cost import measure_process

BURN = """
import time
block = b"x" * (300 << 20)
while time.process_time() < 1:
    pass
"""
IN_A_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
print("accuracy 0.5")
"""


def cost_of(folder, program, *arguments):
    return measure_process([sys.executable, "-c", program, *arguments], folder)


def check_burnt(cost):
    assert 1.0 <= cost.cpu < 2.0
    assert cost.wall > 0.9 * cost.cpu  # of one thread
    assert 300 << 20 < cost.peak < 350 << 20


def test_a_process_that_burns_a_second_and_fills_300_mib_is_measured_so(tmp_path):
    check_burnt(cost_of(tmp_path, BURN))


def test_what_its_children_take_counts(tmp_path):
    cost = cost_of(tmp_path, IN_A_CHILD, BURN)
    check_burnt(cost)
    assert cost.output.strip() == "accuracy 0.5"


def test_the_memory_of_who_measures_does_not_count(tmp_path):
    block = b"x" * (100 << 20)
    cost = cost_of(tmp_path, "print('small')")
    assert cost.peak < 50 << 20 < len(block)
    assert cost.cpu < 0.5


def test_the_error_of_one_that_fails_is_told(tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with code 1:\n.*no such net"):
        cost_of(tmp_path, "raise SystemExit('no such net')")
