"""Launchers of several machines meet, agree and miss each other; all of them on loopback here."""

import json
import os
import subprocess
import sys
import threading

import pytest
from helpers.paths import ROOT

from lightning_tf.cli.launcher import free_ports
from lightning_tf.cli.nodes import Nodes
from lightning_tf.cli.worker_group import Outcome
from lightning_tf.exceptions import ConfigurationError


def coordinator():
    return f"127.0.0.1:{free_ports(1)[0]}"


def meetings(codes, max_restarts=1, workers=(2, 2), **options):
    """Let a launcher for each list of exit codes meet after the attempts that ended so."""
    where, results = coordinator(), [None] * len(codes)

    def act(rank):
        nodes, seen = Nodes(len(codes), rank, where, **options), []
        results[rank] = seen
        try:
            with nodes.open(threading.Event(), max_restarts):
                for code in (0, *codes[rank]):
                    outcome = Outcome(code, rank if code else None)
                    seen.append(nodes.meet(outcome, workers[rank]))
        except ConfigurationError as error:
            seen.append(error)

    threads = [threading.Thread(target=act, args=(rank,)) for rank in range(len(codes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_all_machines_start_again_where_one_lost_a_worker():
    one, other = meetings([[143, 0], [137, 0]])
    assert one == other
    assert [(m.attempt, m.again, m.code) for m in one] == [
        (0, True, 0),
        (1, True, 0),
        (1, False, 0),
    ]
    assert one[0].hosts == ("127.0.0.1", "127.0.0.1")


def test_an_error_of_the_program_on_one_machine_ends_all():
    one, other = meetings([[143], [1]], max_restarts=5)
    assert one == other
    assert (one[-1].again, one[-1].code) == (False, 1)


def test_restarts_of_all_machines_are_counted_once():
    one, other = meetings([[143, 143], [143, 143]], max_restarts=1)
    assert one == other
    assert (one[-1].again, one[-1].code) == (False, 143)


def test_launchers_of_other_options_are_refused_by_name():
    one, other = meetings([[], []], workers=(2, 3))
    assert str(one[0]) == str(other[0])
    assert "started with --workers 3 and node 0 with 2" in str(one[0])


def test_a_machine_that_does_not_come_ends_the_wait_with_try_again(capfd):
    for rank in (0, 1):
        nodes = Nodes(2, rank, coordinator(), seconds=0.6)
        with nodes.open(threading.Event(), 0):
            meeting = nodes.meet(Outcome(), 1)
        assert (meeting.again, meeting.code) == (False, 143)
    said = capfd.readouterr().err
    assert "nodes [1] did not come within 0.6 s" in said
    assert "did not answer within 0.6 s" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 2, "a:1"), "ranks count from 0"),
        ((2, 0, None), "needs --coordinator"),
        ((2, 0, "a"), "give HOST:PORT"),
    ],
)
def test_what_cannot_be_a_machine_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Nodes(*arguments)


def test_two_launchers_make_one_cluster_and_restart_together(tmp_path):
    """Two machines with two workers each; the last of them is killed in the first attempt."""
    program = (
        "import json, os, signal, sys\n"
        'config, r = json.loads(os.environ["TF_CONFIG"]), os.environ["LIGHTNING_TF_RESTART"]\n'
        "print(json.dumps([config, r]), flush=True)\n"
        'if r == "0":\n'
        '    sys.exit(143) if config["task"]["index"] < 3 else os.kill(os.getpid(), signal.SIGKILL)'
    )
    where = coordinator()
    processes = [
        subprocess.Popen(
            [
                *[sys.executable, "-m", "lightning_tf", "launch", "--workers", "2", "--nodes", "2"],
                *["--node-rank", str(rank), "--coordinator", where, "--max-restarts", "1"],
                *["--log-dir", str(tmp_path / f"node_{rank}"), "--", sys.executable, "-c", program],
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for rank in range(2)
    ]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    lines = [json.loads(line[4:]) for text in printed for line in text.splitlines()]
    assert len(lines) == 8
    port = int(where.split(":")[1])
    addresses = [f"127.0.0.1:{port + 1 + index}" for index in range(4)]
    assert all(config["cluster"]["worker"] == addresses for config, _ in lines)
    for restart in "01":
        indices = [config["task"]["index"] for config, r in lines if r == restart]
        assert sorted(indices) == [0, 1, 2, 3]
