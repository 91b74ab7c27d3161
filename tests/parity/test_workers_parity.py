"""The pair of several workers: Keras fit fails there, the Trainer ends as one process does."""

import pytest
from helpers.on_workers import run
from parity.traps import apart, keras_trap
from parity.worker_traps import by_trainer

pytestmark = pytest.mark.distributed


@keras_trap("fit cannot convert a PerReplica value (keras#20585)")
def test_keras_fits_on_two_workers(tmp_path):
    run("parity.worker_traps:by_keras", tmp_path)


def test_lightning_tf_fits_on_two_workers(tmp_path):
    found, _ = run("parity.worker_traps:by_trainer", tmp_path)
    alone = by_trainer(tmp_path)
    assert max(apart(alone, worker) for worker in found) < 1e-5
