"""RunStatus: what an entry point of a Trainer is at."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.launched_fit import LaunchedFit
from lightning_tf.stage import Stage, row_name, spellings


@dataclass
class RunStatus:
    """What a run is at; made anew when an entry point begins.

    Everybody reads it through the Trainer's properties; only its own methods write it.

    Attributes:
        entry_point: ``fit``, ``validate``, ``test`` or ``predict``; None outside.
        stage: ``sanity_check``, or a `Stage`'s name; None where no stage runs.
        dataset_name: Of the data set that is evaluated or predicted; None where there is only one.
        stop_requests: Why training shall stop, in the order in which it was asked for.
        resumed: Whether this fit goes on from a checkpoint.
        resumed_in_epoch: Whether the running epoch began in an earlier fit or process.
        in_epoch: Whether an epoch runs, so that its data are chosen.
        ends_together: Whether all workers have agreed to end because of a signal.
        interrupted: Whether an exception, Ctrl-C or a signal has ended the entry point.
        ckpt_path: The checkpoint that was read, or None.
        launched_fit: Which fit of a launch it is; None where no launcher would start it again.
        chief_log_dir: The chief's log folder, which all workers share.
        num_batches: By a stage's prefix, how many batches it has; None where that is unknown.
        window_start_step: `global_step` when the running window began.
        validation_due: Whether validation follows the window that has just ended.
        stage_ends: Whether the evaluation or prediction that runs shall end with this batch.
        givers: By a stage's prefix, what gives each name that its step measures, in all spellings.
        loggers_of: The callback or task that logs a name in its hooks, and the hook's label.
    """

    entry_point: str | None = None
    stage: str | None = None
    dataset_name: str | None = None
    stop_requests: tuple[str, ...] = ()
    resumed: bool = False
    resumed_in_epoch: bool = False
    in_epoch: bool = False
    ends_together: bool = False
    interrupted: bool = False
    ckpt_path: str | None = None
    launched_fit: LaunchedFit | None = None
    chief_log_dir: str | None = None
    num_batches: dict[str, int | None] = field(default_factory=dict)
    window_start_step: int = 0
    validation_due: bool = False
    stage_ends: bool = False
    givers: dict[str, dict[str, str]] = field(default_factory=dict)
    loggers_of: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def note_checkpoint(self, path: str, weights_only: bool) -> None:
        """Note which checkpoint was read; a fit goes on from it, unless it takes weights only."""
        self.ckpt_path = path
        self.resumed = self.entry_point == "fit" and not weights_only

    def note_launched_fit(self, fit: LaunchedFit | None) -> None:
        """Note which fit of a launch begins."""
        self.launched_fit = fit

    def share_log_dir(self, folder: str | None) -> None:
        """Note the chief's log folder."""
        self.chief_log_dir = folder

    def note_num_batches(self, stage: Stage, count: int | None) -> None:
        """Note how many batches a stage has."""
        self.num_batches[stage.prefix] = count

    def note_names(self, stage: Stage, givers: Iterable[tuple[str, str]]) -> None:
        """Note the names of a traced step, each with what gives it."""
        self.givers[stage.prefix] = {
            spelled: f"{giver} ({stage.step})"
            for name, giver in givers
            for spelled in spellings(stage, name)
        }

    def refuse_taken(self, name: str, hook: tuple[Any, str] | None) -> None:
        """Refuse a name that a hook logs, where a step or somebody else's hook gives it.

        Args:
            name: As it was logged.
            hook: Whose hook runs, and its label; None outside of hooks.

        Raises:
            ConfigurationError: One value would replace the other.
        """
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"a hook logs the name {name!r}; give a string.")
        if self.entry_point is None:
            return
        for givers in self.givers.values():
            spelled = name if name in givers else row_name(name)
            if spelled in givers:
                raise ConfigurationError(
                    f"a hook logs {name!r}, but {spelled!r} is {givers[spelled]}, and one would "
                    "replace the other; give another name."
                )

        if hook is not None:
            other, label = self.loggers_of.setdefault(row_name(name), hook)
            if other is not hook[0]:
                raise ConfigurationError(
                    f"{label} and {hook[1]} both log {name!r}, and one would replace the other; "
                    "give one of them another name."
                )

    def enter(self, stage: str) -> None:
        """Be at a stage from now on, also where it fails: `on_exception` may ask which it was."""
        self.stage = stage

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        """Be at a stage inside the block, and at the one before after it."""
        before, self.stage = self.stage, stage
        try:
            yield
        finally:
            self.stage = before

    @contextmanager
    def on_dataset(self, name: str | None) -> Iterator[None]:
        """Be at one of a stage's data sets inside the block."""
        before, self.dataset_name = self.dataset_name, name
        try:
            yield
        finally:
            self.dataset_name = before

    def begin_epoch(self, resumed: bool) -> None:
        """Note that an epoch begins, or goes on where an earlier fit has left it."""
        self.resumed_in_epoch, self.in_epoch = resumed, True

    def end_epoch(self) -> None:
        """Note that the running epoch is over."""
        self.in_epoch = False

    def begin_stage(self) -> None:
        """Note that an evaluation or a prediction begins, which nobody has ended yet."""
        self.stage_ends = False

    def end_stage(self) -> None:
        """Let the evaluation or prediction that runs end with the batch, or after the first."""
        self.stage_ends = True

    def begin_window(self, global_step: int) -> None:
        """Note where a window begins."""
        self.window_start_step = global_step

    def expect_validation(self, due: bool) -> None:
        """Note whether validation follows."""
        self.validation_due = due

    @property
    def stop_reason(self) -> str:
        """Why training shall stop, as the first who asked said; empty where nobody asked."""
        return next(iter(self.stop_requests), "")

    def request_stop(self, reason: str) -> None:
        """Ask training to stop as soon as the minimums allow it; another thread may ask too."""
        if reason not in self.stop_requests:
            self.stop_requests = (*self.stop_requests, reason)

    def withdraw_stop(self, reason: str | None = None) -> None:
        """Take one request back, or all of them."""
        rest = () if reason is None else self.stop_requests
        self.stop_requests = tuple(request for request in rest if request != reason)

    def end_together(self) -> None:
        """Note that all workers end because of a signal, here and now."""
        self.ends_together = True

    def interrupt(self) -> None:
        """Note that an exception ends the entry point."""
        self.interrupted = True

    def end(self) -> None:
        """Leave the entry point; what was counted and read stays known."""
        self.entry_point = self.stage = None
        self.validation_due = False
