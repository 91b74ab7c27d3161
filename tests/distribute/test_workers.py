"""Two processes on loopback: the same weights, metrics and predictions as one; who is lost."""

import os
import re
import socket
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from helpers.on_workers import run
from helpers.replicated import furthest, outcome
from helpers.worker_cases import CASES, DATA, GENERATIVE, MORE, QUICK, with_dropout

from lightning_tf.distribute import workers as workers_room
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import WorkerLostError
from lightning_tf.optimizers.loss_scaler import INITIAL_LOSS_SCALE


@cache
def of_one_process(name):
    make_task, arguments = {**MORE, **GENERATIVE, **DATA}[name]
    return outcome(make_task, 1, **arguments)


def assert_equal_to_one_process(outcomes, cases, tolerance=1e-5):
    for name in cases:
        one = of_one_process(name)
        for index, worker in enumerate(outcomes):
            what, apart = furthest(one, worker[name])
            assert apart < tolerance, f"{name}: {what} differs by {apart:.1e} on worker {index}"


@pytest.mark.distributed
def test_two_workers_end_like_one_process(tmp_path):
    outcomes, _ = run("helpers.worker_cases:outcomes", tmp_path, "quick", 1)
    assert len(outcomes) == 2
    assert_equal_to_one_process(outcomes, QUICK)


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("workers", "devices", "kind"),
    [
        (2, 2, "of workers"),
        pytest.param(2, 2, "more", marks=pytest.mark.slow),
        pytest.param(3, 1, "more", marks=pytest.mark.slow),
    ],
)
def test_more_workers_and_devices_end_like_one_process(tmp_path, workers, devices, kind):
    options = {"workers": workers, "logical_cpus": devices, "timeout": 400}
    outcomes, _ = run("helpers.worker_cases:outcomes", tmp_path, kind, devices, **options)
    assert len(outcomes) == workers
    assert_equal_to_one_process(outcomes, CASES[kind])


@pytest.mark.distributed
def test_generative_tasks_on_two_workers_end_like_one_process(tmp_path):
    outcomes, _ = run("helpers.worker_cases:outcomes", tmp_path, "generative", 1, timeout=400)
    assert len(outcomes) == 2
    painted = {name for name in GENERATIVE if "paint" in name or "style" in name}
    assert_equal_to_one_process(outcomes, set(GENERATIVE) - painted, tolerance=1e-4)
    # Max pooling and relu carry a last bit on; the same as on the replicas of one process.
    assert_equal_to_one_process(outcomes, painted, tolerance=2e-3)


@pytest.mark.distributed
def test_tasks_of_texts_series_and_tables_on_two_workers_end_like_one_process(tmp_path):
    """Found by running: workers cannot exchange rows of an embedding, whose number differs."""
    outcomes, _ = run("helpers.worker_cases:outcomes", tmp_path, "data", 1, timeout=400)
    assert len(outcomes) == 2
    assert_equal_to_one_process(outcomes, DATA)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """By the name of a function, what it gave on each of two workers."""
    names = ("overflows", "evaluation", "exchanges", "written", "with_dropout")
    folder = tmp_path_factory.mktemp("workers")
    workers, _ = run("helpers.worker_cases:several", folder, *names, timeout=300)
    return {name: [worker[name] for worker in workers] for name in names}


@pytest.mark.distributed
def test_infinity_on_either_worker_skips_the_update_on_both(outcomes):
    expected = (INITIAL_LOSS_SCALE / 2, -1.0 - 2.0, [(1, 0.0), (2, 1.0), (3, 1.0)])
    assert outcomes["overflows"] == [[expected, expected]] * 2


@pytest.mark.distributed
def test_evaluation_is_exact_and_every_worker_gets_all_predictions_in_order(outcomes):
    numbers = [1, 2, 3, 4, 5, 6, 8]
    for loss, lengths, twice, names, ragged in outcomes["evaluation"]:
        assert loss == pytest.approx(np.mean(numbers), rel=1e-6)
        assert lengths == [4, 3]
        assert twice == [2.0 * number for number in numbers]
        assert names == [str(number).encode() for number in numbers]
        assert ragged == [[number, number] for number in numbers]


def assert_failures_are_told(one, other):
    """Of this package the same error, of others their name; the first where several fail."""
    assert one[0] == ("DataError", "x.txt is empty")
    assert other[0][:2] == one[0]
    assert re.fullmatch(r"This was found by worker 0 \(127.0.0.1:\d+\).", other[0][2])
    assert other[1] == ("KeyError", "'x'")
    assert one[1][0] == "DataError"
    assert re.fullmatch(r"worker 1 \(127.0.0.1:\d+\) failed: KeyError: 'x'", one[1][1])
    assert one[2] == ("OSError", "0")
    assert re.fullmatch(r"worker 0 \(127.0.0.1:\d+\) failed: OSError: 0", other[2][1])


@pytest.mark.distributed
def test_workers_hear_each_other(outcomes):
    one, other = outcomes["exchanges"]
    assert one.pop("chief")
    assert not other.pop("chief")
    assert one.pop("first on host")
    assert not other.pop("first on host")
    assert [one.pop("part"), other.pop("part")] == [slice(0, 4), slice(4, 7)]
    assert_failures_are_told(one.pop("failed"), other.pop("failed"))
    assert one == other
    assert one["numbers"] == [[0, -(2**40)], [1, -(2**40)]]
    assert one["told"] == {"folder": "of worker 0", "at": [1, None]}
    assert one["bytes"] == [b"", b"\xff" * 1000]
    assert one["rows"] == [[0.0], [1.0], [10.0]]
    assert one["names"] == [b"a", b"bcd", b"bcd"]
    assert one["flags"] == [True, False]
    assert one["nothing"] == (0, 3)
    assert one["values"] == [{"of": 0}, {"of": 1}]
    assert one["whole"] == "own"
    assert one["pieces"] == [bytes(range(100)), bytes(range(101))]
    assert one["long rows"] == np.r_[0.0:40.0, 20.0:40.0].reshape(-1, 2).tolist()
    assert "return one row for each example" in one["scalar"]


@pytest.mark.distributed
def test_the_chief_alone_writes_and_early_stopping_ends_all(outcomes):
    one, other = outcomes["written"]
    files, *end = one
    written = " ".join(files)
    for kind in ("metrics.csv", "events.out", ".ckpt", "predictions.csv", "xplane.pb", "jsonl"):
        assert kind in written, kind
    assert other == ([], *end)
    assert end[0] == 4 * 2  # the first epoch and three without a smaller loss
    assert "val_loss" in end[1]
    assert end[2].startswith("BatchSizeFinder on 2 workers")
    assert end[3] == os.path.join("0", "runs", "version_0")  # of the chief, on both


@pytest.mark.distributed
def test_each_worker_draws_masks_of_its_own(outcomes):
    for worker in outcomes["with_dropout"]:
        what, apart = furthest(with_dropout(devices=2), worker)
        assert apart < 1e-5, what
        assert furthest(with_dropout(devices=1), worker)[1] > 1e-2


def test_one_worker_gets_back_what_it_gives():
    alone, array = Workers(None, None), np.arange(3)
    assert alone.is_chief
    assert alone.is_first_on_host
    assert alone.all_gather([3, 4]).tolist() == [[3, 4]]
    assert alone.broadcast(array) is array
    assert alone.all_gather_bytes(b"abc") == [b"abc"]
    assert alone.all_gather_rows(array) is array
    assert alone.shard(3) == slice(0, 3)
    assert alone.all_gather_object(array) == [array]
    assert alone.unless_one_fails(lambda: array) is array
    alone.barrier()


# ---- who is lost

ABORTED = "Collective ops is aborted by: "


@pytest.fixture
def listening():
    """The address of a worker that answers."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield f"127.0.0.1:{opened.getsockname()[1]}"


@pytest.fixture
def silent():
    """The address of one that does not: the port is taken, and nobody listens."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{opened.getsockname()[1]}"


def first_of(*addresses):
    return Workers(Cluster(("127.0.0.1:1", *addresses), 0), None)


def test_a_peer_that_the_message_names_is_the_lost_one(listening, silent):
    message = ABORTED + "/job:worker/replica:0/task:1 is away, says /job:worker/replica:0/task:0"
    error = tf.errors.UnavailableError(None, None, message)
    explained = first_of(listening, silent).explain(error)
    assert isinstance(explained, WorkerLostError)
    assert str(explained).startswith(f"worker 1 ({listening}) of 3 is gone; worker 0 cannot go on")
    assert "fit(task, ckpt_path='last')" in str(explained)


def test_all_that_are_named_are_lost(listening, silent):
    message = ABORTED + "/job:worker/task:2, /job:worker/replica:0/task:1, /job:worker/task:7"
    explained = first_of(listening, silent).explain(tf.errors.AbortedError(None, None, message))
    assert str(explained).startswith(f"worker 1 ({listening}), worker 2 ({silent}) of 3 is gone")


def test_where_none_is_named_the_one_that_does_not_answer_is_lost(listening, silent):
    error = tf.errors.InternalError(None, None, ABORTED + "connection reset by peer")
    explained = first_of(listening, silent).explain(error)
    assert str(explained).startswith(f"worker 2 ({silent}) of 3 is gone")


def test_where_all_answer_nobody_is_blamed(listening, monkeypatch):
    monkeypatch.setattr(workers_room, "PROBES_SECONDS", 0.0)
    error = tf.errors.UnavailableError(None, None, "the connection was closed")
    explained = first_of(listening).explain(error)
    assert isinstance(explained, WorkerLostError)
    assert str(explained).startswith("another worker of 2 is gone")


def test_an_address_in_brackets_is_asked_without_them(silent):
    port = silent.rsplit(":", 1)[1]
    workers = Workers(Cluster(("127.0.0.1:1", f"[::1]:{port}"), 0), None)
    explained = workers.explain(tf.errors.CancelledError(None, None, "CollectiveReduceV2 ended"))
    assert str(explained).startswith(f"worker 1 ([::1]:{port}) of 2 is gone")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("Collective nouns are hard to spell"), id="of the program"),
        pytest.param(
            tf.errors.InvalidArgumentError(None, None, "Collective of another shape"), id="a shape"
        ),
        pytest.param(tf.errors.InternalError(None, None, "out of workspace"), id="of a device"),
        pytest.param(KeyboardInterrupt(), id="Ctrl-C"),
    ],
)
def test_what_no_loss_of_a_peer_explains_stays_as_it_is(error, silent):
    assert first_of(silent).explain(error) is error


def test_on_one_worker_an_error_is_never_a_lost_peer():
    error = tf.errors.UnavailableError(None, None, ABORTED + "/job:worker/task:1")
    assert Workers(None, None).explain(error) is error
