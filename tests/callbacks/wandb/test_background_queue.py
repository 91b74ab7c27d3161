import threading
import time

from lightning_tf.callbacks.wandb import background_queue
from lightning_tf.callbacks.wandb.background_queue import BackgroundQueue


def test_jobs_are_done_in_order_while_the_caller_goes_on():
    done, gate = [], threading.Event()
    jobs = BackgroundQueue("test")
    jobs.put(gate.wait)
    for number in range(100):
        jobs.put(lambda number=number: done.append(number))
    assert done == []
    assert not jobs.wait(0.01)
    gate.set()
    assert jobs.end(5.0)
    assert done == list(range(100))


def test_a_job_that_hangs_costs_no_more_than_the_time_that_is_given():
    gate, done = threading.Event(), []
    jobs = BackgroundQueue("test")
    jobs.put(gate.wait)
    jobs.put(lambda: done.append("late"))
    began = time.monotonic()
    assert not jobs.end(0.1)
    assert time.monotonic() - began < 2.0
    gate.set()
    assert not jobs.put(lambda: done.append("later"))
    time.sleep(0.05)
    assert done == []


def test_too_many_jobs_are_refused():
    gate = threading.Event()
    jobs = BackgroundQueue("test", most_waiting=2)
    jobs.put(gate.wait)
    time.sleep(0.05)  # the thread has taken that one
    assert [jobs.put(int) for _ in range(3)] == [True, True, False]
    gate.set()
    assert jobs.end(5.0)


def test_jobs_that_can_wait_keep_their_order_and_are_done_by_themselves():
    done, last = [], threading.Event()
    jobs = BackgroundQueue("test")
    for number in range(10):
        jobs.put(lambda number=number: done.append(number), can_wait=True)
    jobs.put(last.set, can_wait=True)
    assert last.wait(10.0)
    assert done == list(range(10))
    assert jobs.end(5.0)


def test_a_job_that_cannot_wait_takes_along_those_before_it(monkeypatch):
    monkeypatch.setattr(background_queue, "PAUSE", 3600.0)
    done = []
    jobs = BackgroundQueue("test")
    jobs.put(lambda: done.append(1), can_wait=True)
    jobs.put(lambda: done.append(2))
    jobs.put(lambda: done.append(3), can_wait=True)
    assert jobs.wait(10.0)  # whoever waits wakes the thread, too
    assert done == [1, 2, 3]
    jobs.put(lambda: done.append(4), can_wait=True)
    assert jobs.end(10.0)
    assert done == [1, 2, 3, 4]
