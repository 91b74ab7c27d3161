"""WandbLink: one W&B run, spoken to from a thread, that never raises and never makes wait."""

from __future__ import annotations

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
OPENING_SECONDS = 20.0  # beside the server's answer: wandb's process, checks of the key
CREDENTIALS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")

_opened: dict[str, Any] = {}  # runs that links of this process have opened, by id
_opening = threading.Lock()  # wandb.init looks at wandb.run, which another link may be setting


def is_opened_here(run_id: str) -> bool:
    """Whether a link of this process opened a run, which is not finished yet."""
    return run_id in _still_open()


def _still_open() -> list[str]:
    for known, run in list(_opened.items()):
        if getattr(run, "_is_finished", False):  # also where the user called wandb.finish()
            _opened.pop(known, None)
    return list(_opened)


def server_answers(address: str) -> bool:
    """Whether a server says anything at all, within 3 seconds."""
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


class WandbLink:
    """Opens a W&B run, does what it is given in order, and closes it before a deadline.

    Everything that talks to wandb runs in one thread: a dead server, a full disk or a stuck wandb
    process delays that thread, not training. The first failure is warned about, once. After five
    failures in a row nothing more is tried.

    A run that somebody else has opened (`wandb.run`) is used and left open.

    Args:
        arguments: For wandb.init; ``id`` among them.
        mode: ``online``, ``offline``, or None for what WANDB_MODE says, else online where there is
            a key, else offline; never asks for one.
        settings: Of wandb.Settings, by name.
        init_timeout: Seconds for the server's first answer.
        finish_timeout: Seconds for what is left to be sent at the end.
        on_stop: Called when somebody presses the Stop button of the run's page.

    Attributes:
        run: The wandb.Run; None before it is open, and where it could not be opened.
        is_own: Whether it was opened here.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        *,
        mode: str | None,
        settings: Mapping[str, Any],
        init_timeout: float,
        finish_timeout: float,
        on_stop: Callable[[], None],
    ) -> None:
        import wandb

        self.wandb: Any = wandb
        self.arguments, self.mode = dict(arguments), mode
        self.finish_timeout = finish_timeout
        self.settings = {
            "init_timeout": init_timeout,
            # Half is for uploads, a tenth for what wandb does besides waiting.
            "finish_timeout": max(1.0, 0.4 * finish_timeout),
            "finish_timeout_raises": True,
            "x_transaction_log_flush_interval": 1.0,
            "stop_fn": lambda: on_stop(),
            **settings,
        }
        existing = wandb.run
        self.is_own = existing is None or is_opened_here(existing.id)
        self.run: Any = None if self.is_own else existing
        self.failed: list[str] = []
        self._in_a_row = 0
        self._queue = BackgroundQueue("wandb")
        self._is_open = threading.Event()  # or cannot be opened
        self._open_seconds = init_timeout + OPENING_SECONDS
        if self.is_own:
            self._queue.put(self._open)
        else:
            self._is_open.set()

    @property
    def is_dead(self) -> bool:
        """Whether nothing more is tried."""
        return self._in_a_row >= MOST_FAILURES

    @property
    def is_online(self) -> bool:
        """Whether a server gets what is logged."""
        return self.run is not None and not (self.run.offline or self.run.disabled)

    def do(self, what: str, job: Callable[[Any], None], *, can_wait: bool = False) -> None:
        """Call something with the run when it is its turn.

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
                self._in_a_row = 0
            except Exception as error:  # wandb raises TypeError, ConnectionResetError and others
                self._in_a_row += 1
                self.warn(what, error)

        if not self._queue.put(guarded, can_wait=can_wait):
            self.warn(what, TimeoutError("wandb takes nothing any more"))

    def warn(self, what: str, error: BaseException) -> None:
        """Say, once, that something failed."""
        self.failed.append(f"{what}: {type(error).__name__}: {error}")
        if len(self.failed) == 1:
            text = str(error).strip() or "no reason given"
            log.warning(
                "W&B: %s failed and the run goes on; later failures are not reported. %s: %s%s",
                what,
                type(error).__name__,
                text[:300],
                f"\n{self.advice()}" if self.advice() else "",
            )

    def advice(self) -> str:
        """How to send what stands on this disk; empty where nothing does."""
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
                _opened[self.run.id] = self.run
        finally:
            self._is_open.set()

    def _open_in_turn(self, online: bool) -> None:
        self._await_a_free_folder()
        address = str(self.settings.get("base_url") or self.wandb.setup().settings.base_url)
        # Wandb tries for long where nobody answers, and cannot be told to stop.
        refusal: Exception = ConnectionError(f"{address} does not answer")
        there = online and server_answers(address)
        for mode in ("online", "offline") if there else ("offline",):
            try:
                self.run = self.wandb.init(
                    **self.arguments,
                    mode=mode,
                    resume="allow",
                    # Without it, init gives back the run that another logger has open.
                    reinit=None if self.wandb.run is None else "create_new",
                    settings=self.wandb.Settings(**self.settings),
                )
            except Exception as error:
                refusal = error
                if mode == "online" and self.wandb.run is None and not _still_open():
                    self._forget_failed_run()
                continue
            if mode == "offline" and online:
                self.warn("going online", refusal)
            return
        self.warn("opening a run", refusal)

    def _await_a_free_folder(self) -> None:
        """Wandb names a run's folder by second and id: a test right after fit would share it."""
        folder = Path(self.arguments.get("dir") or ".") / "wandb"
        while any(folder.glob(f"*-{time.strftime('%Y%m%d_%H%M%S')}-{self.arguments['id']}")):
            time.sleep(0.05)

    def _forget_failed_run(self) -> None:
        """A second init with the same id is refused in the same wandb process."""
        try:
            self.wandb.teardown(exit_code=0)
        except Exception as error:
            log.debug("wandb.teardown: %s", error)

    def _goes_online(self) -> bool:
        if self.mode in ("online", "offline"):
            asked: str | None = self.mode
        else:
            asked = os.environ.get("WANDB_MODE")
        if asked == "offline":
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
            return bool(self.wandb.login(prompt=False, verify=False))
        except Exception as error:
            log.debug("wandb.login: %s", error)
            return False

    # ---- closing

    def wait_until_open(self) -> bool:
        """Wait for the opening, which takes a bounded time; whether there is a run."""
        self._is_open.wait(self._open_seconds)
        return self.run is not None

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until all is handed to wandb."""
        return self._queue.wait(self.finish_timeout if seconds is None else seconds)

    def answers(self) -> bool:
        """Whether the server says anything at all, within 3 seconds."""
        return server_answers(str(self.run.settings.base_url))

    def close(self, exit_code: int, deadline: float) -> bool:
        """Finish the run if it is ours, at most until a time of `time.monotonic`.

        Returns:
            Whether all went well, as far as wandb tells.
        """
        if self.is_own:
            self._queue.put(lambda: self._finish(exit_code))
        done = self._queue.end(max(1.0, deadline - time.monotonic()))
        if not done:
            self.warn("sending the rest", TimeoutError(f"not done in {self.finish_timeout} s"))
        return done and not self.failed

    def _finish(self, exit_code: int) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(exit_code=exit_code)
        except Exception as error:  # also where everything failed before: wandb may hang on exit
            self.warn("sending the rest", error)
