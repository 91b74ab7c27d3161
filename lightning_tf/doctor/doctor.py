"""Doctor: runs the checks in turn; one that fails or hangs is a line, not the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.doctor.child import ChildResult, run_child
from lightning_tf.doctor.cluster_check import check_cluster
from lightning_tf.doctor.cuda_libraries import check_libraries, wanted_libraries
from lightning_tf.doctor.driver import Driver, check_driver, read_driver
from lightning_tf.doctor.finding import Finding, problem
from lightning_tf.doctor.folders import check_folders
from lightning_tf.doctor.gpus import (
    check_capabilities,
    check_devices,
    check_driver_age,
    check_memory_growth,
    check_tf32,
)
from lightning_tf.doctor.tensorflow_info import own_words
from lightning_tf.doctor.training import check_training, environment_of_training
from lightning_tf.doctor.versions import check_import, check_versions
from lightning_tf.doctor.visible import check_visible_devices
from lightning_tf.doctor.wandb_login import check_wandb
from lightning_tf.doctor.worker_ports import WorkerPorts
from lightning_tf.exceptions import ConfigurationError

ROOM = "lightning_tf.doctor"
QUICK_SECONDS, IMPORT_SECONDS, WANDB_SECONDS = 60.0, 180.0, 90.0
TRAIN_SECONDS = 10.0
FIRST_UPDATE_SECONDS = 1800.0  # to compile PTX, by TensorFlow's word
KILL_MARGIN = 10.0  # a child is killed before its check is given up

Checks = Callable[[], Iterable[Finding]]


class Doctor:
    """Looks at a machine, from its versions to some seconds of training.

    Args:
        workers: Addresses of workers to connect with; those of the environment's cluster where
            there are none.
        wait_seconds: For the other workers.
        train: Train for some seconds at the end.
        expects_gpu: A machine where TensorFlow sees no GPU has a problem.

    Example:
        >>> [finding.status for finding in Doctor(train=False).findings()]
    """

    def __init__(
        self,
        workers: Sequence[str] = (),
        *,
        wait_seconds: float = 60.0,
        train: bool = True,
        expects_gpu: bool = False,
    ) -> None:
        self.workers, self.wait_seconds = tuple(workers), wait_seconds
        self.train, self.expects_gpu = train, expects_gpu

    def findings(self) -> Iterator[Finding]:
        """Run the checks, and yield what they find as soon as they have."""
        environment = os.environ
        # The slow ones bound their children themselves; the limit here is of what hangs beside.
        checks: list[tuple[str, Checks, float]] = [
            ("versions", check_versions, QUICK_SECONDS),
            ("import", self._import, IMPORT_SECONDS + KILL_MARGIN),
            ("driver", lambda: check_driver(self.driver), QUICK_SECONDS),
            ("visible devices", self._visible, QUICK_SECONDS),
            ("devices", self._gpus, IMPORT_SECONDS),
            ("folder", partial(check_folders, environment), QUICK_SECONDS),
            ("wandb", self._wandb, WANDB_SECONDS),
            ("cluster", partial(check_cluster, environment), QUICK_SECONDS),
            ("ports", self._ports, self.wait_seconds + QUICK_SECONDS),
        ]
        if self.train:
            seconds = IMPORT_SECONDS + FIRST_UPDATE_SECONDS + TRAIN_SECONDS + KILL_MARGIN
            checks.append(("training", self._training, seconds))
        for name, check, seconds in checks:
            yield from isolated(name, check, seconds)

    @cached_property
    def driver(self) -> Driver:
        """What the system tells of NVIDIA."""
        return read_driver()

    @cached_property
    def tensorflow_info(self) -> ChildResult:
        """What TensorFlow tells."""
        return run_child(f"{ROOM}.tensorflow_info", IMPORT_SECONDS)

    def _import(self) -> Iterator[Finding]:
        return check_import(self.tensorflow_info.value, self.tensorflow_info.trouble)

    def _visible(self) -> Iterator[Finding]:
        return check_visible_devices(os.environ, len(self.driver.cards))

    def _gpus(self) -> Iterator[Finding]:
        info, driver = self.tensorflow_info.value, self.driver
        if not info:
            return
        build, gpus = info["build"], info["gpus"]

        needed, later = wanted_libraries(build) if build.get("is_cuda_build") else ([], [])
        wanted = {"names": [*needed, *later], "folder": info["folder"]}
        opened = run_child(f"{ROOM}.cuda_libraries", QUICK_SECONDS, wanted)
        if opened.trouble:
            text = f"opening the CUDA libraries {opened.trouble}"
            yield problem("CUDA libraries", text, "install them anew: lightning-tf[cuda]")
        expected = driver.is_expected or self.expects_gpu
        missing = opened.value
        yield from check_libraries(build, missing, info["folder"], expected)

        lacking = [name for name in needed if name in missing]
        words = own_words(self.tensorflow_info.said)
        yield from check_devices(info, driver, lacking, os.environ, words)
        if self.expects_gpu and not gpus and not driver.is_expected:
            text = "a GPU is expected (--gpu), and this machine shows none"
            remedy = "in a container: docker run --gpus all; under SLURM: --gpus-per-task=1"
            yield problem("devices", text, remedy)
        yield from check_driver_age(build, driver)
        yield from check_capabilities(gpus, build, os.environ)
        yield from check_memory_growth(gpus, os.environ)
        yield from check_tf32(gpus, info["tf32"])

    def _wandb(self) -> Iterator[Finding]:
        answer = run_child(f"{ROOM}.wandb_login", WANDB_SECONDS - KILL_MARGIN)
        return check_wandb(answer.value, answer.trouble)

    def _ports(self) -> Iterator[Finding]:
        workers, index = self.workers, None
        if not workers:
            try:
                cluster = Cluster.from_environment()
            except (ConfigurationError, ValueError):  # said by the check of the cluster
                cluster = None
            if cluster is None:
                return iter(())
            workers, index = cluster.addresses, cluster.index
        return WorkerPorts(workers, self.wait_seconds, index).findings()

    def _training(self) -> Iterator[Finding]:
        if not self.tensorflow_info.value:
            return iter(())
        gpus = len(self.tensorflow_info.value["gpus"])
        limit = IMPORT_SECONDS + TRAIN_SECONDS + (FIRST_UPDATE_SECONDS if gpus else 0.0)
        environment = {**environment_of_training(), "TF_CPP_MIN_LOG_LEVEL": "0"}
        answer = run_child(f"{ROOM}.training", limit, {"seconds": TRAIN_SECONDS}, environment)
        return check_training(answer.value, answer.trouble, gpus, " ".join(own_words(answer.said)))


def isolated(name: str, check: Checks, seconds: float) -> list[Finding]:
    """Return what a check finds; a problem where it raises, or has not ended in time.

    Args:
        name: Of the check.
        check: Called in a thread, which is left behind where it hangs.
        seconds: To wait for it.
    """
    found: list[Finding] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            for finding in check():
                found.append(finding)  # noqa: PERF402 - what it has found before it fails stays
        except Exception as error:  # whatever it is, it is a line
            errors.append(error)

    thread = threading.Thread(target=run, name=f"doctor: {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    done = list(found)
    if thread.is_alive():
        text = f"this check did not end within {seconds:.0f} s"
        done.append(
            problem(name, text, "a disk, a driver or the network hangs; see the system log")
        )
    elif errors:
        text = f"this check failed: {type(errors[0]).__name__}: {errors[0]}"
        done.append(problem(name, text, "report it with lightning-tf doctor --json"))
    return done


def as_data(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON holds them."""
    return [vars(finding) for finding in findings]
