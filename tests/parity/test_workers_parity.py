"""A pair of tests on two workers: Keras' fit fails, the Trainer equals one process."""

import pytest
from helpers.on_workers import run
from parity.traps import keras_trap, largest_difference
from parity.worker_traps import by_trainer

pytestmark = pytest.mark.distributed


@keras_trap("fit cannot convert a PerReplica value (keras#20585)")
def test_keras_fits_on_two_workers(tmp_path):
    run("parity.worker_traps:by_keras", tmp_path)


def test_lightning_tf_fits_on_two_workers(tmp_path):
    workers, _ = run("parity.worker_traps:by_trainer", tmp_path)
    alone = by_trainer(tmp_path)
    assert max(largest_difference(alone, worker) for worker in workers) < 1e-5
