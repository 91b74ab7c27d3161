"""How fit, validate, test and predict begin and end, also when they fail."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.checkpoint import io as checkpoint
from lightning_tf.checkpoint.search import CheckpointPath, CheckpointSearch, Found
from lightning_tf.data.data_module import DataModule
from lightning_tf.distribute.workers import ALONE
from lightning_tf.exceptions import (
    CheckpointError,
    ConfigurationError,
    DataError,
    TerminationRequested,
)
from lightning_tf.precision import applied
from lightning_tf.run import run_state
from lightning_tf.seed import last_seed, seed_everything
from lightning_tf.task import Task

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


@contextmanager
def entered(
    trainer: Trainer, task: Any, stage: str, ckpt_path: CheckpointPath | None
) -> Iterator[Found | None]:
    """Set-up, hooks and loggers around the work of an entry point; gives the checkpoint asked for.

    An exception leaves as it was raised, after `on_exception` ran once and the loggers were
    closed.

    Args:
        trainer: What is entered.
        task: What it shall drive.
        stage: fit, validate, test or predict.
        ckpt_path: A checkpoint's directory, ``"last"``, ``"best"``, or None.
    """
    _check(task, stage)
    trainer.attach(task, stage)
    try:
        found = _found(trainer, task, stage, ckpt_path)
        _set_up(trainer, task, stage)
        with suppress(GeneratorExit):  # whoever iterated predictions has seen enough
            yield found
        trainer.hooks("teardown", stage)
        data_of(task).teardown(stage)
        trainer.records.loggers.send("finalize", "success")
    except BaseException as raised:
        exception = trainer.workers.explained(raised)
        _fail(trainer, stage, exception)
        if exception is raised:
            raise
        raise exception from raised
    finally:
        data_of(task).join(ALONE)
        trainer.detach()


@contextmanager
def computing(trainer: Trainer) -> Iterator[None]:
    """The Trainer's precision, placement and numeric checks; what was before comes back."""
    with ExitStack() as stack:
        stack.enter_context(applied(trainer.precision))
        stack.enter_context(trainer.placement.scope())
        if trainer.detect_anomaly:
            tf.debugging.enable_check_numerics()
            stack.callback(tf.debugging.disable_check_numerics)
        yield


def _check(task: Any, stage: str) -> None:
    if not isinstance(task, Task):
        raise ConfigurationError(f"{stage} got {task!r}; give a lightning_tf.Task.")
    if not isinstance(task.data, DataModule):
        raise ConfigurationError(
            f"{type(task).__name__}.data is {task.data!r}; give it a lightning_tf.DataModule."
        )


def _found(
    trainer: Trainer, task: Task, stage: str, ckpt_path: CheckpointPath | None
) -> Found | None:
    """Read and verify the checkpoint before anything is prepared, made or written."""
    found = None if ckpt_path is None else _search(trainer, task, ckpt_path)
    if found is None and ckpt_path is not None:
        if stage != "fit":
            raise ConfigurationError(
                f"ckpt_path={ckpt_path!r}: no checkpoint of this task was ever written."
            )
        log.warning("ckpt_path='last': there is no checkpoint yet; training starts anew.")
    # What a task chose by itself in the run that wrote the checkpoint; it must choose it again.
    recorded = {} if found is None else found.run.get("hparams")
    trainer.ckpt_hparams = recorded if isinstance(recorded, dict) else {}
    if stage == "fit":
        trainer.resumed = found is not None
    if found is not None:
        trainer.ckpt_path = found.path
        if stage == "fit":
            run_state.refuse_unless_whole(found)
            run_state.continue_runs(trainer, found)
    return found


def _search(trainer: Trainer, task: Task, ckpt_path: CheckpointPath) -> Found | None:
    """Look for a checkpoint; of several workers the chief does, and the others read it finds."""
    workers, found, failure = trainer.workers, None, None
    if workers.is_chief:
        try:
            found = CheckpointSearch(trainer, task)(ckpt_path)
        except (CheckpointError, ConfigurationError) as error:
            failure = error
    # Waits for the chief, which waits for the save under way.
    path, problem = workers.broadcast(
        [None if found is None else os.path.abspath(found.path), failure and str(failure)]
    )
    if failure is not None:
        raise failure
    if problem is not None:
        raise CheckpointError(f"the chief refuses ckpt_path={os.fspath(ckpt_path)!r}: {problem}")
    if workers.is_chief or path is None:
        return found
    return Found(path, *checkpoint.load(path))


def _set_up(trainer: Trainer, task: Task, stage: str) -> None:
    if trainer.seed is not None:
        seed_everything(trainer.seed)
    if trainer.deterministic:
        if last_seed() is None:
            raise ConfigurationError(
                "deterministic=True needs a seed: pass seed=, or call seed_everything first."
            )
        tf.config.experimental.enable_op_determinism()
    data = data_of(task)
    data.trainer_seed = trainer.seed or 0
    data.join(trainer.workers)
    trainer.prepare_data(data, stage)
    trainer.hooks("setup", stage)
    trainer.chief_log_dir = trainer.workers.broadcast(trainer.log_dir)
    trainer.records.loggers.send("log_hparams", {**task.hparams, "trainer": trainer.settings})


def _fail(trainer: Trainer, stage: str, exception: BaseException) -> None:
    ended = (KeyboardInterrupt, TerminationRequested)
    status = "interrupted" if isinstance(exception, ended) else "failed"
    trainer.hooks.tell(exception)
    try:
        data_of(trainer.task).teardown(stage)
    except Exception:
        log.exception("teardown of the data failed too; the first error is raised")
    trainer.records.loggers.send("finalize", status)


def data_of(task: Task | None) -> DataModule:
    """A task's data, which `entered` has checked."""
    if task is None or task.data is None:
        raise ConfigurationError("there is no task with data: call fit, validate or test first.")
    return task.data


def needed(dataset: tf.data.Dataset | None, data: DataModule, stage: str) -> tf.data.Dataset:
    """A data set that must be there.

    Raises:
        DataError: It is None.
    """
    if dataset is None:
        raise DataError(
            f"{type(data).__name__}.{stage}_dataset gave nothing; return a batched tf.data.Dataset."
        )
    return dataset
