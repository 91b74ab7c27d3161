"""Files of lines that a killed process may have left with a part of one."""

import os
from pathlib import Path


def whole_lines(path: Path) -> bytes:
    """Return the whole lines of a file; cut an unfinished one, or the next would become part of it.

    Args:
        path: Of the file; one that is not there has no lines.
    """
    if not path.exists():
        return b""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return whole
