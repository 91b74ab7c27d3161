"""search_folder and claim_folder: where a search writes, which no other search does."""

from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from lightning_tf.checks import checked_path, why_unwritable
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tuning.search_result import TABLE

IDENTITY = "search_id.txt"  # beside the table; the study knows those of all its folders
HOLDS = "output={!r} holds {} search; give another folder, or {}."


def checked_output(output: str | None, storage: str | None) -> str | None:
    """Return the folder that was named, if one was.

    Raises:
        ConfigurationError: It holds a search that cannot go on, or nothing can be written there.
    """
    if output is None:
        return None
    folder = checked_path("output", output)
    if storage is None and (Path(folder) / TABLE).exists():
        raise ConfigurationError(HOLDS.format(output, "a", "a storage to go on with it"))
    reason = why_unwritable(str(folder))
    if reason:
        raise ConfigurationError(f"output={output!r}: {reason}")
    return str(folder)


def search_folder(output: str | None) -> Path:
    """Make the folder, and return it: ``tune_0``, ``tune_1``, ... where none is named."""
    if output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)
        return Path(output)
    for number in count():
        folder = Path(f"tune_{number}")
        try:
            folder.mkdir()
        except FileExistsError:  # maybe since a moment, by a search beside this one
            continue
        return folder
    raise AssertionError


def claim_folder(folder: Path, study: Any) -> None:
    """Let a folder belong to a study.

    Raises:
        ConfigurationError: It belongs to another one.
    """
    path = folder / IDENTITY
    if not path.exists() and not (folder / TABLE).exists():
        identity = uuid4().hex
        study.set_user_attr(identity, str(folder))  # first: who sees the file finds it here
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(identity)
        except FileExistsError:
            pass  # another process of the same study was faster, or is refused below

    if not path.exists() or path.read_text("utf-8") not in study.user_attrs:
        raise ConfigurationError(HOLDS.format(str(folder), "another", "the storage of that search"))
