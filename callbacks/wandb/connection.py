"""WandbConnection: one W&B run, called from a thread; it never raises and never makes wait."""

import http.client
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.wandb.background_queue import BackgroundQueue

log = logging.getLogger("lightning_tf")

MOST_FAILURES = 5  # in a row; then W&B is left alone
PROBE_SECONDS = 3.0
OPENING_SECONDS = 20.0  # besides the server's answer: wandb's process, checks of the key
CREDENTIALS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")

_open_runs: dict[str, Any] = {}  # runs that connections of this process have opened, by id
_opening = threading.Lock()  # wandb.init reads wandb.run, which another connection may be setting


def open_run_ids() -> list[str]:
    """Return the ids of the runs that this process opened and that are not finished yet."""
    for run_id, run in list(_open_runs.items()):
        if getattr(run, "_is_finished", False):  # also where the user called wandb.finish()
            _open_runs.pop(run_id, None)
    return list(_open_runs)


def is_reachable(address: str) -> bool:
    """Return whether a server sends any answer within 3 seconds."""
    if not address.startswith(("http://", "https://")):
        return False
    try:
        urllib.request.urlopen(address, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True  # it refuses, but it is there
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


class WandbConnection:
    """Opens a W&B run, calls it in order, and closes it before a deadline.

    Everything that calls wandb runs in one thread: a dead server, a full disk or a stuck wandb
    process delays that thread, not training. It warns once of each kind of failure. After five
    failures in a row it tries nothing more.

    A run that somebody else has opened (`experiment`, or `wandb.run`) is used and left open.

    Args:
        arguments: For wandb.init; ``id`` among them.
        mode: ``online``, ``offline``, ``shared``, or None: online if there is a key, else offline;
            it never asks for a key.
        settings: For wandb.Settings, by name.
        experiment: An open wandb.Run to use, or None.
        init_timeout: Seconds for the server's first answer.
        finish_timeout: Seconds for sending the rest at the end.
        on_stop: Called when somebody presses the Stop button of the run's page.

    Attributes:
        run: The wandb.Run; None before it is open, and if it could not be opened.
        is_own: Whether it was opened here.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        *,
        mode: str | None,
        settings: Mapping[str, Any],
        experiment: Any = None,
        init_timeout: float,
        finish_timeout: float,
        on_stop: Callable[[], None],
    ) -> None:
        import wandb

        self.wandb: Any = wandb
        self.arguments, self.mode = dict(arguments), mode
        self.finish_timeout = finish_timeout

        ours = {
            "init_timeout": init_timeout,
            # Half is for uploads, a tenth for what wandb does besides waiting.
            "finish_timeout": max(1.0, 0.4 * finish_timeout),
            "finish_timeout_raises": True,
            "x_transaction_log_flush_interval": 1.0,  # wandb before 0.31 has none
            "stop_fn": lambda: on_stop(),
        }
        known = wandb.Settings.model_fields
        self.settings = {name: value for name, value in ours.items() if name in known} | {
            **settings
        }

        existing = experiment or wandb.run
        self.is_own = existing is None or existing.id in open_run_ids()
        self.run: Any = None if self.is_own else existing
        self.failures: list[str] = []
        self._warned: set[tuple[str, type[BaseException]]] = set()
        self._failures_in_a_row = 0

        self._queue = BackgroundQueue("wandb")
        self._opening_ended = threading.Event()  # with a run or without
        self._open_seconds = init_timeout + OPENING_SECONDS
        if self.is_own:
            self._queue.put(self._open)
        else:
            self._opening_ended.set()

    @property
    def is_dead(self) -> bool:
        """Return whether nothing more is tried."""
        return self._failures_in_a_row >= MOST_FAILURES

    @property
    def is_online(self) -> bool:
        """Return whether a server gets what is logged."""
        return self.run is not None and not (self.run.offline or self.run.disabled)

    @property
    def is_numbered(self) -> bool:
        """Return whether rows have numbers of ours: several writers share none."""
        return self.is_own and self.mode != "shared"

    def call(self, what: str, job: Callable[[Any], None], *, can_wait: bool = False) -> None:
        """Call a function with the run when it is its turn.

        Args:
            what: For the warning.
            job: Gets the wandb.Run.
            can_wait: See `BackgroundQueue.put`.
        """

        def guarded() -> None:
            if self.run is None or self.is_dead:
                return
            try:
                job(self.run)
                self._failures_in_a_row = 0
            except Exception as error:  # wandb raises TypeError, ConnectionResetError and others
                self._failures_in_a_row += 1
                self.warn(what, error)

        if not self._queue.put(guarded, can_wait=can_wait):
            self.warn(what, TimeoutError("wandb takes nothing any more"))

    def warn(self, what: str, error: BaseException, advice: str | None = None) -> None:
        """Warn that something failed, once for each kind of thing and of error.

        Args:
            what: A kind of thing, maybe with its name in parentheses.
            error: What happened.
            advice: What to do; `advice` where it is None.
        """
        self.failures.append(f"{what}: {type(error).__name__}: {error}")
        kind = (what.partition(" (")[0], type(error))  # without the name of a value or a file
        if kind in self._warned:
            return
        self._warned.add(kind)
        advice = self.advice() if advice is None else advice
        log.warning(
            "W&B: %s failed and the run goes on; later failures of this kind are not reported. "
            "%s: %s%s",
            what,
            type(error).__name__,
            (str(error).strip() or "no reason given")[:300],
            f"\n{advice}" if advice else "",
        )

    def advice(self) -> str:
        """Return how to send what stands on this disk; empty where nothing does."""
        if self.run is None or not self.is_own:
            return ""

        # One run may have several folders: of processes that were killed, or that came later.
        folder = Path(self.run.settings.sync_dir)
        command = f"wandb sync --include-online {folder.parent}/*-{self.run.id}"
        return f"What was not sent stays on this disk; to send it: {command}"

    # ---- opening, in the thread

    def _open(self) -> None:
        try:
            with _opening:
                self._open_in_turn(self._goes_online())
            if self.run is not None:
                _open_runs[self.run.id] = self.run
        finally:
            # Whatever happened: somebody may be waiting.
            self._opening_ended.set()

    def _open_in_turn(self, online: bool) -> None:
        """Open the run online, or offline where that fails."""
        self._await_a_free_folder()
        address = str(self.settings.get("base_url") or self.wandb.setup().settings.base_url)
        # Wandb tries for long where nobody answers, and cannot be stopped.
        refusal: Exception = ConnectionError(f"{address} does not answer")
        reachable = online and is_reachable(address)

        wanted = "shared" if self.mode == "shared" else "online"
        for mode in (wanted, "offline") if reachable else ("offline",):
            try:
                self.run = self._init(mode)
            except Exception as error:
                refusal = error
                if mode == wanted and self.wandb.run is None and not open_run_ids():
                    self._forget_failed_run()
                continue

            if mode == "offline" and online:
                self.warn("going online", refusal)
            return

        self.warn("opening a run", refusal)

    def _init(self, mode: str) -> Any:
        """Call wandb.init; once more where wandb's own process has died."""
        try:
            return self._init_once(mode)
        except Exception as error:
            if not _is_of_dead_process(error):
                raise
            # Of no use to anybody any more: a new one comes up with the next call.
            _open_runs.clear()
            self._forget_failed_run()
            self.wandb.run = None
            return self._init_once(mode)

    def _init_once(self, mode: str) -> Any:
        return self.wandb.init(
            **self.arguments,
            mode=mode,
            resume="allow",
            # Without it, init returns the run that another logger has open.
            reinit=None if self.wandb.run is None else "create_new",
            settings=self.wandb.Settings(**{**self.settings, "mode": mode}),
        )

    def _await_a_free_folder(self) -> None:
        """Wait for the next second: wandb names a run's folder by second and id."""
        # Otherwise a test right after fit would share the folder of the fit.
        folder = Path(self.arguments.get("dir") or ".") / "wandb"
        while any(folder.glob(f"*-{time.strftime('%Y%m%d_%H%M%S')}-{self.arguments['id']}")):
            time.sleep(0.05)

    def _forget_failed_run(self) -> None:
        """Tear wandb down: the same process refuses a second init with the same id."""
        try:
            self.wandb.teardown(exit_code=0)
        except Exception as error:
            log.debug("wandb.teardown: %s", error)

    def _goes_online(self) -> bool:
        if self.mode == "offline":
            return False
        if self._has_key():
            return True

        log.warning(
            "W&B: there is no API key, so the run is kept on this disk. To have it online: `wandb "
            "login` (or WANDB_API_KEY) before a run, `wandb sync %s/*-%s` after this one.",
            os.path.join(self.arguments.get("dir") or ".", "wandb"),
            self.arguments["id"],
        )
        return False

    def _has_key(self) -> bool:
        if self.settings.get("api_key") or any(os.environ.get(name) for name in CREDENTIALS):
            return True
        try:
            # Reads the key of an earlier `wandb login`; asks nobody.
            return bool(self.wandb.login(prompt=False, verify=False))
        except Exception as error:
            log.debug("wandb.login: %s", error)
            return False

    # ---- closing

    def wait_until_open(self) -> bool:
        """Wait for the opening, which takes a bounded time, and return whether there is a run."""
        self._opening_ended.wait(self._open_seconds)
        return self.run is not None

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until everything is handed to wandb, and return whether it is."""
        return self._queue.wait(self.finish_timeout if seconds is None else seconds)

    def is_server_reachable(self) -> bool:
        """Return whether the server sends any answer within 3 seconds."""
        return is_reachable(str(self.run.settings.base_url))

    def count_rows(self) -> int | None:
        """Return how many rows the server has of the run; None where it does not say."""
        settings = self.run.settings
        try:
            api = self.wandb.Api(
                overrides={"base_url": settings.base_url},
                api_key=settings.api_key,
                timeout=int(PROBE_SECONDS),
            )
            return int(api.run(self.run.path).historyLineCount)
        except Exception as error:  # no permission to read, or a server that knows no such count
            log.debug("W&B: counting rows: %s", error)
            return None

    def close(self, exit_code: int, deadline: float) -> bool:
        """Finish the run if it was opened here, at most until a time of `time.monotonic`.

        Returns:
            Whether everything went well, as far as wandb tells.
        """
        if self.is_own:
            # After all jobs that were given before.
            self._queue.put(lambda: self._finish(exit_code))
        done = self._queue.end(max(1.0, deadline - time.monotonic()))
        if not done:
            self.warn("sending the rest", TimeoutError(f"not done in {self.finish_timeout} s"))
        return done and not self.failures

    def _finish(self, exit_code: int) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(exit_code=exit_code)
        except Exception as error:  # also where everything failed before: wandb may hang on exit
            self.warn("sending the rest", error)


def _is_of_dead_process(error: Exception) -> bool:
    """Return whether wandb's own process, which talks to the server, has gone."""
    return isinstance(error, ConnectionError) or type(error).__name__ == "MailboxClosedError"
