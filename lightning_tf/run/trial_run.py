"""TrialRun: training updates that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.checkpoint.io import assign_tensors, read_values
from lightning_tf.exceptions import DataError
from lightning_tf.graph.means import mean_values
from lightning_tf.loops.epoch_iterator import reading_ahead
from lightning_tf.loops.fit_loop import FitLoop
from lightning_tf.loops.training_data import training_dataset, upcoming_epoch
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.session import compute_scope
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.stage import TRAIN

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class TrialRun:
    """Runs updates of the compiled step, and puts everything back when it is left.

    Weights, optimizers, metrics, loss scales, accumulators, seed generators, callbacks' variables
    and the generators of Python and NumPy are afterwards what they were, after an exception too.
    Positions do not move, and no hook, row, checkpoint or log comes of it.

    Between `setup` and `on_optimizers_configured` of a fit there is no step yet: one is built for
    the trial run, and its optimizers are dropped again. Models are built once, as ever.

    Args:
        trainer: In fit.
        task: What it trains.
        loop: The fit's own, compiled; None builds one.

    Attributes:
        examples: How many the last update had.

    Example:
        >>> with trainer.trial_run(task) as trial_run:
        ...     batches = trial_run.batches()
        ...     first, second = trial_run.update(batches), trial_run.update(batches)
    """

    def __init__(self, trainer: Trainer, task: Task, loop: FitLoop | None) -> None:
        self._trainer, self._task, self._loop = trainer, task, loop
        self._builds = loop is None
        self.examples = 0
        self._variables: dict[str, Any] = {}
        self._values: dict[str, np.ndarray] = {}
        self._random: dict[str, Any] = {}
        self._exits = ExitStack()

    def __enter__(self) -> TrialRun:
        """Build where needed, and copy what will move."""
        trainer, task = self._trainer, self._task
        if self._builds:
            try:
                self._exits.enter_context(compute_scope(trainer))
                self._build(trainer, task)
            except BaseException:
                self._leave()
                raise
        else:
            self._random = random_state()

        self._variables = run_state.everything(trainer, task)
        self._values = read_values(self._variables)
        return self

    def __exit__(self, *exception: object) -> None:
        """Put everything back."""
        try:
            assign_tensors(self._variables, self._values, "the trial run")
        finally:
            self._leave()

    def batches(self) -> Iterator[Any]:
        """Return the training batches of the current epoch, again and again."""
        trainer = self._trainer
        dataset = training_dataset(trainer, self._task, trainer.current_epoch)
        return iter(reading_ahead(dataset.repeat()))

    def update(self, batches: Iterator[Any]) -> dict[str, float]:
        """Do one update, of as many batches as the Trainer accumulates.

        Args:
            batches: What `batches` gave.

        Returns:
            Losses and logged values: means over the update's examples.
        """
        if self._loop is None:
            raise RuntimeError("a trial run is entered with `with`")

        window, every = self._loop.window, self._trainer.accumulate_grad_batches
        position = self._trainer.progress.position
        result = window(batches, every, window.zero, phase=0, every=every, position=position)
        sums = result.sums.numpy()
        self.examples = int(sums[len(window.names)])
        if not self.examples:
            raise DataError("train_dataset is empty: it holds no batch.")
        return mean_values(window.names, sums)

    def _build(self, trainer: Trainer, task: Task) -> None:
        dataset = upcoming_epoch(trainer, task)
        build_models(trainer, task, TRAIN.step, dataset)

        # As a fit without a trial run has it after building the models.
        self._random = random_state()
        self._loop = FitLoop(trainer, task, trainer.state.begin_training(trainer, task), None)
        self._loop.prepare(dataset)
        self._loop.compile(dataset)

    def _leave(self) -> None:
        if self._random:
            restore_random_state(self._random)
        if self._builds:
            self._trainer.state.drop_training()
            self._task.take_metrics({})
        self._exits.close()
