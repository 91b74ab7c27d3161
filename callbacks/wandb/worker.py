"""WandbWorker: a W&B run of one worker, for the metrics of its machine alone."""

import time
from collections.abc import Mapping
from typing import Any

from lightning_tf.callbacks.wandb.connection import WandbConnection

JOB = "worker"


class WandbWorker:
    """Lets wandb measure a worker that logs nothing itself, in a run beside the chief's.

    W&B has a mode in which all processes write one run, ``shared``; it is experimental and works
    online only. Runs of one group do the same offline as well, and the page of the group shows the
    system metrics of all workers together. The config of such a run has ``worker``, its number, and
    ``of_run``, the id of the chief's run.

    Args:
        index: The worker's number, above 0.
        arguments: Those of the chief's wandb.init, with its ``id`` and ``group``.
        mode: See `WandbConnection`.
        settings: See `WandbConnection`.
        timeouts: Seconds for the beginning and for the end.

    Example:
        >>> worker = WandbWorker(1, {"id": "4fz0q2xk", "group": "4fz0q2xk"}, mode="offline",
        ...                      settings={}, timeouts=(10.0, 60.0))
        >>> worker.close(0)
    """

    def __init__(
        self,
        index: int,
        arguments: Mapping[str, Any],
        *,
        mode: str | None,
        settings: Mapping[str, Any],
        timeouts: tuple[float, float],
    ) -> None:
        chief_id, name = arguments["id"], arguments.get("name")
        # Named after the chief's run, so that people find them side by side in the group.
        worker_arguments = {
            **arguments,
            "id": f"{chief_id}-worker-{index}",
            "name": f"{name or chief_id} worker {index}",
            "job_type": JOB,
            "config": {"worker": index, "of_run": chief_id},
        }

        self.connection = WandbConnection(
            worker_arguments,
            mode=mode,
            settings=settings,
            init_timeout=timeouts[0],
            finish_timeout=timeouts[1],
            on_stop=lambda: None,  # the button of the chief's run stops all workers
        )

    def close(self, exit_code: int) -> None:
        """Finish the run, at most until the time-out."""
        self.connection.wait_until_open()
        self.connection.close(exit_code, time.monotonic() + self.connection.finish_timeout)
