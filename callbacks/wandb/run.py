"""WandbRun: one W&B run of one entry point: its rows, files and checkpoints, in their order."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.common.run_metadata import git_state, package_versions
from lightning_tf.callbacks.wandb.connection import WandbConnection
from lightning_tf.callbacks.wandb.journal import HeldRows, Row, WandbJournal
from lightning_tf.callbacks.wandb.transaction_log import count_rows, remove_if_empty
from lightning_tf.callbacks.wandb.uploads import SLOWEST, WandbUploads
from lightning_tf.hyperparameters import plain

log = logging.getLogger("lightning_tf")

AXIS = "trainer/global_step"
COUNTING_SECONDS = 3.0
OWN_METRICS = ("train/*", "val/*", "test/*", "gradients/*", "weights/*")


class WandbRun:
    """Writes a run's rows under the same numbers to W&B and to a journal on this disk.

    Args:
        folder: The run's folder, for the journal and for uploads.
        connect: Opens the connection.
        policy: How files of checkpoints are added: ``immutable`` or ``mutable``.
    """

    def __init__(
        self, folder: Path, connect: Callable[[], WandbConnection], policy: str = "immutable"
    ) -> None:
        self.journal = WandbJournal(folder)
        self.connection = connect()

        # Uploads begin in a thread of their own, maybe before the run is open.
        self.uploads = WandbUploads(folder, self._wait_for_run, self.connection.warn, policy)
        self._held = HeldRows()
        self._has_begun = False
        self._sent = 0  # rows
        self._before: int | None = 0  # rows that the server held; None where it did not say

    def configure(self, hparams: Mapping[str, Any]) -> None:
        """Send the config and define the axis."""

        def job(run: Any) -> None:
            metadata = {"packages": package_versions(), "git": git_state()}
            run.config.update(plain({**hparams, **metadata}), allow_val_change=True)
            run.define_metric(AXIS)
            # In a run of somebody else, only our metrics are put on our axis.
            for name in ("*",) if self.connection.is_own else OWN_METRICS:
                run.define_metric(name, step_metric=AXIS, step_sync=True)

        self.connection.call("the config", job)

    def begin(self, resumed_at: int | None) -> None:
        """Compare with what W&B holds of the run already, before the first row.

        Args:
            resumed_at: The update that the run was resumed at; None where it was not.
        """
        if self._has_begun:
            return
        self._has_begun = True
        self.connection.call(
            "the comparison with earlier rows", lambda run: self._compare(run, resumed_at)
        )

    def _compare(self, run: Any, resumed_at: int | None) -> None:
        if not self.connection.is_numbered:
            return

        held = run.starting_step
        if run.offline:
            # Nobody tells what the server will hold: the logs of earlier processes do.
            here = Path(run.settings.sync_dir)
            logs = here.parent.glob(f"*-{run.id}/run-{run.id}.wandb")
            earlier = [path for path in logs if path.parent.name != here.name]
            for path in earlier:
                remove_if_empty(path)
            held = max((count_rows(path) for path in earlier), default=0)
        else:
            # Online: what an earlier process could not send.
            self.uploads.retry()
            if run.resumed:
                self._before = self.connection.count_rows()

        known = self.journal.first_new
        lost, self._held = self.journal.begin(held, resumed_at)
        if resumed_at is not None and held and not known:  # resumed where its folder is not
            self._held.up_to = int(run.summary.get(AXIS) or -1)

        for row in lost:
            self._send(run, row.number, row)

        last = max(self._held.last_step, self._held.up_to)
        if resumed_at is not None and last > resumed_at:
            log.info(
                "W&B run %s holds rows up to update %d; they are not sent again.", run.id, last
            )

    # ---- rows

    def log_row(self, step: int, epoch: float, values: Mapping[str, Any]) -> None:
        """Add a row.

        Args:
            step: The update.
            epoch: The epoch.
            values: Numbers and texts, or functions of the module wandb that make something else.
        """
        self.begin(None)
        # Numbered here, not in the thread: numbers follow the order of the calls.
        number = self._add_to_journal(step, {"epoch": epoch, **values})

        def job(run: Any) -> None:
            self.flush_journal()  # before W&B has it: a row that only W&B knows would come twice
            new = self._held.drop_held(step, dict(values))
            if new:
                new["epoch"] = epoch
                # Somebody else may have logged to the same run, and used up numbers.
                self.journal.shift(number, next_step(run) if self.connection.is_numbered else 0)
                self._send(run, self.journal.to_wandb_step(number), Row(number, step, new))

        self.connection.call("a row", job, can_wait=True)

    def _add_to_journal(self, step: int, values: Mapping[str, Any]) -> int:
        try:
            return self.journal.add(step, values)
        except OSError as error:
            self.connection.warn(f"the journal ({self.journal.path})", error)
            return self.journal.newest_number

    def flush_journal(self) -> None:
        """Write the journal to the disk."""
        try:
            self.journal.flush()
        except OSError as error:
            self.connection.warn(f"the journal ({self.journal.path})", error)

    def _send(self, run: Any, number: int, row: Row) -> None:
        """Log the values of a row that can be logged."""
        loggable: dict[str, Any] = {}
        for name, value in row.values.items():
            try:
                loggable[name] = self._to_loggable(value)
            except Exception as error:
                self.connection.warn(f"logging a value ({name})", error)
        if not loggable:
            return

        loggable[AXIS] = row.step
        if self.connection.is_numbered:
            run.log(loggable, step=number, commit=True)
            self._sent += 1
        else:
            run.log(loggable)

    def _to_loggable(self, value: Any) -> Any:
        if callable(value):
            return value(self.connection.wandb)
        if isinstance(value, (bool, int, float, str)):
            return value
        return float(value)

    # ---- files

    def log_file(self, name: str, path: str) -> None:
        """Copy a file into the run and send it."""

        def job(run: Any) -> None:
            target = Path(run.dir) / name / os.path.basename(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A copy: the file may change or go before wandb has read it.
            shutil.copyfile(path, target)
            run.save(str(target), base_path=run.dir, policy="now")

        self.connection.call(f"the file ({path})", job)

    def _wait_for_run(self) -> Any:
        """Return the wandb.Run, for uploads that begin before it is open."""
        self.connection.wait_until_open()
        return None if self.connection.is_dead else self.connection.run

    # ---- the end

    def flush(self) -> None:
        """Wait until everything is handed over."""
        self.connection.wait_until_open()
        self.connection.flush()
        self.uploads.end(time.monotonic() + self.connection.finish_timeout)
        self.flush_journal()

    def close(self, exit_code: int) -> None:
        """Send the rest and close, all before one deadline."""
        self.connection.wait_until_open()
        deadline = time.monotonic() + self.connection.finish_timeout
        self.connection.flush(self.connection.finish_timeout / 2)  # then all uploads are known

        waiting = self.uploads.bytes_waiting
        if waiting:
            if self.connection.is_online and self.connection.is_server_reachable():
                # Uploads get more time, but only from a server that answers.
                deadline += waiting / SLOWEST
            rest = self.connection.finish_timeout / 2  # what wandb may take to send its rows
            if not self.uploads.end(deadline - rest):
                self.connection.warn("the upload", TimeoutError("not done in time"))

        if self.connection.close(exit_code, deadline):
            self._confirm()
        self.flush_journal()

    def _confirm(self) -> None:
        """Compare how many rows the server has with how many were sent; tell a difference.

        Something between here and the server may have answered for it: wandb notices nothing.
        """
        if not (self.connection.is_online and self._sent) or self._before is None:
            return
        expected, deadline = self._before + self._sent, time.monotonic() + COUNTING_SECONDS
        held = self.connection.count_rows()
        while held is not None and held < expected and time.monotonic() < deadline:
            time.sleep(0.5)  # servers count a little later than they answer
            held = self.connection.count_rows()
        if held is not None and held < expected:
            # Under its own id W&B would add all rows to those that it has.
            run = self.connection.run
            whole = f"wandb sync --include-online --id {run.id}-whole {run.settings.sync_dir}"
            self.connection.warn(
                "sending the rows",
                ValueError(f"the server has {held} of {expected} rows"),
                f"All of them stay on this disk; to send them as a run of its own: {whole}",
            )


def next_step(run: Any) -> int:
    """Return the number of the next row in an open wandb.Run.

    Wandb counts it in this process; ``run.step`` asks wandb's own process, which took twice as long
    as sending a row.
    """
    count = getattr(run, "_local_step", None)
    return int(run.step if count is None else count)
