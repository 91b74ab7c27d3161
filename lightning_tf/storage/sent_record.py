"""SentRecord: what of a working copy stood at its URL when this machine last looked."""

import json
import os
from pathlib import Path
from typing import Any

from lightning_tf.storage.location import cache_folder

FOLDER = "sent"


class SentRecord:
    """Remembers, for one folder, what each entry was when it was sent or fetched.

    Where the store still has it so, only this machine has changed the entry since; else another
    one has, and its state counts. It stands beside the working copies, not in them.

    Args:
        folder: The working copy.

    Example:
        >>> record = SentRecord(Path("~/.cache/lightning_tf/remote/s3/bucket/run").expanduser())
        >>> record.note("metrics.csv", [120, 1790000000], "9f86d0...")
    """

    def __init__(self, folder: Path) -> None:
        place = Path(os.path.abspath(folder)).relative_to(cache_folder())
        self._path = cache_folder().with_name(FOLDER) / place / "sent.json"
        self._entries = self._read()

    def stamp(self, name: str) -> Any:
        """Return what `note` was told of the local entry; None where there is none."""
        return self._entries.get(name, {}).get("stamp")

    def digest(self, name: str) -> str | None:
        """Return the digest of what the store had."""
        return self._entries.get(name, {}).get("digest")

    def note(self, name: str, stamp: Any, digest: str) -> None:
        """Write down that the entry and the store's are alike."""
        self._change(name, {"stamp": stamp, "digest": digest})

    def forget(self, name: str) -> None:
        """Forget an entry that was deleted."""
        self._change(name, None)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # none yet, or cut by a full disk: the store counts then
            return {}
        is_whole = isinstance(content, dict)
        return {k: v for k, v in content.items() if isinstance(v, dict)} if is_whole else {}

    def _change(self, name: str, entry: dict[str, Any] | None) -> None:
        from filelock import FileLock

        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The thread that sends and whoever fetches beside it note different entries.
        with FileLock(self._path.with_name(".sent.lock")):
            self._entries = self._read()
            if entry is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = entry
            beside = self._path.with_name(".sent.part")
            beside.write_text(json.dumps(self._entries), encoding="utf-8")
            os.replace(beside, self._path)
