"""Fit: what happens around the loop that trains."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lightning_tf.data.pipeline.shuffle_check import unrepeatable_order
from lightning_tf.loops.fit_loop import FitLoop
from lightning_tf.loops.training_data import (
    data_of,
    overfitted_sets,
    training_dataset,
    upcoming_epoch,
)
from lightning_tf.run import run_state
from lightning_tf.run.build import build_models
from lightning_tf.run.equal_workers import compare_graphs
from lightning_tf.run.evaluate import evaluation_loop
from lightning_tf.run.spoken_lines import say_beginning, say_end
from lightning_tf.run.step_variables import put_back
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.stage import TRAIN, VALIDATE

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.loops.evaluation_loop import EvaluationLoop
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


def fit(trainer: Trainer, task: Task, checkpoint: Checkpoint | None) -> None:
    """Build what is missing, resume, check validation, train.

    Args:
        trainer: Inside a session.
        task: What to train.
        checkpoint: The checkpoint to go on from, or None. Where the fit is not resumed, only its
            weights are taken.
    """
    hooks = trainer.hooks
    trainer.progress.begin_at(task.initial_epoch)
    first = upcoming_epoch(trainer, task)
    _warn_of_order(trainer, task, first)

    # The models come first: optimizers are made for their variables.
    build_models(trainer, task, TRAIN.step, first)
    if not trainer.resumed:
        run_state.load_weights(task, checkpoint)
    validation = _validation(trainer, task)
    loop = FitLoop(trainer, task, trainer.state.begin_training(trainer, task), validation)
    trainer.state.begin_fit(loop)

    # Before hooks and traces: the compiled step depends on whether the epoch's length is known, and
    # an interval of validation that no epoch reaches is refused before callbacks act.
    loop.prepare(first)
    if validation is not None and not loop.validates_in_time:
        log.warning(
            "validation never runs: val_check_interval=%s and check_val_every_n_epoch=%s, and the "
            "fit ends at max_epochs=%s, max_steps=%s.",
            trainer.val_check_interval,
            trainer.check_val_every_n_epoch,
            trainer.max_epochs,
            trainer.max_steps,
        )
    hooks("on_optimizers_configured")

    say_beginning(trainer, task)

    if checkpoint is not None and trainer.resumed:
        # Some metrics make their variables when they are traced, and only a traced step tells all
        # that it uses; these are restored too.
        loop.compile(first)
        if validation is not None:
            validation.compile()
        run_state.resume(trainer, task, checkpoint)
        log.info(
            "fit goes on from %s: epoch %d, update %d.",
            checkpoint.path,
            trainer.current_epoch + 1,
            trainer.global_step,
        )

    # Before the hook, which may ask for the stage, as `on_exception` does where it fails.
    trainer.status.enter(TRAIN.name)
    hooks("on_fit_start")

    # Both steps are traced before training, so that every name that can be monitored is known; and
    # before the sanity check, so that it changes nothing of what tracing draws.
    loop.compile(first)
    compare_graphs(trainer.workers, loop.graph)
    if validation is not None:
        windows = validation.compile()
        for metrics in validation.metrics:
            metrics.refuse_shared(loop.training.metrics)
        if trainer.num_sanity_val_steps and not trainer.resumed:
            with put_back(trainer, task, windows):
                _sanity_check(trainer, validation)
        task.take_metrics(loop.training.metrics.metrics)

    # Until now there was nothing to save, and loading data may take for ever.
    trainer.signals.defer()
    hooks("on_train_start")
    began_at, began = trainer.global_step, time.perf_counter()
    try:
        with trainer.watchdog.timing_steps():
            loop.run()
    finally:
        task.has_learned |= trainer.global_step > 0
    with trainer.signals.held():  # Ctrl-C must not come between two weights
        loop.training.final_weights.put_in(loop.training.optimizers.values())
    hooks("on_train_end")
    hooks("on_fit_end")
    say_end(trainer, began_at, time.perf_counter() - began)


def _warn_of_order(trainer: Trainer, task: Task, first: tf.data.Dataset) -> None:
    """Warn where a resumed run would see other batches than this one."""
    if data_of(task).is_stream:  # Python reads, and knows where it is
        return
    warning = unrepeatable_order(
        first, lambda: training_dataset(trainer, task, trainer.current_epoch)
    )
    if warning:
        log.warning(warning)


def _validation(trainer: Trainer, task: Task) -> EvaluationLoop | None:
    """Return the validation loop of a fit; None without validation data, or without a wish."""
    datasets = None
    if trainer.limit_val_batches:
        datasets = data_of(task).dataset_for(
            VALIDATE.prefix, input_shard=trainer.placement.input_shard
        )

    loop = None
    if datasets is not None:
        if trainer.overfit_batches:
            datasets = overfitted_sets(trainer, task)
        loop = evaluation_loop(trainer, task, VALIDATE, datasets)
    trainer.status.note_num_batches(VALIDATE, 0 if loop is None else loop.length)
    return loop


def _sanity_check(trainer: Trainer, validation: EvaluationLoop) -> None:
    """Run a few validation batches before training; random numbers go on as if it had not been."""
    count = None if trainer.num_sanity_val_steps == -1 else trainer.num_sanity_val_steps
    generators = random_state()
    trainer.status.enter("sanity_check")
    trainer.hooks("on_sanity_check_start")
    validation.run(count)
    trainer.hooks("on_sanity_check_end")
    trainer.status.enter(TRAIN.name)
    restore_random_state(generators)
