"""The transaction log of a W&B run: what a ``.wandb`` file on this disk holds of the run."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32 * 1024
FILE_HEADER = struct.Struct("<4sHB")
MAGIC, MAGIC_NUMBER = b":W&B", 0xBEE1
CHUNK_HEADER = struct.Struct("<IHB")  # CRC-32 of kind and content, length, kind
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def read_records(path: Path) -> Iterator[Any]:
    """Yield every record of a log, in the order written; a torn or damaged end is left out.

    The file is a log as LevelDB writes it (blocks of 32 KiB, chunks with a CRC), whose records are
    protobuf messages: https://github.com/google/leveldb/blob/main/doc/log_format.md.

    Args:
        path: The ``run-<id>.wandb`` file.

    Raises:
        ValueError: It is no such file.
    """
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2  # made at run time: types are unknown
    for content in _contents(path.read_bytes(), path):
        yield messages.Record.FromString(content)


def count_rows(path: Path) -> int:
    """Return the highest ``_step`` of a log's rows plus 1; 0 where it holds none or is no log."""
    try:
        steps = (_step(r) for r in read_records(path) if r.HasField("history"))
        return max(steps, default=-1) + 1
    except (OSError, ValueError):
        return 0


def remove_if_empty(path: Path) -> None:
    """Remove a log without any record, which a process leaves that is killed in its first second.

    `wandb sync` would refuse the run's other logs because of it.
    """
    if path.stat().st_size <= FILE_HEADER.size:
        path.unlink()


def _step(record: Any) -> int:
    if record.history.HasField("step"):
        return int(record.history.step.num)
    steps = (i.value_json for i in record.history.item if "_step" in (i.key, *i.nested_key))
    return int(next(steps, -1))


def _contents(raw: bytes, path: Path) -> Iterator[bytes]:
    """Yield the content of every record, joined from its chunks."""
    header = FILE_HEADER.unpack_from(raw) if len(raw) >= FILE_HEADER.size else (b"", 0, 0)
    if header[:2] != (MAGIC, MAGIC_NUMBER):
        raise ValueError(f"{path} is no transaction log of wandb")
    position, parts = FILE_HEADER.size, list[bytes]()

    while position + CHUNK_HEADER.size <= len(raw):
        left = BLOCK - position % BLOCK
        if left < CHUNK_HEADER.size:  # too short for a header: the block is filled up
            position += left
            continue
        checksum, size, kind = CHUNK_HEADER.unpack_from(raw, position)
        content = raw[position + CHUNK_HEADER.size :][:size]
        if (kind, size) == (0, 0):  # the rest of a block that was flushed early
            position += left
            continue

        # What follows a torn or damaged chunk cannot be trusted.
        if len(content) < size or zlib.crc32(bytes([kind]) + content) != checksum:
            return
        position += CHUNK_HEADER.size + size
        parts = [content] if kind in (FULL, FIRST) else [*parts, content]
        if kind in (FULL, LAST):
            yield b"".join(parts)
