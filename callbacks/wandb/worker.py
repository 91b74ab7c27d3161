"""worker_arguments: a W&B run of one worker, for the metrics of its machine alone."""

from collections.abc import Mapping
from typing import Any

JOB = "worker"


def worker_arguments(index: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of wandb.init for a worker that logs nothing itself.

    W&B has a mode in which all processes write one run, ``shared``; it is experimental and works
    online only. Runs of one group do the same offline as well, and the page of the group shows the
    system metrics of all workers together. The config of such a run has ``worker``, its number, and
    ``of_run``, the id of the chief's run.

    Args:
        index: The worker's number, above 0.
        arguments: Those of the chief's wandb.init, with its ``id`` and ``group``.

    Example:
        >>> worker_arguments(1, {"id": "4fz0q2xk", "group": "4fz0q2xk"})["id"]
        '4fz0q2xk-worker-1'
    """
    chief_id, name = arguments["id"], arguments.get("name")
    # Named after the chief's run, so that people find them side by side in the group.
    return {
        **arguments,
        "id": f"{chief_id}-worker-{index}",
        "name": f"{name or chief_id} worker {index}",
        "job_type": JOB,
        "config": {"worker": index, "of_run": chief_id},
    }
