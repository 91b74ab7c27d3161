"""TrainerState: what a Trainer drives, and where that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from lightning_tf.checkpoint.host_copies import HostCopies
from lightning_tf.hook_checks import check_hooks
from lightning_tf.hooks import Hooks
from lightning_tf.run.accumulation_schedule import AccumulationSchedule
from lightning_tf.run.build import build_training_state, trainer_clipping
from lightning_tf.run.lineage import Lineage
from lightning_tf.run.progress import Progress
from lightning_tf.run.status import RunStatus
from lightning_tf.run.step_variables import note_step, unmoved

if TYPE_CHECKING:
    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.graph.stage_metrics import StageMetrics
    from lightning_tf.graph.window import Window
    from lightning_tf.loops.evaluation_loop import EvaluationLoop
    from lightning_tf.loops.fit_loop import FitLoop
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class TrainerState:
    """The one writer of what a Trainer drives; others read it through the Trainer's properties.

    A task with its progress, accumulation and training state outlasts an entry point, so that a
    second fit goes on; another task makes them anew. The status is made anew by every `attach`.

    `RunStatus` says what an entry point is at, `Progress` how far the fit has come, and
    `TrainingState` holds what training keeps on the device; `run_state` saves and resumes all.

    Args:
        accumulate_grad_batches: With which every task begins.

    Attributes:
        task: What is driven; None before the first entry point.
        status: What the entry point is at.
        progress: Where the task's fit is.
        lineage: Which run the task's fit belongs to.
        host_copies: Copies the task's variables for checkpoints.
        accumulation: How many batches make an update.
        training: Optimizers and running values; None before the first fit.
        early_optimizers: What `configure_optimizers` gave before there is a training state, for a
            step that builds the models and reads optimizers; else None.
        hooks: Calls hooks on all callbacks and the task; None before the first entry point.
        fit_loop: Of the fit that runs or ran last; None in other entry points.
        evaluation_loop: Of the evaluation that runs or ran last.
    """

    def __init__(self, accumulate_grad_batches: int) -> None:
        self._accumulate_grad_batches = accumulate_grad_batches
        self.status = RunStatus()
        self.hooks: Hooks | None = None
        self.fit_loop: FitLoop | None = None
        self.evaluation_loop: EvaluationLoop | None = None
        self._begin(None)

    def _begin(self, task: Task | None) -> None:
        self.task, self.progress, self.lineage = task, Progress(), Lineage()
        self.host_copies = HostCopies()
        # Anew: optimizers of the task before may have brought an accumulation of their own.
        self.accumulation = AccumulationSchedule(self._accumulate_grad_batches)
        self.training: TrainingState | None = None
        self.early_optimizers: Any = None

    def attach(self, trainer: Trainer, task: Task, entry_point: str) -> None:
        """Take up a task for an entry point."""
        if self.task is not task:
            self._begin(task)
            trainer.records.clear()
            trainer.add_default_callbacks(task)
        check_hooks(task, trainer.callbacks)

        self.status = RunStatus(entry_point)
        self.fit_loop = self.evaluation_loop = None
        task._trainer = trainer
        guard = trainer.records.loggers.guard
        self.hooks = Hooks(trainer, task, trainer.callbacks, trainer.profiler.region, guard)

    def begin_training(self, trainer: Trainer, task: Task) -> TrainingState:
        """Return the task's training state: that of the fit before, or a new one."""
        if self.training is None:
            configured = self.configure_optimizers(task)
            self.training = build_training_state(trainer, task, configured)
            self.early_optimizers = None
        else:
            self.training.move_here(task, trainer.placement, trainer_clipping(trainer))
        return self.training

    def configure_optimizers(self, task: Task) -> Any:
        """Return what a task's `configure_optimizers` gives, called once for the training state."""
        if self.early_optimizers is None:
            self.early_optimizers = task.configure_optimizers()
        return self.early_optimizers

    @contextmanager
    def at_checkpoint(self, checkpoint: Checkpoint) -> Iterator[None]:
        """Stand, inside the block, at the update where a checkpoint was written.

        What is measured of its weights belongs there. One of weights alone tells no update.
        """
        before = self.progress
        if "progress" in checkpoint.run:
            self.progress = Progress()
            self.progress.load_state_dict(checkpoint.run["progress"])
        try:
            yield
        finally:
            self.progress = before

    def resume_lineage(self, run: Mapping[str, Any]) -> None:
        """Go on with the run of a checkpoint, whose plain data `run` is."""
        self.lineage = self.lineage.resumed(run)

    def drop_training(self) -> None:
        """Forget the training state, as a trial run does with the one that it built."""
        self.training = None

    def note_step(self, trainer: Trainer, task: Task, window: Window) -> None:
        """Take the variables of a compiled step into the run."""
        note_step(trainer, task, window)

    def unmoved(
        self, trainer: Trainer, task: Task, metrics: StageMetrics
    ) -> AbstractContextManager[None]:
        """Return a context that puts back all that a step moves in it."""
        return unmoved(trainer, task, metrics)

    @property
    def is_fitting(self) -> bool:
        """Whether a fit runs and has read the Trainer's arguments."""
        return self.status.entry_point == "fit" and self.fit_loop is not None

    def begin_evaluation(self, loop: EvaluationLoop) -> None:
        """Take up the loop of an evaluation, which nobody has ended yet."""
        self.evaluation_loop = loop
        self.status.begin_stage()

    def begin_fit(self, loop: FitLoop) -> None:
        """Take up the loop of a fit."""
        self.fit_loop = loop
