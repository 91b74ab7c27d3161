"""Cluster: which processes a run on several workers has, as the environment tells."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightning_tf.exceptions import ConfigurationError

FIRST_SLURM_PORT, SLURM_PORTS = 20_000, 10_000  # below those that systems give out by themselves
SLURM_COUNTS = re.compile(r"(\d+)(?:\(x(\d+)\))?")
SLURM_NAMES = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")


@dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        addresses: ``host:port`` of each worker; the first one is the chief.
        index: Which of them this process is.

    Example:
        >>> Cluster(("127.0.0.1:1234", "127.0.0.1:1235"), 0).is_first_on_host
        True
    """

    addresses: tuple[str, ...]
    index: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Cluster | None:
        """The cluster that ``TF_CONFIG`` or SLURM tells of; None where there is one worker.

        ``TF_CONFIG`` goes before SLURM. A batch script that is not run by srun is no worker.

        Args:
            environment: Such as ``os.environ``, which it is where None.

        Raises:
            ConfigurationError: What is there makes no sense.
        """
        given = os.environ if environment is None else environment
        found = (
            _from_tf_config(given["TF_CONFIG"]) if given.get("TF_CONFIG") else _from_slurm(given)
        )
        return None if found is None or len(found.addresses) < 2 else found

    @property
    def address(self) -> str:
        """This worker's own."""
        return self.addresses[self.index]

    @property
    def is_first_on_host(self) -> bool:
        """Whether no worker of a smaller index runs on the same machine."""
        hosts = [_host(address) for address in self.addresses]
        return hosts.index(hosts[self.index]) == self.index

    def tf_config(self) -> str:
        """The cluster as ``TF_CONFIG`` has it."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def _host(address: str) -> str:
    return address.rsplit(":", 1)[0]


def _from_tf_config(text: str) -> Cluster | None:
    try:
        config = json.loads(text)
        jobs: dict[str, list[str]] = config.get("cluster", {})
        if not jobs:
            return None
        kind, index = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"TF_CONFIG={text!r} is not what TensorFlow writes ({error!r}); give "
            f"{Cluster(('host:port', 'host:port'), 0).tf_config()}."
        ) from error
    known = {"chief", "master", "worker"}
    if set(jobs) - known or kind not in known:
        strange = sorted({*jobs, kind} - known)
        raise ConfigurationError(
            f"TF_CONFIG names {', '.join(strange)}; the Trainer knows chief and worker: give every "
            "process one of these."
        )
    order = [
        (job, i) for job in ("chief", "master", "worker") for i in range(len(jobs.get(job, ())))
    ]
    if (kind, index) not in order:
        raise ConfigurationError(
            f"TF_CONFIG says that this is {kind} {index}, but its cluster holds "
            f"{len(jobs.get(kind, ()))} of that kind."
        )
    return Cluster(tuple(str(jobs[job][i]) for job, i in order), order.index((kind, index)))


def _from_slurm(environment: Mapping[str, str]) -> Cluster | None:
    """Read by hand.

    TensorFlow's resolver fails where there is no GPU, and sorts hosts by name ("n10" before "n2"),
    which gives a task the address of another one.
    """
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) < 2:
        return None
    names = (
        "SLURM_PROCID",
        "SLURM_JOB_ID",
        "SLURM_STEP_ID",
        "SLURM_STEP_NODELIST",
        "SLURM_STEP_TASKS_PER_NODE",
    )
    missing = [name for name in names if name not in environment]
    if missing:
        raise ConfigurationError(
            f"SLURM runs {environment['SLURM_STEP_NUM_TASKS']} tasks but {missing[0]} is not set; "
            "start the script with srun, or set TF_CONFIG."
        )
    rank, job, step = (int(environment[name]) for name in names[:3])
    hosts, counts = (list(_hosts(environment[names[3]])), list(_counts(environment[names[4]])))
    # One port for each task of a host; another job or step on it gets others.
    base = FIRST_SLURM_PORT + (job * 101 + step * 13) % SLURM_PORTS
    tasks = [f"{h}:{base + i}" for h, n in zip(hosts, counts, strict=True) for i in range(n)]
    own = environment.get("SLURMD_NODENAME")
    if own is not None and own != _host(tasks[rank]):
        raise ConfigurationError(
            f"SLURM's task {rank} runs on {own}, where {_host(tasks[rank])} was expected; give "
            "srun --distribution=block, which fills one host after the other."
        )
    return Cluster(tuple(tasks), rank)


def _hosts(text: str) -> Iterator[str]:
    """``n[1-2,07],m`` as n1, n2, n07, m."""
    for part in SLURM_NAMES.findall(text):
        head, bracket, rest = part.partition("[")
        if not bracket:
            yield head
            continue
        numbers, _, tail = rest.partition("]")
        for span in numbers.split(","):
            first, _, last = span.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield from _hosts(f"{head}{number:0{len(first)}d}{tail}")


def _counts(text: str) -> Iterator[int]:
    """``2(x3),1`` as 2, 2, 2, 1."""
    for count, times in SLURM_COUNTS.findall(text):
        yield from [int(count)] * int(times or 1)


def cluster_of(strategy: Any) -> Cluster | None:
    """The cluster of a strategy that somebody made; None where one process drives all devices.

    Args:
        strategy: A tf.distribute.Strategy.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not strategy.extended._in_multi_worker_mode():
        return None
    spec = resolver.cluster_spec().as_dict()
    task = {"type": resolver.task_type, "index": resolver.task_id}
    found = _from_tf_config(json.dumps({"cluster": spec, "task": task}))
    return None if found is None or len(found.addresses) < 2 else found
