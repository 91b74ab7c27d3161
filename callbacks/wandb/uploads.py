"""WandbUploads: checkpoints on their way to W&B, and what is left of them when it is away."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightning_tf.checkpoint.io import read_run
from lightning_tf.callbacks.wandb.background_queue import BackgroundQueue
from lightning_tf.exceptions import CheckpointError

log = logging.getLogger("lightning_tf")

PENDING = "pending_uploads.jsonl"
FOLDER = "uploads"
SLOWEST = 1_000_000  # bytes a second that are waited for


@dataclass
class Upload:
    """A checkpoint that shall become an artifact.

    Attributes:
        path: Its files, held under another name so that the original may go.
        name: Of the artifact.
        aliases: Beside ``latest``, which W&B gives by itself.
        metadata: Plain data.
    """

    path: str
    name: str
    aliases: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes."""
        files = Path(self.path).iterdir() if Path(self.path).is_dir() else ()
        return sum(file.stat().st_size for file in files)


class WandbUploads:
    """Sends checkpoints in a thread of its own; what cannot be sent stays on the disk and is noted.

    W&B loses an artifact that is logged while its server is away. So an upload counts as done only
    when the server has confirmed it; until then the files stay, and the next run of the same id
    tries again.

    Args:
        folder: Holds the files and the list of what is pending.
        run: Gives the W&B run, None where there is none.
        warn: Says that something failed.

    Example:
        >>> uploads = WandbUploads(Path("wandb_runs/p/ab12cd34"), lambda: wandb.run, print)
        >>> uploads.add("checkpoints/last.ckpt", "model-ab12cd34", ["best"], {"score": 0.1})
        >>> uploads.end(time.monotonic() + 60.0)
    """

    def __init__(
        self,
        folder: Path,
        run: Callable[[], Any],
        warn: Callable[[str, BaseException], None],
    ) -> None:
        self.folder = folder
        self._run, self._warn = run, warn
        self._queue: BackgroundQueue | None = None
        self._waiting: list[Upload] = []
        self._lock = threading.Lock()
        self._count = 0

    def add(self, path: str, name: str, aliases: list[str], metadata: dict[str, Any]) -> None:
        """Hold a checkpoint's files and send them when it is their turn.

        Returns at once: the files are linked, and copied only where the disk has no links.

        Raises:
            OSError: The disk refuses.
        """
        self._count += 1
        held = self.folder / FOLDER / f"{time.time_ns()}-{self._count}"
        held.mkdir(parents=True)
        for file in Path(path).iterdir():
            try:
                os.link(file.resolve(), held / file.name)
            except OSError:
                shutil.copy2(file, held / file.name)
        self._send(Upload(str(held), name, aliases, metadata))

    def retry(self) -> None:
        """Send what an earlier process could not."""
        for upload in self.pending():
            if upload not in self._waiting and Path(upload.path).is_dir():
                self._send(upload)

    def pending(self) -> list[Upload]:
        """What is not sent, by what stands on the disk."""
        file = self.folder / PENDING
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [Upload(**json.loads(line)) for line in lines]

    @property
    def bytes_waiting(self) -> int:
        """Bytes of what is not sent yet."""
        return sum(upload.size for upload in list(self._waiting))

    def end(self, deadline: float) -> bool:
        """Wait until all is sent, at most until a time of `time.monotonic`; the rest stays noted.

        Returns:
            Whether all was sent.
        """
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.end(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left, self._waiting = self._waiting, []
        return not left

    def _send(self, upload: Upload) -> None:
        if self._queue is None:
            self._queue = BackgroundQueue("wandb uploads")
        waiting = self._waiting  # of this run: `end` begins another list
        with self._lock:
            waiting.append(upload)
            self._note(waiting)

        def job() -> None:
            try:
                self._log(upload)
            except Exception as error:
                self._warn(f"the upload of {upload.name}", error)
                return
            with self._lock:
                if upload in waiting:
                    waiting.remove(upload)
                    self._note(waiting)

        self._queue.put(job)

    def _log(self, upload: Upload) -> None:
        import wandb

        run = self._run()
        if run is None:
            raise ConnectionError("there is no W&B run")
        metadata = {**_facts(upload.path), **upload.metadata}
        artifact = wandb.Artifact(upload.name, "model", metadata=metadata)
        for file in sorted(Path(upload.path).iterdir()):
            # Not copied once more: the files are held until the server has them, and offline until
            # `wandb sync` has read them.
            artifact.add_file(str(file), name=file.name, policy="immutable", skip_cache=True)
        logged = run.log_artifact(artifact, aliases=upload.aliases)
        if not run.offline:
            logged.wait(timeout=60 + upload.size // SLOWEST)
            shutil.rmtree(upload.path, ignore_errors=True)

    def _note(self, waiting: list[Upload]) -> None:
        """Bring the list to the disk: it outlives a killed process."""
        file = self.folder / PENDING
        text = "".join(json.dumps(asdict(upload)) + "\n" for upload in waiting)
        file.write_text(text, encoding="utf-8") if text else file.unlink(missing_ok=True)


def _facts(path: str) -> dict[str, Any]:
    """Where in the run a checkpoint was written."""
    try:
        run = read_run(path)
    except CheckpointError:
        return {}
    progress = run.get("progress", {})
    found = {"step": progress.get("global_step"), "epoch": progress.get("epoch")}
    return {"task": run.get("task"), **{k: v for k, v in found.items() if v is not None}}
