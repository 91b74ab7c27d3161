"""Delivery: a run's rows and files, on this disk first and then, by a thread, at the tracker."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.loggers.outbox import Line, Outbox, replace_text
from lightning_tf.callbacks.loggers.run_receiver import RunReceiver
from lightning_tf.callbacks.wandb.background_queue import BackgroundQueue
from lightning_tf.callbacks.wandb.journal import HeldRows

log = logging.getLogger("lightning_tf")

RECORD, FILES = "run.json", "files"
PAUSE = 2.0  # seconds from one sending to the next; failures double it
LONGEST_PAUSE = 60.0
MOST_LINES = 500  # sent at once


class Delivery:
    """Writes what a run logs to a folder and has a thread send it, as often as it takes.

    A tracker that is away delays nothing and loses nothing: the thread tries again while the run
    goes on, and whoever opens the folder next sends the rest. One warning for each kind of failure
    says so.

    Args:
        folder: The run's folder on this disk.
        receiver: Who gets it all.
        finish_timeout: Seconds that `close` waits for a tracker that answers.
        advice: How to send later what is left.

    Example:
        >>> delivery = Delivery(folder, receiver, finish_timeout=60.0, advice="Resume the run.")
        >>> delivery.begin(resumed_at=None)
        >>> delivery.add_row(50, {"train/loss": 0.5})
        >>> delivery.close("success")
    """

    def __init__(
        self, folder: Path, receiver: RunReceiver, finish_timeout: float, advice: str
    ) -> None:
        self.folder, self.receiver = folder, receiver
        self.finish_timeout, self.advice = finish_timeout, advice
        self.rows, self.files = Outbox(folder / "rows.jsonl"), Outbox(folder / "files.jsonl")

        # By outbox: what the tracker has already, and where what is new begins.
        self._held: dict[Outbox, tuple[HeldRows, int]] = {}
        self._again = {outbox: outbox.tried for outbox in (self.rows, self.files)}
        self._has_begun = self._asks_last_step = False
        self._is_open = self._is_scheduled = self._is_ended = False
        self._not_before, self._pause = 0.0, PAUSE
        self._warned: set[tuple[str, str]] = set()
        self._queue = BackgroundQueue(type(receiver).__name__)
        self._writer = BackgroundQueue("files to send")  # a tracker that hangs holds none up

    # ---- what is logged, on the main thread

    def begin(self, resumed_at: int | None) -> None:
        """Compare with what earlier processes have sent, before the first row of fit.

        Args:
            resumed_at: The update that the run was resumed at; None where it was not.
        """
        if resumed_at is not None:
            # Resumed where the run's folder is not: only the tracker knows.
            self._asks_last_step = self.rows.is_new
            for outbox in (self.rows, self.files):
                held = outbox.resume(resumed_at)
                self._held[outbox] = (held, outbox.confirmed + outbox.bytes_left)
        self._has_begun = True
        self._schedule()
        if self.receiver.opening_seconds:
            self._queue.wait(self.receiver.opening_seconds)

    def add_row(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row of numbers."""
        self._add(self.rows, step, values)
        self._schedule()

    def add_file(
        self, step: int, kind: str, name: str, write: Callable[[Path], str], **details: Any
    ) -> None:
        """Add a file, which is written in a thread of its own.

        Args:
            step: The update.
            kind: ``image``, ``figure``, ``table``, ``text`` or ``file``.
            name: What it shows.
            write: Writes it into a folder and returns its name there.
            **details: More for the receiver, plain data.
        """

        def job() -> None:
            try:
                folder = self._new_folder()
                self.add_kept_file(step, kind, name, folder / write(folder), **details)
            except Exception as error:
                self._warn(f"{kind} {name}", error)

        if not self._writer.put(job):
            self._warn(f"{kind} {name}", TimeoutError("too much waits to be written"))

    def add_kept_file(self, step: int, kind: str, name: str, path: Path, **details: Any) -> None:
        """Add a file or folder that stands in a folder of `keep` already."""
        item = {"kind": kind, "path": path.relative_to(self.folder).as_posix(), **details}
        self._add(self.files, step, {f"{kind}/{name}": item})
        self._schedule()

    def keep(self, source: Path) -> Path:
        """Link a folder of files that are never changed, only deleted, and return the links' one.

        Raises:
            OSError: The disk refuses.
        """
        kept = self._new_folder() / source.name
        shutil.copytree(source, kept, copy_function=_link)
        return kept

    def save(self) -> None:
        """Write what was collected to the disk."""
        for outbox in (self.rows, self.files):
            self._flush(outbox)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.receiver.record, indent=2, default=str)
            replace_text(self.folder / RECORD, text.encode())
        except OSError as error:
            self._warn(f"writing {self.folder}", error)

    def close(self, status: str | None) -> int:
        """Send the rest, at most for `finish_timeout`, and return how many bytes are left.

        Args:
            status: success, failed or interrupted; None leaves that of the run as it is.
        """
        if status is not None:
            self.receiver.record["status"] = status
        self._writer.end(self.finish_timeout)
        self.save()

        def last() -> None:
            self._deliver(is_last=True)
            if self._is_open:
                self._try("closing the run", lambda: self._close(status))

        self._queue.put(last)
        reachable = self._try("sending the rest", self.receiver.check_reachable)
        self._queue.end(self.finish_timeout if reachable else 1.0)
        self._is_ended = True  # a request that still hangs must not move the cursors later
        self.save()
        left = self.rows.bytes_left + self.files.bytes_left
        if left and not self._warned:
            self._warn("sending the rest", TimeoutError(f"not done in {self.finish_timeout:g} s"))
        return left

    def _new_folder(self) -> Path:
        # Unique also among the processes of one run.
        folder = self.folder / FILES / f"{time.time_ns()}-{os.getpid()}"
        folder.mkdir(parents=True)
        return folder

    def _add(self, outbox: Outbox, step: int, values: Mapping[str, Any]) -> None:
        try:
            outbox.add(step, values)
        except OSError as error:
            self._warn(f"writing {outbox.path}", error)

    def _flush(self, outbox: Outbox) -> None:
        try:
            outbox.flush()
        except OSError as error:
            self._warn(f"writing {outbox.path}", error)

    # ---- sending, in the thread

    def _schedule(self) -> None:
        # Nothing is sent before it is known what was measured again.
        if self._has_begun and not self._is_scheduled:
            self._is_scheduled = True
            self._queue.put(self._deliver, can_wait=True)

    def _deliver(self, is_last: bool = False) -> None:
        self._is_scheduled = False
        for outbox in (self.rows, self.files):
            self._flush(outbox)
        if time.monotonic() < self._not_before and not is_last:
            return

        began = time.monotonic()
        # Files are large, and kept elsewhere than rows: neither waits for the other's success.
        sent = self._try("opening the run", self._open)
        if sent:
            rows = self._try("sending rows", self._send_rows)
            sent = self._try("sending files", self._send_files) and rows
        ended = time.monotonic()
        # A tenth of the time at most: meanwhile training has half a processor.
        self._pause = max(PAUSE, 9.0 * (ended - began)) if sent else 2.0 * self._pause
        self._not_before = ended + min(self._pause, LONGEST_PAUSE)

    def _try(self, what: str, job: Callable[[], None]) -> bool:
        if self._is_ended:  # another delivery may send from the same folder now
            return False
        try:
            job()
        except Exception as error:  # of the tracker's libraries: any
            if not self._is_ended:
                self._warn(what, error)
            return False
        return True

    def _open(self) -> None:
        self.receiver.check_reachable()
        if self._is_open:
            return

        self.receiver.open()
        if self._asks_last_step and self.rows in self._held:
            for held, _ in self._held.values():
                held.up_to = self.receiver.last_step()
        self._is_open = True

    def _send_rows(self) -> None:
        while lines := self.rows.read(MOST_LINES):
            self.rows.trying(lines[-1].end)
            new = [self._without_held(self.rows, line) for line in lines]
            confirmed = self.receiver.send_rows([line for line in new if line.values])
            self._move(self.rows, lines[-1].end, confirmed)
        self.receiver.send_summary()

    def _send_files(self) -> None:
        while lines := self.files.read(1):
            line = lines[0]
            self.files.trying(line.end)
            confirmed = True
            for name, item in self._without_held(self.files, line).values.items():
                path = self.folder / item["path"]
                if path.exists():
                    confirmed = self.receiver.send_file(line, name, {**item, "path": str(path)})
                else:
                    self._warn("sending files", FileNotFoundError(f"{path} is gone"))
            self._move(self.files, line.end, confirmed)
            if confirmed:
                self._remove_files(line)
            self._send_rows()  # what came meanwhile

    def _move(self, outbox: Outbox, end: int, confirmed: bool) -> None:
        if self._is_ended:
            raise TimeoutError("answered after the run was closed")
        outbox.position = end
        if confirmed:
            outbox.confirm(end)

    def _remove_files(self, line: Line) -> None:
        for item in line.values.values():
            shutil.rmtree((self.folder / item["path"]).parent, ignore_errors=True)

    def _without_held(self, outbox: Outbox, line: Line) -> Line:
        values = line.values
        if line.end <= self._again[outbox]:
            values = self.receiver.missing(line)
        held, start = self._held.get(outbox, (None, 0))
        if held is not None and line.end > start:
            values = held.drop_held(line.step, values)
            if set(values) == {"epoch"}:  # of a row whose numbers are all there
                values = {}
        return Line(line.end, line.step, line.time, values)

    def _close(self, status: str | None) -> None:
        self.receiver.close(status)
        if self._is_ended:
            return
        for outbox in (self.rows, self.files):
            outbox.confirm(outbox.position)
        if not self.files.bytes_left:
            shutil.rmtree(self.folder / FILES, ignore_errors=True)

    def _warn(self, what: str, error: BaseException) -> None:
        """Warn, once for each kind of failure."""
        # A tracker that is away fails in everything alike.
        kind = "" if isinstance(error, ConnectionError) else what
        if (kind, type(error).__name__) not in self._warned:
            self._warned.add((kind, type(error).__name__))
            log.warning(
                "%s: %s failed and the run goes on; this is told once. %s: %s\nWhat was not sent "
                "stays in %s and is tried again. %s",
                type(self.receiver).__name__.removesuffix("Receiver"),
                what,
                type(error).__name__,
                (str(error).strip() or "no reason given")[:300],
                self.folder,
                self.advice,
            )


def _link(source: str, target: str) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # a disk without links
        shutil.copy2(source, target)
