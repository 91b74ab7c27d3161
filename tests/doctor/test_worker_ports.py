"""Workers that reach each other, those that do not, and ports that somebody else has."""

import socket
import threading

import pytest

from lightning_tf.cli.launcher import free_ports
from lightning_tf.doctor.worker_ports import WorkerPorts, parse_workers
from lightning_tf.exceptions import ConfigurationError


def ask_together(addresses, seconds, indices):
    """Return the findings of several workers that ask at the same time."""
    found = {}

    def ask(index):
        found[index] = list(WorkerPorts(addresses, seconds, index).findings())

    threads = [threading.Thread(target=ask, args=(index,)) for index in indices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def addresses(count):
    return [f"127.0.0.1:{port}" for port in free_ports(count)]


def test_workers_that_ask_at_the_same_time_reach_each_other():
    found = ask_together(addresses(3), 20, range(3))
    for findings in found.values():
        assert [each.status for each in findings] == ["ok"] * 3
        assert sum("and has reached this one" in each.text for each in findings) == 2


def test_all_ports_of_one_machine_are_its_own():
    found = list(WorkerPorts(addresses(2), 5).findings())
    assert ["this machine listens" in each.text for each in found] == [True, True]


def test_a_worker_where_nobody_listens_is_told():
    listens, missing = ask_together(addresses(2), 0.3, [0])[0]
    assert listens.status == "ok"
    assert missing.status == "problem"
    assert "not reached (Connection refused)" in missing.text
    assert "run the same command there" in missing.remedy


def test_a_port_that_another_program_has_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = list(WorkerPorts([f"127.0.0.1:{port}", *addresses(1)], 0.3, 0).findings())
        assert found[0].status == "problem"
        assert "another process has this port" in found[0].text


def test_a_server_that_is_no_doctor_is_told():
    def answer(server):
        for _ in range(2):
            connection, _ = server.accept()
            connection.sendall(b"220 mail\n")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as mail:
        thread = threading.Thread(target=answer, args=(mail,), daemon=True)
        thread.start()
        named = [*addresses(1), f"127.0.0.1:{mail.getsockname()[1]}"]
        _, found = WorkerPorts(named, 0.3, 0).findings()
        assert "something else than a doctor" in found.text


def test_a_machine_that_is_none_of_the_workers_is_told():
    found = list(WorkerPorts(["192.0.2.1:2222"], 0.2).findings())  # of no machine: RFC 5737
    assert found[0].status == "problem"
    assert "none of 192.0.2.1:2222" in found[0].text


@pytest.mark.parametrize("text", ["node1", "node1:0", "node1:99999", ",", "a:1,a:1"])
def test_what_is_no_list_of_addresses_is_refused(text):
    with pytest.raises(ConfigurationError, match="--workers"):
        parse_workers(text)
