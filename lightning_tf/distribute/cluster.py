"""Cluster: the processes of a run on several workers, as the environment tells."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightning_tf.exceptions import ConfigurationError

FIRST_SLURM_PORT, SLURM_PORTS = 20_000, 10_000  # below those that systems give out by themselves
WORKERS, SERVICE = "LIGHTNING_TF_WORKERS", "LIGHTNING_TF_SERVICE"  # of an indexed Job's pods
JOBS = ("chief", "master", "worker")  # of TF_CONFIG; every one of them trains
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
        """Read the cluster from ``TF_CONFIG``, Kubernetes or SLURM; None where there is one worker.

        ``TF_CONFIG`` goes before the others. Of a pod of an indexed Job on Kubernetes
        ``LIGHTNING_TF_WORKERS`` and ``LIGHTNING_TF_SERVICE`` tell that its pods train together. A
        batch script of SLURM that is not run by srun is no worker.

        Args:
            environment: Such as ``os.environ``, which it is where None.

        Raises:
            ConfigurationError: The variables are incomplete or contradict each other.
        """
        environment = os.environ if environment is None else environment
        tf_config = environment.get("TF_CONFIG")
        if tf_config:
            return _if_several(_from_tf_config(tf_config))
        return _if_several(_from_indexed_job(environment) or _from_slurm(environment))

    @classmethod
    def from_strategy(cls, strategy: Any) -> Cluster | None:
        """Read the cluster of a strategy that a user made.

        Args:
            strategy: A tf.distribute.Strategy.

        Returns:
            None where one process drives all devices.
        """
        resolver = strategy.cluster_resolver
        from lightning_tf.tensorflow_internals import is_multi_worker  # the launcher needs none

        if not is_multi_worker(strategy):
            return None
        cluster = resolver.cluster_spec().as_dict()
        task = {"type": resolver.task_type, "index": resolver.task_id}
        return _if_several(_from_tf_config(json.dumps({"cluster": cluster, "task": task})))

    @property
    def address(self) -> str:
        """Return the address of this worker."""
        return self.addresses[self.index]

    @property
    def is_first_on_host(self) -> bool:
        """Return whether no worker of a smaller index runs on the same machine."""
        return self.rank_on_host == 0

    @property
    def rank_on_host(self) -> int:
        """Return how many workers of smaller indices run on the same machine."""
        return self._hosts[: self.index].count(self._hosts[self.index])

    @property
    def count_on_host(self) -> int:
        """Return how many workers run on the same machine, this one included."""
        return self._hosts.count(self._hosts[self.index])

    @property
    def _hosts(self) -> list[str]:
        return [_host(address) for address in self.addresses]

    def tf_config(self) -> str:
        """Return the cluster as ``TF_CONFIG`` has it."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def _if_several(cluster: Cluster | None) -> Cluster | None:
    return None if cluster is None or len(cluster.addresses) < 2 else cluster


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

    unknown = sorted({*jobs, kind} - set(JOBS))
    if unknown:
        raise ConfigurationError(
            f"TF_CONFIG names {', '.join(unknown)}; the Trainer knows chief and worker: give every "
            "process one of these."
        )

    # The chief is the first worker, whatever the order in the text.
    tasks = [(job, i) for job in JOBS for i in range(len(jobs.get(job, ())))]
    if (kind, index) not in tasks:
        raise ConfigurationError(
            f"TF_CONFIG says that this is {kind} {index}, but its cluster holds "
            f"{len(jobs.get(kind, ()))} of that kind."
        )
    return Cluster(tuple(str(jobs[job][i]) for job, i in tasks), tasks.index((kind, index)))


def _from_indexed_job(environment: Mapping[str, str]) -> Cluster | None:
    """Read the variables of a pod of an indexed Job, which has a name for each index.

    The index alone says nothing: pods of such a Job may as well work each for itself.
    """
    if WORKERS not in environment:
        return None

    names = (WORKERS, SERVICE, "JOB_COMPLETION_INDEX", "HOSTNAME")
    count, service, index, host = (environment.get(name, "") for name in names)
    job = host.removesuffix(f"-{index}")
    subdomain, _, port = service.rpartition(":")
    is_whole = count.isdigit() and index.isdigit() and subdomain and port.isdigit()
    if not is_whole or job == host or int(index) >= int(count):
        shown = ", ".join(f"{name}={environment.get(name)}" for name in names)
        raise ConfigurationError(
            f"{shown}: {WORKERS} takes the number of pods of an indexed Job and {SERVICE} its "
            "subdomain and a port, such as trains:2222; Kubernetes sets the index, and the host "
            "name that ends in it. See scripts/cluster/indexed_job.yaml."
        )
    addresses = tuple(f"{job}-{each}.{subdomain}:{port}" for each in range(int(count)))
    return Cluster(addresses, int(index))


def _from_slurm(environment: Mapping[str, str]) -> Cluster | None:
    """Read SLURM's variables by hand.

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

    # Tasks are numbered host by host only where SLURM distributes them in blocks.
    host = environment.get("SLURMD_NODENAME")
    if host is not None and host != _host(tasks[rank]):
        raise ConfigurationError(
            f"SLURM's task {rank} runs on {host}, where {_host(tasks[rank])} was expected; give "
            "srun --distribution=block, which fills one host after the other."
        )
    return Cluster(tuple(tasks), rank)


def _hosts(text: str) -> Iterator[str]:
    """Yield n1, n2, n07, m of ``n[1-2,07],m``."""
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
    """Yield 2, 2, 2, 1 of ``2(x3),1``."""
    for count, times in SLURM_COUNTS.findall(text):
        yield from [int(count)] * int(times or 1)
