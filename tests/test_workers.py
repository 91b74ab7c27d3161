"""Two processes on loopback: the same weights, metrics and predictions as one."""

import numpy as np
import pytest
from on_workers import run
from replicated import furthest, outcome
from worker_cases import MORE, QUICK

from lightning_tf.optimizers import INITIAL_LOSS_SCALE


def assert_equal_to_one_process(found, cases):
    for name, (make_task, arguments) in cases.items():
        one = outcome(make_task, 1, **arguments)
        for index, worker in enumerate(found):
            what, apart = furthest(one, worker[name])
            assert apart < 1e-5, f"{name}: {what} differs by {apart:.1e} on worker {index}"


def test_two_workers_end_like_one_process(tmp_path):
    found, _ = run("worker_cases:outcomes", tmp_path, "quick", 1)
    assert len(found) == 2
    assert_equal_to_one_process(found, QUICK)


@pytest.mark.distributed
@pytest.mark.parametrize(("workers", "devices"), [(2, 2), (3, 1)])
def test_more_workers_and_devices_end_like_one_process(tmp_path, workers, devices):
    options = {"workers": workers, "logical_cpus": devices, "timeout": 400}
    found, _ = run("worker_cases:outcomes", tmp_path, "more", devices, **options)
    assert len(found) == workers
    assert_equal_to_one_process(found, MORE)


@pytest.mark.distributed
def test_infinity_on_either_worker_skips_the_update_on_both(tmp_path):
    found, _ = run("worker_cases:overflows", tmp_path)
    expected = (INITIAL_LOSS_SCALE / 2, -1.0 - 2.0, [(1, 0.0), (2, 1.0), (3, 1.0)])
    assert found == [[expected, expected]] * 2


@pytest.mark.distributed
def test_evaluation_is_exact_and_every_worker_gets_all_predictions_in_order(tmp_path):
    numbers = [1, 2, 3, 4, 5, 6, 8]
    found, _ = run("worker_cases:evaluation", tmp_path)
    for loss, lengths, twice, names in found:
        assert loss == pytest.approx(np.mean(numbers), rel=1e-6)
        assert lengths == [4, 3]
        assert twice == [2.0 * number for number in numbers]
        assert names == [str(number).encode() for number in numbers]
