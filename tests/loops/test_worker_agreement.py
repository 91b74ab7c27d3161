"""What all workers do next is one thing, whatever each of them would have done."""

import signal

import pytest
from helpers.boring import quiet
from helpers.on_workers import run

from lightning_tf import Trainer
from lightning_tf.exceptions import TerminationRequested
from lightning_tf.loops.worker_agreement import STOP, agreed, check_signals


def test_one_worker_does_what_it_wants():
    trainer = Trainer(**quiet(max_steps=1))
    trainer.signals.receive(signal.SIGTERM)
    assert agreed(trainer, 5, 7.0) == (5, 7.0)
    assert trainer.stop_reason == ""
    assert trainer.progress.seconds == 0.0


def test_one_worker_looks_for_signals_by_itself():
    trainer = Trainer(**quiet(max_steps=1))
    check_signals(trainer)
    trainer.signals.receive(signal.SIGTERM)
    with pytest.raises(TerminationRequested):
        check_signals(trainer)


@pytest.mark.distributed
def test_two_workers_take_the_fewest_batches_the_longest_time_and_any_stop_or_signal(tmp_path):
    workers, _ = run("helpers.worker_cases:agreements", tmp_path)
    assert [worker["count"] for worker in workers] == [3, 3]
    assert [worker["seconds"] for worker in workers] == [20.5, 20.5]
    assert [worker["no stop"] for worker in workers] == ["", ""]
    assert [worker["stop"] for worker in workers] == [STOP, "worker 1 has seen enough"]
    assert [worker["alone"] for worker in workers] == ["passed over", "passed over"]
    assert [worker["signal"] for worker in workers] == ["ended with 143", "ended with 143"]
