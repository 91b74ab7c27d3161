"""Launchers of several machines meet, agree and miss each other; all of them on loopback here."""

import json
import os
import socket
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


def test_where_one_machine_is_refused_those_that_came_before_are_told():
    nodes = Nodes(3, 0, coordinator())
    own = {"nodes": 3, "workers": 2, "max_restarts": 0, "code": 0}
    told = [{**own, "rank": 1}, {**own, "rank": 2, "workers": 3}]
    with nodes.open(threading.Event(), 0):
        connections = [socket.create_connection(nodes._address, 10) for _ in told]
        for connection, message in zip(connections, told, strict=True):
            connection.sendall(json.dumps(message).encode() + b"\n")
        with pytest.raises(ConfigurationError, match="node 2 was started with --workers 3"):
            nodes.meet(Outcome(), 2)
    for connection in connections:
        with connection, connection.makefile() as reply:
            assert "node 2 was started with --workers 3" in json.loads(reply.readline())["problem"]


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


def launched_nodes(where, program, logs, workers):
    """Let two launchers run a program, and return their codes and what they wrote."""
    processes = [
        subprocess.Popen(
            [
                *[sys.executable, "-m", "lightning_tf", "launch", "--workers", str(workers)],
                *["--nodes", "2", "--node-rank", str(rank), "--coordinator", where],
                *["--max-restarts", "1", "--log-dir", str(logs / f"node_{rank}")],
                *["--", sys.executable, "-c", program],
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for rank in range(2)
    ]
    printed = [process.communicate(timeout=60) for process in processes]
    codes = [process.returncode for process in processes]
    return codes, [out for out, _ in printed], [err for _, err in printed]


def test_a_machine_that_lost_workers_ends_with_the_error_of_another(tmp_path):
    program = (
        "import json, os, sys\n"
        'sys.exit([1, 143][json.loads(os.environ["TF_CONFIG"])["task"]["index"]])'
    )
    codes, _, said = launched_nodes(coordinator(), program, tmp_path, workers=1)
    assert codes == [1, 1]
    assert "worker 1 ended with exit code 143" in said[1]
    assert "no restart is left" not in "".join(said)


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
    codes, printed, _ = launched_nodes(where, program, tmp_path, workers=2)
    assert codes == [0, 0]
    lines = [json.loads(line[4:]) for text in printed for line in text.splitlines()]
    assert len(lines) == 8
    port = int(where.split(":")[1])
    addresses = [f"127.0.0.1:{port + 1 + index}" for index in range(4)]
    assert all(config["cluster"]["worker"] == addresses for config, _ in lines)
    for restart in "01":
        indices = [config["task"]["index"] for config, r in lines if r == restart]
        assert sorted(indices) == [0, 1, 2, 3]
