"""keep_in_memory: whether decoded images stay in memory."""

import logging
import math
from typing import Any, Literal

from lightning_tf.data.free_memory import free_memory
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import ConfigurationError

InMemory = bool | Literal["auto"]
AUTO: Literal["auto"] = "auto"
SHARE = 4  # of the free memory, one part in so many is taken unasked
WHILE_GATHERING = 3  # copies that a worker has of all images while it gets those of the others
MIB = 2**20

_log = logging.getLogger(__name__)


def check_in_memory(in_memory: Any, *, takes_auto: bool = True) -> None:
    """Refuse what is neither a boolean nor ``auto``.

    Args:
        in_memory: What the user chose.
        takes_auto: Whether the source decides by itself where it is asked to.

    Raises:
        ConfigurationError: Names the option.
    """
    if not isinstance(in_memory, bool) and not (takes_auto and in_memory == AUTO):
        auto = " or 'auto'" if takes_auto else ""
        raise ConfigurationError(f"in_memory={in_memory!r}: give True or False{auto}.")


def keep_in_memory(
    in_memory: InMemory, name: str, count: int, input_shape: tuple[int, ...], workers: Workers
) -> bool:
    """Return whether to keep decoded images; of ``auto`` say in one line what is done.

    Args:
        in_memory: What the user chose.
        name: Of the data, for the line.
        count: Of the images.
        input_shape: Height, width and channels of one.
        workers: All of them call this and do the same. Each keeps all images: those of one machine
            share what is free there.
    """
    if in_memory != AUTO:
        return bool(in_memory)

    free = free_memory()
    needed = count * math.prod(input_shape) * (1 if workers.count == 1 else WHILE_GATHERING)
    share = (free or 0) // SHARE // workers.count_on_host
    fits = bool(workers.all_gather([needed <= share]).all())

    taken_unasked = f"{share / MIB:.1f} MiB that are taken unasked"
    what_is_done = (
        "kept decoded in memory; in_memory=False reads the files in every epoch"
        if fits
        else "decoded in every epoch; in_memory=True keeps them decoded all the same"
    )
    _log.info(
        "%s: images take %.1f MiB decoded, of %s, and are %s.",
        name,
        needed / MIB,
        "a free memory that this system does not tell" if free is None else taken_unasked,
        what_is_done,
    )
    return fits
