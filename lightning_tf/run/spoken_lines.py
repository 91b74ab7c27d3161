"""The lines that an entry point says of itself: what it begins with, and how it ended."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.callback import CheckpointCallback
from lightning_tf.precision import computes_in_tf32
from lightning_tf.storage.location import url_of
from lightning_tf.variables import named_weights, trainable_variables

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


def say_beginning(trainer: Trainer, task: Task, has_own_data: bool = True) -> None:
    """Say what is about to run: task, weights, data, device, precision, where files go.

    Args:
        trainer: In an entry point.
        task: What it drives.
        has_own_data: Whether the data are the task's, and not those of this call.
    """
    parts = [
        f"{trainer.entry_point} {type(task).__name__}",
        _weights(trainer, task),
        _data(trainer, task) if has_own_data else "data of this call",
        _where(trainer),
        _precision(trainer),
        "" if trainer.seed is None else f"seed {trainer.seed}",
        "" if trainer.entry_point == "predict" else _files(trainer),
    ]
    log.info("%s", "; ".join(part for part in parts if part))


def say_end(trainer: Trainer, began_at: int, seconds: float) -> None:
    """Say why a fit has ended, which checkpoints there are and how to go on.

    Args:
        trainer: After the fit.
        began_at: The update that it began with.
        seconds: How long it took.
    """
    now = trainer.global_step - began_at
    of_now = "" if began_at == 0 else f", {now if now else 'none'} of them now"
    ended = f"fit ended: {_reason(trainer)}. {_done(trainer)}{of_now}, in {seconds:.1f} s."
    log.info("%s", " ".join([ended, *_checkpoints(trainer)]))


def say_interrupted(trainer: Trainer, by: str) -> None:
    """Say where a signal has ended an entry point, and how to go on.

    Args:
        trainer: After its callbacks were told, and have saved what they save.
        by: Such as ``Ctrl-C``.
    """
    if trainer.entry_point != "fit":
        log.warning("%s: %s ends here.", by, trainer.entry_point)
        return
    ended = f"{by}: training ends here. {_done(trainer)}."
    log.warning("%s", " ".join([ended, *_checkpoints(trainer)]))


def _precision(trainer: Trainer) -> str:
    is_tf32 = trainer.placement.is_gpu and computes_in_tf32(trainer.float32_matmul_precision)
    remedy = "with products in TF32 (float32_matmul_precision='highest' for float32)"
    return f"{trainer.precision} {remedy}" if is_tf32 else trainer.precision


def _reason(trainer: Trainer) -> str:
    if _is_stopped(trainer):
        return str(trainer.stop_reason)
    limit = _limit_reached(trainer)
    value = getattr(trainer, limit, None)
    return "max_time is over" if value is None else f"{limit}={value} is reached"


def _limit_reached(trainer: Trainer) -> str:
    """Return the limit of a fit that is reached; empty where it could go on."""
    if trainer.max_steps is not None and trainer.global_step >= trainer.max_steps:
        return "max_steps"
    if trainer.max_epochs is not None and trainer.current_epoch >= trainer.max_epochs:
        return "max_epochs"
    seconds = trainer.max_seconds
    return "max_time" if seconds is not None and trainer.progress.seconds >= seconds else ""


def _is_stopped(trainer: Trainer) -> bool:
    """Return whether somebody asked for the end, and no limit brought it."""
    loop = trainer.state.fit_loop
    return bool(trainer.stop_reason) and not (loop and loop.waiting_stops)


def _done(trainer: Trainer) -> str:
    epochs, updates = trainer.current_epoch, trainer.global_step
    return f"{_counted(epochs, 'epoch')} and {_counted(updates, 'update')} are done"


def _checkpoints(trainer: Trainer) -> list[str]:
    """Return sentences that name the best and the last checkpoint, and how to go on."""
    for callback in trainer.callbacks:
        best, last = (getattr(callback, f"{kind}_model_path", "") for kind in ("best", "last"))
        if not isinstance(callback, CheckpointCallback) or not (best or last):
            continue
        monitor, score = (getattr(callback, n, None) for n in ("monitor", "best_model_score"))
        lines = []
        if monitor and best:
            value = "" if score is None else f" {score:.4g}"
            lines.append(f"Best {monitor}{value}: {_short(best)}.")
        newest = last or best
        if newest != best or not lines:
            lines.append(f"Last checkpoint: {_short(newest)}.")
        return [*lines, f"To go on: {_how_to_go_on(trainer)}."]
    return ["No checkpoint was written."]


def _how_to_go_on(trainer: Trainer) -> str:
    is_stopped = _is_stopped(trainer)
    limit = "" if is_stopped else _limit_reached(trainer)
    files = (getattr(callback, "config_file", None) for callback in trainer.callbacks)
    config = next((file for file in files if file is not None), None)
    if config is not None:  # of the command line
        higher = f" --{limit} MORE" if limit else ""
        how = f"lightning-tf fit --config {_short(config)} --ckpt_path last{higher}"
    else:
        how = "fit(task, ckpt_path='last')" + (f" with a higher {limit}" if limit else "")
    return how + (", without what stopped it" if is_stopped else "")


def _weights(trainer: Trainer, task: Task) -> str:
    weights = {id(v): v for v in named_weights(task).values()}.values()
    total = sum(_size(v) for v in weights)
    trained = sum(_size(v) for v in trainable_variables(task))
    frozen = trainer.entry_point == "fit" and trained < total
    source = "" if trainer.ckpt_path is None else f" from {_short(trainer.ckpt_path)}"
    return f"{total:,} weights{source}" + (f", {trained:,} of them train" if frozen else "")


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape))


def _data(trainer: Trainer, task: Task) -> str:
    given = task.hparams.get("data")
    name = given if isinstance(given, str) else type(task.data).__name__
    length = trainer.num_training_batches if trainer.entry_point == "fit" else None
    if length is None:
        return f"data {name}"
    return f"data {name}, {length:,} {'batch' if length == 1 else 'batches'} an epoch"


def _where(trainer: Trainer) -> str:
    replicas, kind = trainer.placement.num_replicas, trainer.placement.devices[0].strip("/")
    if replicas == 1:
        return kind
    workers = trainer.workers.count
    of_workers = f" of {workers} workers" if workers > 1 else ""
    return f"{replicas} replicas{of_workers} ({kind} and on)"


def _files(trainer: Trainer) -> str:
    folder = trainer.log_dir
    if folder is None:
        has_checkpoints = any(isinstance(c, CheckpointCallback) for c in trainer.callbacks)
        folder = trainer.default_root_dir if has_checkpoints else None
    return "nothing is written" if folder is None else f"files in {_short(folder)}"


def _short(path: str | os.PathLike[str]) -> str:
    """Return a path as it is shortest: below the current folder relative to it, or its URL."""
    url = url_of(path)
    if url is not None:
        return url
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith("..") else relative


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
