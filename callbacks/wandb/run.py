"""WandbRun: one W&B run of one entry point: its rows, files and checkpoints, in their order."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.wandb.run_metadata import git_state, package_versions
from lightning_tf.callbacks.wandb.journal import HeldRows, Row, WandbJournal
from lightning_tf.callbacks.wandb.connection import WandbLink
from lightning_tf.callbacks.wandb.transaction_log import remove_if_empty, rows_in
from lightning_tf.callbacks.wandb.uploads import SLOWEST, WandbUploads
from lightning_tf.hyperparameters import plain

log = logging.getLogger("lightning_tf")

AXIS = "trainer/global_step"
OUR_METRICS = ("train/*", "val/*", "test/*", "gradients/*", "weights/*")


class WandbRun:
    """Puts a run's rows under the same numbers into W&B and into a journal on this disk.

    Args:
        folder: Of the run, for the journal and for uploads.
        arguments: Of wandb.init.
        mode: See `WandbLink`.
        settings: See `WandbLink`.
        timeouts: Seconds for the beginning and for the end.
        on_stop: See `WandbLink`.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Mapping[str, Any],
        *,
        mode: str | None,
        settings: Mapping[str, Any],
        timeouts: tuple[float, float],
        on_stop: Callable[[], None],
    ) -> None:
        self.journal = WandbJournal(folder)
        self.link = WandbLink(
            arguments,
            mode=mode,
            settings=settings,
            init_timeout=timeouts[0],
            finish_timeout=timeouts[1],
            on_stop=on_stop,
        )
        self.uploads = WandbUploads(folder, self._waited_for, self.link.warn)
        self._held = HeldRows()
        self._begun = False

    def configure(self, hparams: Mapping[str, Any]) -> None:
        """Send the config and define the axis."""

        def job(run: Any) -> None:
            facts = {"packages": package_versions(), "git": git_state()}
            run.config.update(plain({**hparams, **facts}), allow_val_change=True)
            run.define_metric(AXIS)
            # In a run of somebody else, only what is ours is put on our axis.
            for name in ("*",) if self.link.is_own else OUR_METRICS:
                run.define_metric(name, step_metric=AXIS, step_sync=True)

        self.link.do("the config", job)

    def begin(self, resumed_at: int | None) -> None:
        """Compare with what W&B holds of the run already, before the first row.

        Args:
            resumed_at: The update that the run was resumed at; None where it was not.
        """
        if self._begun:
            return
        self._begun = True
        self.link.do("the comparison with earlier rows", lambda run: self._compare(run, resumed_at))

    def _compare(self, run: Any, resumed_at: int | None) -> None:
        if not self.link.is_own:
            return
        held = run.starting_step
        if run.offline:
            here = Path(run.settings.sync_dir)
            logs = list(here.parent.glob(f"*-{run.id}/run-{run.id}.wandb"))
            earlier = [path for path in logs if path.parent.name != here.name]
            for path in earlier:
                remove_if_empty(path)
            held = max((rows_in(path) for path in earlier), default=0)
        else:
            self.uploads.retry()
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

    def row(self, step: int, epoch: float, values: Mapping[str, Any]) -> None:
        """Add a row.

        Args:
            step: The update.
            epoch: The epoch.
            values: Numbers and texts, or functions of the module wandb that make something else.
        """
        self.begin(None)
        number = self._noted(step, {"epoch": epoch, **values})

        def job(run: Any) -> None:
            self.note()  # before W&B has it: a row that only W&B knows of would come twice
            fresh = self._held.without_held(step, dict(values))
            if fresh:
                fresh["epoch"] = epoch
                # Somebody else may have logged to the same run, and taken numbers.
                self.journal.shift(number, next_step(run) if self.link.is_own else 0)
                self._send(run, self.journal.shifted(number), Row(number, step, fresh))

        self.link.do("a row", job, can_wait=True)

    def _noted(self, step: int, values: Mapping[str, Any]) -> int:
        try:
            return self.journal.add(step, values)
        except OSError as error:
            self.link.warn(f"writing {self.journal.path}", error)
            return self.journal.newest

    def note(self) -> None:
        """Bring the journal to the disk."""
        try:
            self.journal.flush()
        except OSError as error:
            self.link.warn(f"writing {self.journal.path}", error)

    def _send(self, run: Any, number: int, row: Row) -> None:
        """Log what of a row can be logged."""
        made: dict[str, Any] = {}
        for name, value in row.values.items():
            try:
                made[name] = self._made(value)
            except Exception as error:
                self.link.warn(f"logging {name}", error)
        if not made:
            return
        made[AXIS] = row.step
        if self.link.is_own:
            run.log(made, step=number, commit=True)
        else:
            run.log(made)

    def _made(self, value: Any) -> Any:
        if callable(value):
            return value(self.link.wandb)
        if isinstance(value, (bool, int, float, str)):
            return value
        return float(value)

    # ---- files

    def file(self, name: str, path: str) -> None:
        """Copy a file into the run and send it."""

        def job(run: Any) -> None:
            target = Path(run.dir) / name / os.path.basename(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            run.save(str(target), base_path=run.dir, policy="now")

        self.link.do(f"the file {path}", job)

    def _waited_for(self) -> Any:
        """The wandb.Run, for uploads that begin before it is open."""
        self.link.wait_until_open()
        return None if self.link.is_dead else self.link.run

    # ---- the end

    def flush(self) -> None:
        """Wait until all is handed over."""
        self.link.wait_until_open()
        self.link.flush()
        self.uploads.end(time.monotonic() + self.link.finish_timeout)
        self.note()

    def close(self, exit_code: int) -> None:
        """Send what is left and close, all before one deadline."""
        self.link.wait_until_open()
        deadline = time.monotonic() + self.link.finish_timeout
        self.link.flush(self.link.finish_timeout / 2)  # what uploads are left is known then
        waiting = self.uploads.bytes_waiting
        if waiting:
            if self.link.is_online and self.link.answers():
                deadline += waiting / SLOWEST
            rest = self.link.finish_timeout / 2  # what wandb may take to send its rows
            if not self.uploads.end(deadline - rest):
                self.link.warn("the upload of a checkpoint", TimeoutError("not done in time"))
        self.link.close(exit_code, deadline)
        self.note()


def next_step(run: Any) -> int:
    """The number of the next row in an open wandb.Run.

    Wandb counts it in this process; ``run.step`` asks wandb's own process, which took twice as long
    as sending a row.
    """
    counted = getattr(run, "_local_step", None)
    return int(run.step if counted is None else counted)
