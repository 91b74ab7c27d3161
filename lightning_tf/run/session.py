"""Session: how fit, validate, test and predict begin and end, also when they fail."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checkpoint.io import Checkpoint, read_checkpoint
from lightning_tf.checkpoint.search import CheckpointPath, CheckpointSearch
from lightning_tf.checks import describe
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.batch_checks import data_error
from lightning_tf.distribute.workers import SINGLE_WORKER
from lightning_tf.exceptions import (
    CheckpointError,
    ConfigurationError,
    TerminationRequested,
    WorkerLostError,
)
from lightning_tf.loops.training_data import data_of
from lightning_tf.precision import use_matmul_precision, use_policy
from lightning_tf.run import run_state
from lightning_tf.run.call_data import check_task, using_data
from lightning_tf.run.equal_workers import compare_settings
from lightning_tf.run.launched_fit import LaunchedFit
from lightning_tf.run.lost_worker import keep_traceback
from lightning_tf.run.resume_checks import check_limits
from lightning_tf.run.signals import exit_with_try_again, leave_without_traceback
from lightning_tf.run.signatures import check_steps
from lightning_tf.run.spoken_lines import say_interrupted
from lightning_tf.seed import get_last_seed, seed_everything
from lightning_tf.storage.location import as_text, on_this_disk, portable, url_of
from lightning_tf.storage.remote_checkpoint import RemoteCheckpoint
from lightning_tf.storage.transfer import reason
from lightning_tf.storage.uploads import UPLOADS
from lightning_tf.task import Task, load_states

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


@contextmanager
def session(
    trainer: Trainer,
    task: Any,
    entry_point: str,
    ckpt_path: CheckpointPath | None,
    weights_only: bool = False,
    found: Checkpoint | None = None,
    data: DataModule | None = None,
) -> Iterator[Checkpoint | None]:
    """Do what comes before and after the work of an entry point; give the checkpoint asked for.

    An exception leaves as it was raised, after `on_exception` ran once and the loggers were
    closed.

    Args:
        trainer: Whose entry point it is.
        task: What it shall drive.
        entry_point: fit, validate, test or predict.
        ckpt_path: A checkpoint's directory, ``"last"``, ``"best"``, or None.
        weights_only: Whether fit begins a new run with the checkpoint's weights.
        found: The checkpoint that `look_up` has found for `ckpt_path`.
        data: In the place of the task's, until the entry point ends; those of fit stay.
    """
    ckpt_path = as_text(ckpt_path)
    with (
        _leaving_together(trainer),
        UPLOADS.session(sends=trainer.is_global_zero and not trainer.fast_dev_run),
        using_data(task, entry_point, data),
        _session(
            trainer, task, entry_point, ckpt_path, weights_only, found, is_own=data is None
        ) as checkpoint,
    ):
        yield checkpoint


@contextmanager
def _leaving_together(trainer: Trainer) -> Iterator[None]:
    """After an agreed end leave with the other workers, when the last checkpoint is uploaded too.

    A scheduler may kill all with the first that ends.
    """
    before = trainer.status
    try:
        yield
    except BaseException:
        if trainer.status is not before and trainer.status.ends_together:
            trainer.workers.leave_together("the chief, which writes the last checkpoint")
        raise


@contextmanager
def _session(
    trainer: Trainer,
    task: Any,
    entry_point: str,
    ckpt_path: CheckpointPath | None,
    weights_only: bool,
    found: Checkpoint | None,
    is_own: bool,
) -> Iterator[Checkpoint | None]:
    """Do what `session` says; `is_own` tells whether the data are the task's."""
    _check(task, entry_point, ckpt_path)
    _check_scope(trainer, entry_point)
    trainer.state.attach(trainer, task, entry_point)
    if entry_point == "fit":
        trainer.status.note_launched_fit(LaunchedFit.begin())
    if weights_only:
        _check_begins_anew(trainer, ckpt_path)
    exits = ExitStack()
    exits.enter_context(trainer.watchdog.running())
    try:
        compare_settings(trainer, task, ckpt_path)
        # First: a checkpoint that does not fit must cost nothing.
        restarted = _find_restarted(trainer, task)
        checkpoint = restarted or found or _find(trainer, task, entry_point, ckpt_path)
        weights_only = weights_only and restarted is None
        if checkpoint is not None:
            # What a run kept of its data says nothing of others that are only looked at.
            of_data = not weights_only and (is_own or entry_point == "fit")
            _take_up(trainer, task, checkpoint, weights_only, of_data)
            if entry_point != "fit":
                exits.enter_context(trainer.state.at_checkpoint(checkpoint))
        _set_up(trainer, task, entry_point)

        with suppress(GeneratorExit):  # whoever iterated predictions has seen enough
            yield checkpoint

        # Callbacks end before the data are released and before the loggers close.
        trainer.hooks("teardown", entry_point)
        data_of(task).release(entry_point)
        trainer.records.loggers.send("finalize", "success")
    except BaseException as raised:
        # What a check in a pipeline refused is an error of the data, whoever read the batch.
        refused = data_error(raised)
        if refused is None and isinstance(raised, Exception):
            refused = data_of(task).explain_error(raised)
        exception = refused or trainer.workers.explain(raised)
        if isinstance(exception, WorkerLostError) and exception is not raised:
            exception = keep_traceback(trainer, exception, raised)
        _fail(trainer, entry_point, exception)
        if exception is raised:
            raise
        raise exception from raised
    finally:
        exits.close()
        data_of(task).join(SINGLE_WORKER)
        trainer.status.end()


@contextmanager
def compute_scope(trainer: Trainer) -> Iterator[None]:
    """Compute in the Trainer's precision and placement, with its numeric checks."""
    with ExitStack() as stack:
        stack.enter_context(use_policy(trainer.precision))
        stack.enter_context(use_matmul_precision(trainer.float32_matmul_precision))
        stack.enter_context(trainer.placement.scope())
        if trainer.detect_anomaly:
            tf.debugging.enable_check_numerics()
            stack.callback(tf.debugging.disable_check_numerics)
        yield


def find_checkpoint(trainer: Trainer, task: Task, ckpt_path: CheckpointPath) -> Checkpoint | None:
    """Look a checkpoint up outside an entry point; "last" and "best" are callbacks' words."""
    # Attached for its callbacks, the default ModelCheckpoint among them: they know the folders.
    trainer.state.attach(trainer, task, "fit")
    try:
        return CheckpointSearch(trainer, task)(ckpt_path)
    finally:
        trainer.status.end()


def look_up(
    trainer: Trainer,
    task: Any,
    entry_point: str,
    ckpt_path: CheckpointPath | None,
    data: DataModule | None = None,
) -> Checkpoint | None:
    """Check the arguments of an entry point that begins later, and find its checkpoint.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        ConfigurationError: An argument is of the wrong kind, or there is no checkpoint.
    """
    ckpt_path = as_text(ckpt_path)
    with using_data(task, entry_point, data):
        _check(task, entry_point, ckpt_path)
        trainer.state.attach(trainer, task, entry_point)
        try:
            return _find(trainer, task, entry_point, ckpt_path)
        finally:
            trainer.status.end()


def _check(task: Any, entry_point: str, ckpt_path: Any) -> None:
    check_task(task, entry_point)
    if ckpt_path is not None and not isinstance(ckpt_path, (str, os.PathLike)):
        raise ConfigurationError(
            f"{entry_point} got {describe(ckpt_path)} as ckpt_path, which is a checkpoint's path. "
            "Data are the arguments before it, or the task's: give them to its constructor, or set "
            "task.data."
        )
    if not isinstance(task.resolve_data(), DataModule):
        raise ConfigurationError(
            f"{type(task).__name__}.data is {describe(task.data)}; give it a "
            f"lightning_tf.DataModule or arrays, or give {entry_point} the data."
        )
    check_steps(task, entry_point)


def _check_scope(trainer: Trainer, entry_point: str) -> None:
    """Refuse to work inside the scope of a strategy that is not the Trainer's."""
    current = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    if current is not None and current is not getattr(trainer.placement, "strategy", None):
        raise ConfigurationError(
            f"{entry_point} is called inside the scope of a {type(current).__name__}, and the "
            "Trainer was made outside of it: make it inside too, without devices and accelerator, "
            f"or call {entry_point} outside."
        )


def _check_begins_anew(trainer: Trainer, ckpt_path: CheckpointPath | None) -> None:
    if ckpt_path is None:
        raise ConfigurationError("weights_only=True needs ckpt_path: whose weights to take.")
    if trainer.global_step or trainer.batch_idx:  # its callbacks count what they have seen
        raise ConfigurationError(
            f"weights_only=True begins a new run, and this Trainer has trained the task for "
            f"{trainer.global_step} updates; make another Trainer."
        )


def _find(
    trainer: Trainer, task: Task, entry_point: str, ckpt_path: CheckpointPath | None
) -> Checkpoint | None:
    """Read and verify the checkpoint before anything is prepared, made or written."""
    if ckpt_path is None:
        return None

    checkpoint, seen = _search(trainer, CheckpointSearch(trainer, task), ckpt_path)
    if checkpoint is None and entry_point != "fit":
        raise ConfigurationError(
            f"ckpt_path={ckpt_path!r}: no checkpoint of this run was ever written.{seen}"
        )
    if checkpoint is None:
        log.warning(
            "ckpt_path='last': there is no checkpoint of this run yet; training starts anew.%s",
            seen,
        )
    return checkpoint


def _find_restarted(trainer: Trainer, task: Task) -> Checkpoint | None:
    """Return what this very fit saved before its program was started again, whatever it asks for.

    The program is the same: what it says of a checkpoint, it said of the first start.
    """
    fit = trainer.status.launched_fit
    if fit is None or not fit.restart:
        return None
    if not any(isinstance(callback, CheckpointCallback) for callback in trainer.callbacks):
        log.warning("restart %d: no callback writes checkpoints; fit begins anew.", fit.restart)
        return None

    search = CheckpointSearch(trainer, task, fit.key)
    checkpoint, _ = _search(trainer, search, "last")
    if checkpoint is None:
        log.info("restart %d: this fit has saved nothing yet; it begins anew.", fit.restart)
    else:
        log.info("restart %d: fit goes on from what it saved last.", fit.restart)
    return checkpoint


def _take_up(
    trainer: Trainer, task: Task, checkpoint: Checkpoint, weights_only: bool, of_data: bool
) -> None:
    """Note what is read, and let loggers and the task know before anything is made."""
    trainer.status.note_checkpoint(checkpoint.path, weights_only)
    if trainer.resumed:
        run_state.refuse_unless_whole(checkpoint)
        check_limits(trainer, checkpoint)
        run_state.continue_runs(trainer, checkpoint)
    # A new run with old weights begins its data anew.
    load_states(task, checkpoint, of_data=of_data)


def _search(
    trainer: Trainer, search: CheckpointSearch, ckpt_path: CheckpointPath
) -> tuple[Checkpoint | None, str]:
    """Look for a checkpoint; the chief does, and other workers read what it finds.

    Returns:
        The checkpoint, and what was passed over.
    """
    workers, checkpoint, where, failure = trainer.workers, None, None, None
    if workers.is_chief:
        try:
            checkpoint = search(ckpt_path)
            if checkpoint is not None:
                where = os.path.abspath(checkpoint.path)
                where = _for_all(where) if workers.count > 1 else where
        except Exception as error:  # the others wait for the chief's answer, whatever it is
            failure = error

    # Waits for the chief, which waits for the save under way.
    path, problem, seen = workers.broadcast([where, failure and str(failure), search.seen()])

    if failure is not None:
        raise failure
    if problem is not None:
        raise CheckpointError(f"the chief refuses ckpt_path={os.fspath(ckpt_path)!r}: {problem}")
    if path is None:
        return None, seen
    # One that cannot read it, such as where no disk is shared, must not leave the others waiting.
    read = workers.unless_one_fails(lambda: checkpoint or read_checkpoint(path))
    return read, seen


def _for_all(path: str) -> str:
    """Return where other machines find a checkpoint: its URL, once the store has what is here."""
    if url_of(path) is None:
        return path
    try:
        RemoteCheckpoint(Path(path)).send()
    except Exception as error:  # each store's library has errors of its own
        raise CheckpointError(
            f"{url_of(path)} cannot be written ({reason(error)}), and the other workers read it "
            "from there."
        ) from error
    return portable(path)


def _set_up(trainer: Trainer, task: Task, entry_point: str) -> None:
    if trainer.run_eagerly:
        log.warning(
            "run_eagerly=True: steps run op by op in Python, many times slower than a graph, and "
            "once more before the first batch; for a look into them, not to train with."
        )
    if trainer.seed is not None:
        seed_everything(trainer.seed)

    if trainer.deterministic:
        if get_last_seed() is None:
            raise ConfigurationError(
                "deterministic=True needs a seed: pass seed=, or call seed_everything first."
            )
        tf.config.experimental.enable_op_determinism()

    data = data_of(task)
    data.trainer_seed = trainer.seed or 0
    data.join(trainer.workers)  # before the rest, which the workers may share
    data.ensure_setup(entry_point)

    trainer.workers.of_chief(lambda: UPLOADS.open(trainer.default_root_dir))
    # Loggers choose their folders here; the others follow the chief.
    trainer.hooks("setup", entry_point)
    folder = trainer.log_dir
    shared = trainer.workers.broadcast(folder and portable(folder))
    trainer.status.share_log_dir(shared and on_this_disk(shared))
    trainer.records.loggers.send("log_hparams", {**task.hparams, "trainer": trainer.settings})


def _fail(trainer: Trainer, entry_point: str, exception: BaseException) -> None:
    ended = (KeyboardInterrupt, TerminationRequested)
    status = "interrupted" if isinstance(exception, ended) else "failed"
    trainer.status.interrupt()
    trainer.hooks.on_exception(exception)

    data = data_of(trainer.task)
    for name, act in (
        ("on_exception", partial(data.on_exception, exception)),
        ("teardown", partial(data.release, entry_point)),
    ):
        try:
            act()
        except Exception:
            log.exception("%s of the data failed too; the first error is raised", name)
    trainer.records.loggers.send("finalize", status)
    if isinstance(exception, KeyboardInterrupt):
        say_interrupted(trainer, "Ctrl-C")
        leave_without_traceback(exception)
    elif isinstance(exception, TerminationRequested) and not exception.is_told:
        say_interrupted(trainer, exception.signal)
    elif isinstance(exception, WorkerLostError):
        exit_with_try_again(exception)
