"""Whether a disk has room for a run's checkpoints, asked before training."""

import logging
import shutil
from pathlib import Path

log = logging.getLogger("lightning_tf")

MIB = 2**20
MARGIN = 1.1  # to the tensors: names, plain data, whole blocks


def missing_room(folder: str, tensor_bytes: int, count: int) -> str:
    """Return what is wrong with a disk that has no room for one checkpoint, else nothing.

    Of one that has no room for all it warns.

    What a quota allows, or others will have written by then, nobody can tell.

    Args:
        folder: Of the checkpoints; it need not stand yet.
        tensor_bytes: Of all tensors of one.
        count: How many stand there at once, those that are being replaced included.
    """
    there = Path(folder).absolute()
    try:
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
    except OSError:  # it does not say: writing will tell
        return ""

    one = round(tensor_bytes * MARGIN)
    room = f"{there} has {_mib(free)} free"
    if free < one:
        return f"{room}, and a checkpoint of this run takes {_mib(one)}"

    if free < one * count:
        log.warning(
            "%s, and up to %d checkpoints of this run, of %s each, stand there at once: make room, "
            "or keep fewer (save_top_k, save_weights_only=True).",
            room,
            count,
            _mib(one),
        )
    return ""


def _mib(count: int) -> str:
    return f"{count / MIB:,.1f} MiB"
