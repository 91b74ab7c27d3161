"""What must be equal on all workers, compared before they compute together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checkpoint.io import versions
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import class_path

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.distribute.workers import Workers
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

VERSIONS, VERSIONS_SECONDS = "versions", 60.0
# What is a worker's own: what it shows, logs, and where; which of its devices it takes.
OWN = {
    "callbacks",
    "default_root_dir",
    "devices",
    "enable_model_summary",
    "enable_progress_bar",
    "logger",
    "profiler",
    "strategy",
}

_compared: set[int] = set()  # in a process, of which there is one cluster


def compare_versions(workers: Workers) -> None:
    """Refuse workers that do not run the same versions, once in a process.

    Args:
        workers: That have joined each other.

    Raises:
        ConfigurationError: Names the workers, the packages and both versions; on every worker.
    """
    if workers.count == 1 or _compared:
        return

    mine = versions()
    mine["python"] = ".".join(mine["python"].split(".")[:2])
    workers.publish(VERSIONS, mine)
    _compared.add(workers.count)
    everyone = []
    for index in range(workers.count):
        theirs = mine
        if index != workers.index:
            theirs = workers.read_published(VERSIONS, index, VERSIONS_SECONDS)
        if theirs is None:
            raise ConfigurationError(
                f"{workers.name(index)} has joined the others and does not tell its versions: it "
                "has ended, or runs another version of lightning_tf."
            )
        everyone.append(theirs)
    _refuse_different(workers, everyone, "install the same versions on every worker")


def compare_settings(trainer: Trainer, task: Task, ckpt_path: Any) -> None:
    """Refuse workers that are about to run different things.

    Args:
        trainer: In an entry point, before anything is made.
        task: What it drives.
        ckpt_path: From which checkpoint.

    Raises:
        ConfigurationError: Names the workers, what differs and both values; on every worker.
    """
    workers = trainer.workers
    if workers.count == 1:
        return

    settings = {f"Trainer's {k}": v for k, v in trainer.settings.items() if k not in OWN}
    # Data may be a worker's own part, if they say so.
    hparams = {f"task's {k}": v for k, v in task.hparams.items() if not isinstance(v, dict)}
    writers = [c for c in trainer.callbacks if isinstance(c, CheckpointCallback)]
    mine = {
        "entry point": trainer.entry_point,
        "task": class_path(type(task)),
        **settings,
        **hparams,
        "checkpoint callbacks": sorted(writer.state_key for writer in writers),
        "ckpt_path": None if ckpt_path is None else os.fspath(ckpt_path),
        "devices": len(trainer.placement.devices),
    }
    mine = {name: _without_folder(value) for name, value in mine.items()}
    everyone = workers.all_gather_object(mine)
    _refuse_different(workers, everyone, "run the same program on every worker")


def compare_graphs(workers: Workers, graph: tf.Graph | None) -> None:
    """Refuse workers whose traced steps differ: they would wait for each other for ever.

    Compared are the types of the operations, and the types and shapes of what they give, in their
    order: names and attributes hold numbers that differ between equal processes.

    Args:
        workers: Of the run.
        graph: Of the step; None where it runs op by op.

    Raises:
        ConfigurationError: Names a worker and the first operation that differs; on every worker.
    """
    if workers.count == 1 or graph is None:
        return

    operations = [
        f"{op.type} of {', '.join(f'{o.dtype.name} {o.shape}' for o in op.outputs) or 'nothing'}"
        for op in graph.get_operations()
    ]
    digest = hashlib.sha256("\n".join(operations).encode()).hexdigest()
    digests = workers.all_gather_object(digest)
    if len(set(digests)) == 1:
        return

    lists = workers.all_gather_object(operations)
    other = next(i for i, each in enumerate(digests) if each != digests[0])
    pairs = zip([*lists[0], "nothing more"], [*lists[other], "nothing more"], strict=False)
    at, (first, second) = next((i, pair) for i, pair in enumerate(pairs) if len(set(pair)) > 1)
    raise ConfigurationError(
        f"the traced steps of the workers differ: operation {at} is {first} on {workers.name(0)} "
        f"and {second} on {workers.name(other)}. Let a step not depend on the worker, nor on what "
        "differs between machines."
    )


def _refuse_different(workers: Workers, everyone: Sequence[Mapping[str, Any]], remedy: str) -> None:
    chief = everyone[0]
    differences = [
        f"{workers.name(index)} has {name} {theirs.get(name)!r} and worker 0 {chief.get(name)!r}"
        for index, theirs in enumerate(everyone)
        for name in {**chief, **theirs}
        if repr(theirs.get(name)) != repr(chief.get(name))  # NaN equals itself
    ]
    if differences:
        more = f", and {len(differences) - 5} more differences" if len(differences) > 5 else ""
        raise ConfigurationError(f"{'; '.join(differences[:5])}{more}: {remedy}.")


def _without_folder(value: Any) -> Any:
    """Return a path without the folders above it, which may be a machine's own."""
    return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value
