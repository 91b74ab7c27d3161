"""Which checkpoints of a run are to be reached when it is trained again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_tf.checkpoint.io import Checkpoint, read_checkpoint, read_run
from lightning_tf.checkpoint.search import CheckpointPath, checkpoints_in
from lightning_tf.exceptions import CheckpointError
from lightning_tf.storage.location import local_path
from lightning_tf.storage.remote_checkpoint import look_up


def checkpoints_between(
    run: str | os.PathLike[str],
    start: CheckpointPath | None = None,
    end: CheckpointPath | None = None,
) -> tuple[CheckpointPath | None, list[CheckpointPath]]:
    """Return the checkpoint of a run to begin with, and those to compare with.

    Args:
        run: Its folder.
        start: The first; None is the oldest that stands there, or the beginning of the run (None)
            where one stands alone.
        end: The last; None is the newest.

    Raises:
        CheckpointError: Fewer stand there than are needed.
    """
    whole: list[tuple[int, float, CheckpointPath]] = []
    look_up(Path(run) / "checkpoints")
    for path in checkpoints_in(Path(run) / "checkpoints"):
        known = read_run(path)
        if "progress" in known:
            whole.append((int(known["progress"]["total_batches"]), known["saved_at"], path))
    whole.sort()
    if not whole and end is None:
        raise CheckpointError(f"{run} has no whole checkpoint to compare with; give --to.")

    begin = whole[0][2] if start is None and len(whole) > 1 else start
    first = -1 if begin is None else _batches(read_checkpoint(begin))
    last = whole[-1][0] if end is None else _batches(read_checkpoint(end))
    between = [path for batches, _, path in whole if first < batches <= last]
    if end is not None:
        standing = local_path("end", end)
        if not any(os.path.samefile(standing, path) for path in between):
            between.append(end)
    if not between:
        raise CheckpointError(f"{run} has no checkpoint later than {begin}; give another --from.")
    return begin, between


def read_targets(
    start: CheckpointPath | None, ends: Sequence[CheckpointPath]
) -> dict[str, Checkpoint]:
    """Return the checkpoints to reach, in the order of training."""
    if not ends:
        raise CheckpointError("verify got no checkpoint to compare with; give one or several.")
    began = -1 if start is None else _batches(read_checkpoint(start))
    found = {os.fspath(path): read_checkpoint(path) for path in ends}
    for path, checkpoint in found.items():
        if _batches(checkpoint) <= began:
            raise CheckpointError(
                f"{path} stands after {_batches(checkpoint)} batches, which is not later than "
                f"{start} ({began}); give them the other way round."
            )
    return dict(
        sorted(found.items(), key=lambda item: (_batches(item[1]), item[1].run["saved_at"]))
    )


def _batches(checkpoint: Checkpoint) -> int:
    if "progress" not in checkpoint.run:
        raise CheckpointError(
            f"{checkpoint.path} holds weights only: nothing tells where in training they stood."
        )
    return int(checkpoint.run["progress"]["total_batches"])
