"""WandbUploads: checkpoints on their way to W&B, and those that W&B did not get."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.wandb.artifacts import CheckpointArtifact
from lightning_tf.callbacks.wandb.background_queue import BackgroundQueue
from lightning_tf.checkpoint.io import read_run
from lightning_tf.exceptions import CheckpointError

PENDING = "pending_uploads.jsonl"
FOLDER = "uploads"
SLOWEST = 1_000_000  # bytes a second; slower uploads are not waited for


class WandbUploads:
    """Sends checkpoints in its own thread; what cannot be sent stays on the disk, in a list.

    W&B loses an artifact that is logged while its server is away. So an upload is done only when
    the server has confirmed it; until then the files stay, and the next run of the same id tries
    again.

    Args:
        folder: Holds the files and the list of pending uploads.
        run: Returns the W&B run, None where there is none.
        warn: Reports that something failed.
        policy: ``immutable`` or ``mutable``: see wandb.Artifact.add_file.

    Example:
        >>> uploads = WandbUploads(Path("wandb_runs/p/ab12cd34"), lambda: wandb.run, print)
        >>> uploads.add(CheckpointArtifact("checkpoints/last.ckpt", "model-ab12cd34", ["best"]))
        >>> uploads.end(time.monotonic() + 60.0)
    """

    def __init__(
        self,
        folder: Path,
        run: Callable[[], Any],
        warn: Callable[[str, BaseException], None],
        policy: Any = "immutable",
    ) -> None:
        self.folder, self._policy = folder, policy
        self._run, self._warn = run, warn
        self._queue: BackgroundQueue | None = None
        self._waiting: list[CheckpointArtifact] = []
        self._lock = threading.Lock()
        self._count = 0

    def add(self, artifact: CheckpointArtifact) -> None:
        """Keep a checkpoint's files and send them when it is their turn.

        Returns at once: the files are linked, and copied only where the disk has no links.

        Raises:
            OSError: The disk refuses.
        """
        self._count += 1
        # Unique also among the processes of one run.
        kept = self.folder / FOLDER / f"{time.time_ns()}-{self._count}"
        kept.mkdir(parents=True)
        for file in Path(artifact.path).iterdir():
            try:
                os.link(file.resolve(), kept / file.name)
            except OSError:
                shutil.copy2(file, kept / file.name)
        self._send(replace(artifact, path=str(kept)))

    def retry(self) -> None:
        """Send what an earlier process could not send."""
        for artifact in self.pending():
            if artifact not in self._waiting and Path(artifact.path).is_dir():
                self._send(artifact)

    def pending(self) -> list[CheckpointArtifact]:
        """Return what is not sent, by the list on the disk."""
        file = self.folder / PENDING
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [CheckpointArtifact(**json.loads(line)) for line in lines]

    @property
    def bytes_waiting(self) -> int:
        """Return the bytes of what is not sent yet."""
        return sum(artifact.size for artifact in list(self._waiting))

    def end(self, deadline: float) -> bool:
        """Wait until all is sent, at most until a time of `time.monotonic`; list the rest.

        Returns:
            Whether all was sent.
        """
        # A later entry point starts another thread.
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.end(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left, self._waiting = self._waiting, []
        return not left

    def _send(self, artifact: CheckpointArtifact) -> None:
        if self._queue is None:
            self._queue = BackgroundQueue("wandb uploads")
        waiting = self._waiting  # of this run: `end` begins another list
        with self._lock:
            waiting.append(artifact)
            self._write_list(waiting)

        def job() -> None:
            try:
                self._log(artifact)
            except Exception as error:
                # It stays in the list, and the next process tries again.
                self._warn(f"the upload ({artifact.name})", error)
                return
            with self._lock:
                if artifact in waiting:
                    waiting.remove(artifact)
                    self._write_list(waiting)

        self._queue.put(job)

    def _log(self, artifact: CheckpointArtifact) -> None:
        import wandb

        run = self._run()
        if run is None:
            raise ConnectionError("there is no W&B run")

        metadata = {**_position(artifact.path), **artifact.metadata}
        logged = wandb.Artifact(artifact.name, "model", metadata=metadata)
        for file in sorted(Path(artifact.path).iterdir()):
            # Not copied once more: the files stay until the server has them, and offline until
            # `wandb sync` has read them.
            logged.add_file(str(file), name=file.name, policy=self._policy, skip_cache=True)

        sent = run.log_artifact(logged, aliases=artifact.aliases)
        if not run.offline:
            sent.wait(timeout=60 + artifact.size // SLOWEST)  # until the server confirms
            shutil.rmtree(artifact.path, ignore_errors=True)

    def _write_list(self, waiting: list[CheckpointArtifact]) -> None:
        """Write the list to the disk: it must outlive a killed process."""
        file = self.folder / PENDING
        text = "".join(json.dumps(asdict(artifact)) + "\n" for artifact in waiting)
        file.write_text(text, encoding="utf-8") if text else file.unlink(missing_ok=True)


def _position(path: str) -> dict[str, Any]:
    """Return where in the run a checkpoint was written."""
    try:
        run = read_run(path)
    except CheckpointError:
        return {}
    progress = run.get("progress", {})
    position = {"step": progress.get("global_step"), "epoch": progress.get("epoch")}
    return {"task": run.get("task"), **{k: v for k, v in position.items() if v is not None}}
