"""Uploads: sends the working copies of a run to their URLs, in a thread beside training."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import file_system, url_of
from lightning_tf.storage.remote_checkpoint import RemoteCheckpoint
from lightning_tf.storage.remote_files import checkpoints_below, send_file, unsent_files
from lightning_tf.storage.transfer import TransferStopped, reason

log = logging.getLogger("lightning_tf")

TIMEOUT = "LIGHTNING_TF_UPLOAD_TIMEOUT"
DEFAULT_TIMEOUT = 600.0  # seconds that the end of an entry point waits for the store
FILES_EVERY = 30.0  # seconds between two looks at files that are no checkpoints
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between two tries of a store that is away
PROBE = ".lightning_tf_writes_here"
TRIES = 3  # of a store that must answer before training
GRACE = 5.0  # seconds for a thread that was told to stop
SHOWN = 5


class Uploads:
    """Sends what changes in the working copies that a run writes to, as long as the run lasts.

    Checkpoints come first, the newest before the others, and are deleted in the store only after
    those that stand here have been sent: whenever the process is killed, the store has a whole one.
    Other files follow every half a minute. A store that is away is told once and tried again; it
    never ends a run.

    Example:
        >>> with UPLOADS.session():
        ...     UPLOADS.open(local_path("dirpath", "s3://bucket/run"))
    """

    def __init__(self) -> None:
        self._depth = 0
        self._sends = True
        self._timeout = DEFAULT_TIMEOUT
        self._begin()

    def _begin(self) -> None:
        self._folders: list[Path] = []
        self._removed: list[Path] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._ending = self._stopped = self._is_away = False
        self._failing: dict[Path, str] = {}
        self._files_at = 0.0

    # ---- the run's side

    @contextmanager
    def session(self, sends: bool = True) -> Iterator[None]:
        """Send what is opened inside; when the outermost one ends, wait until all is sent.

        Args:
            sends: Whether this process does; one of several workers does.

        Raises:
            ConfigurationError: The environment's timeout is no number.
        """
        if self._depth == 0:
            self._sends, self._timeout = sends, _timeout()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._end()

    def open(self, folder: str | os.PathLike[str]) -> None:
        """Send a folder's changes until the session ends; nothing for one that is no working copy.

        Raises:
            ConfigurationError: The store does not take anything there.
        """
        url = url_of(folder)
        path = Path(os.path.abspath(folder))
        if url is None or not self._sends or any(path.is_relative_to(f) for f in self._folders):
            return

        _check_writable(url)
        path.mkdir(parents=True, exist_ok=True)
        log.info(
            "%s: written to %s on this disk first, and uploaded from there in the background.",
            url,
            path,
        )
        with self._lock:
            self._folders.append(path)
        if self._thread is None and self._depth:
            # A daemon: a store that hangs must not keep a process that was told to end.
            self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
            self._thread.start()

    def written(self) -> None:
        """Look at the checkpoints now: one has been written."""
        self._wake.set()

    def removed(self, path: str | os.PathLike[str]) -> None:
        """Delete a checkpoint in the store too, once those that stand here are sent."""
        if url_of(path) is not None and self._sends:
            with self._lock:
                self._removed.append(Path(path))
            self._wake.set()

    def _end(self) -> None:
        thread, timeout = self._thread, self._timeout
        try:
            if thread is not None:
                self._ending = True
                self._wake.set()
                thread.join(min(1.0, timeout))
                if thread.is_alive():
                    log.info("waiting until all is uploaded, at most %g seconds.", timeout)
                    thread.join(timeout)
        finally:  # also Ctrl-C
            self._stopped = True
            self._wake.set()
            if thread is not None:
                thread.join(GRACE)
                self._name_unsent()
            self._begin()

    def _name_unsent(self) -> None:
        unsent = [path for path in self._unsent() if url_of(path)]
        if unsent:
            shown = ", ".join(str(url_of(path)) for path in unsent[:SHOWN])
            more = f" and {len(unsent) - SHOWN} more" if len(unsent) > SHOWN else ""
            why = next((f" ({self._failing[p]})" for p in unsent if p in self._failing), "")
            log.warning(
                "not uploaded%s: %s%s. It stands in %s; the next run with this URL on this machine "
                "uploads it, or copy it from there.",
                why,
                shown,
                more,
                os.path.commonpath([path.parent for path in unsent]),
            )

    def _unsent(self) -> list[Path]:
        with self._lock:
            folders = list(self._folders)
        found = []
        for folder in folders:
            found += [p for p in checkpoints_below(folder) if not RemoteCheckpoint(p).is_sent()]
            found += list(unsent_files(folder))
        return found

    # ---- the thread's side

    def _work(self) -> None:
        failures = 0
        while not self._stopped:
            self._wake.clear()
            ending = self._ending  # before the look: what was written until then is seen
            failures = 0 if self._send_all(ending) else failures + 1
            if ending and not failures:
                return
            wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT) if failures else FILES_EVERY
            if failures:
                # What is written meanwhile is no reason to ask a store that is away.
                self._pause(min(wait, 2.0) if self._ending else wait)
            else:
                self._wake.wait(wait)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        was_ending = self._ending
        while time.monotonic() < until and not self._stopped and self._ending == was_ending:
            time.sleep(0.05)

    def _send_all(self, ending: bool) -> bool:
        """Send what changed and delete what was removed; return whether all went well."""
        with self._lock:
            folders, removed = list(self._folders), list(self._removed)

        checkpoints = [path for folder in folders for path in checkpoints_below(folder)]
        works: list[tuple[Path, Callable[[], None]]] = []
        for path in sorted(checkpoints, key=_written_at, reverse=True):
            checkpoint = RemoteCheckpoint(path)
            if not checkpoint.is_sent():
                works.append((path, lambda c=checkpoint: c.send(lambda: self._stopped)))  # type: ignore[misc]

        if ending or time.monotonic() - self._files_at > FILES_EVERY:
            self._files_at = time.monotonic()
            files = [path for folder in folders for path in unsent_files(folder)]
            works += [(path, lambda p=path: send_file(p)) for path in files]  # type: ignore[misc]

        # What failed before comes last, so that it holds up nothing else.
        works.sort(key=lambda work: work[0] in self._failing)
        removed.sort(key=lambda path: path in self._failing)
        # After all the others, none where one of those fails: the store keeps the old one so long.
        works += [(path, lambda p=path: self._remove(p)) for path in removed]  # type: ignore[misc]
        return all(self._try(path, work) for path, work in works)

    def _remove(self, path: Path) -> None:
        if not path.exists():  # else another one has the name by now, and replaces it
            RemoteCheckpoint(path).remove()
        with self._lock:
            self._removed.remove(path)

    def _try(self, path: Path, work: Callable[[], None]) -> bool:
        if self._stopped:
            return False
        try:
            work()
        except TransferStopped:
            return False
        except Exception as error:  # each store's library has errors of its own
            self._failing[path] = reason(error)
            if not self._is_away:
                self._is_away = True
                log.warning(
                    "%s cannot be written (%s): the run goes on, and it is tried again.",
                    url_of(path),
                    reason(error),
                )
            return False

        self._failing.pop(path, None)
        if self._is_away:
            self._is_away = False
            log.info("%s: the store answers again.", url_of(path))
        return True


UPLOADS = Uploads()


def _check_writable(url: str) -> None:
    system, path = file_system(url)
    problem: Exception | None = None
    for number in range(TRIES):
        try:
            system.pipe_file(f"{path}/{PROBE}", b"")
            system.rm_file(f"{path}/{PROBE}")
            return
        except Exception as error:  # each store's library has errors of its own
            problem = error
            time.sleep(FIRST_WAIT if number < TRIES - 1 else 0)
    raise ConfigurationError(
        f"{url} cannot be written: {reason(problem or OSError())}. Give a URL that can, or a local "
        "path."
    )


def _timeout() -> float:
    text = os.environ.get(TIMEOUT, "")
    try:
        return float(text) if text else DEFAULT_TIMEOUT
    except ValueError as error:
        raise ConfigurationError(f"{TIMEOUT}={text!r}; give a number of seconds.") from error


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
