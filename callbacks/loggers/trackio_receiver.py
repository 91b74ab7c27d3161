"""TrackioReceiver: a run of Trackio, called from a delivery's thread."""

import json
import os
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.loggers.outbox import Line
from lightning_tf.callbacks.loggers.run_receiver import RunReceiver

REMOTES = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")


class TrackioReceiver(RunReceiver):
    """Opens the Trackio run and takes rows, images, tables and texts.

    Trackio writes with a thread of its own and tells nobody whether it could: rows count as taken
    when it has finished and its file holds them. What it has of a run that was killed is read from
    that file. To a Space it keeps and sends again by itself what it could not send.

    Args:
        record: See `RunReceiver`.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record)
        self._run: Any = None
        self._names: dict[int, set[str]] | None = None
        self._expected: int | None = None

    def open(self) -> None:
        """Open the run, or go on with it; its name has the id, because Trackio finds it by name."""
        import trackio

        settings = self.record["settings"]
        config = {key.lstrip("_"): value for key, value in self.record["config"].items()}
        arguments = {**settings["init"], "space_id": settings["space_id"], "config": config}
        self._run = trackio.init(
            settings["project"], name=self.record["name"], resume="allow", **arguments
        )
        self._expected = self._count_rows()

    def last_step(self) -> int:
        """Return the last update of which Trackio's file has a row."""
        return max(self._held_names(), default=-1)

    def missing(self, line: Line) -> dict[str, Any]:
        """Return the values that Trackio's file has not; a Space is trusted to have all."""
        if self._expected is None:
            return {}
        held = self._held_names().get(line.step, set())
        # Files are named with their kind.
        return {
            name: value
            for name, value in line.values.items()
            if (name.partition("/")[2] if isinstance(value, dict) else name) not in held
        }

    def send_rows(self, lines: list[Line]) -> bool:
        """Hand rows to Trackio's thread."""
        for line in lines:
            self._log(line.values, line.step)
        return False

    def send_summary(self) -> None:
        """Trackio has neither tags nor a summary."""

    def send_file(self, line: Line, name: str, item: dict[str, Any]) -> bool:
        """Hand an image, a table or a text to Trackio's thread; of a file, where it stands."""
        import trackio

        kind, path, value = item["kind"], Path(item["path"]), item.get("source")
        if kind in ("image", "figure"):
            value = trackio.Image(str(path))
        elif kind == "table":
            table = json.loads(path.read_text(encoding="utf-8"))
            value = trackio.Table(columns=table["columns"], data=table["rows"])
        elif kind == "text":
            value = path.read_text(encoding="utf-8")
        self._log({name.partition("/")[2]: value}, line.step)
        return False

    def close(self, status: str | None) -> None:
        """Finish.

        Raises:
            OSError: Trackio's file has fewer rows than it was given.
        """
        self._run.finish()
        count = self._count_rows()
        if count is not None and self._expected is not None and count < self._expected:
            raise OSError(f"Trackio has {count} of {self._expected} rows of the run")

    def _log(self, values: dict[str, Any], step: int) -> None:
        self._run.log(values, step=step)
        if self._expected is not None:
            self._expected += 1

    def _count_rows(self) -> int | None:
        """Return how many rows Trackio's file has; None where it writes no such file."""
        from trackio.sqlite_storage import SQLiteStorage
        from trackio.utils import get_storage_mode

        settings = self.record["settings"]
        is_remote = settings["space_id"] or any(os.environ.get(name) for name in REMOTES)
        if is_remote or get_storage_mode() != "sqlite":
            return None
        return int(SQLiteStorage.get_log_count(settings["project"], self.record["name"]))

    def _held_names(self) -> dict[int, set[str]]:
        """Return the names of each update in Trackio's file."""
        from trackio.sqlite_storage import SQLiteStorage

        if self._names is None:
            self._names = {}
            project = self.record["settings"]["project"]
            for row in SQLiteStorage.get_logs(project, self.record["name"]):
                self._names.setdefault(int(row["step"]), set()).update(row)
        return self._names
