"""Whether a checkpoint fits a run that shall go on from it, and what is said where it does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.checkpoint.io import Checkpoint
from lightning_tf.checks import is_number
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.data.pipeline.order_digest import order_digest
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import (
    change_text,
    class_path,
    hparams_differences,
    is_name_of,
    is_plain,
    plain,
)
from lightning_tf.identifying_text import identifying_text
from lightning_tf.logger import Logger
from lightning_tf.loops.limits import limited
from lightning_tf.loops.training_data import data_of, training_dataset, whole_pass
from lightning_tf.optimizers.optimizer_record import (
    RATE,
    configuration_changes,
    describe,
    fits,
    rate_changed,
)
from lightning_tf.stage import TRAIN
from lightning_tf.state_keys import has_state, keyed
from lightning_tf.storage.remote_checkpoint import RUN_FILE

if TYPE_CHECKING:
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

ROUNDING = ("gradient_reduction_dtype", "float32_matmul_precision")  # settings that decide digits
BATCHES, ACCUMULATION = "batches of an epoch", "accumulate_grad_batches"
ORDER = "examples and their order (a digest)"
ANEW = "begin a new run with its weights: fit(task, ckpt_path=..., weights_only=True)"


@contextmanager
def plain_data_of(checkpoint: Checkpoint) -> Iterator[None]:
    """Name the file where its plain data make no sense.

    Raises:
        CheckpointError: Something in them is missing or of another kind.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{checkpoint.path}: its {RUN_FILE} is not what this version writes: {error!r}"
        ) from error


# ---- how far it is


def check_limits(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint beyond max_epochs or max_steps; warn of one that stands at the limit.

    Raises:
        ConfigurationError: It is beyond; names both.
    """
    with plain_data_of(checkpoint):
        progress = checkpoint.run["progress"]
        epoch = int(progress["epoch"]) + bool(progress["epoch_closed"])
        step = int(progress["global_step"])

    for what, limit_name, reached in (
        ("epoch", "max_epochs", epoch),
        ("update", "max_steps", step),
    ):
        limit = getattr(trainer, limit_name)
        if limit is None or reached < limit:
            continue

        text = f"{checkpoint.path} is at {what} {reached} and {limit_name} is {limit}"
        remedy = "leave fast_dev_run out" if trainer.fast_dev_run else f"raise {limit_name}"
        if reached > limit:
            raise ConfigurationError(f"{text}: it is beyond the end; {remedy}, or {ANEW}.")
        log.warning("%s: nothing to train; %s.", text, remedy)


# ---- the data


def data_facts(trainer: Trainer, task: Task) -> dict[str, Any]:
    """Return what exactness rests on beside variables, as plain data; None where it is unknown."""
    data, loop = data_of(task), trainer.state.fit_loop
    splits = data.splits if isinstance(data, IndexedData) else None
    known = {
        "data": type(data).__name__,
        "batch_size": data.batch_size,
        "seed": data.order_seed,
        "split_seed": data.split_seed,
        BATCHES: data.steps_per_epoch or (loop.length if loop else trainer.num_training_batches),
        "training examples": len(splits["train"].indices) if splits and "train" in splits else None,
        ACCUMULATION: trainer.accumulate_grad_batches,
        ORDER: None if loop is None else loop.order,
    }
    return {name: plain(value) for name, value in known.items()}


def clipping_of(trainer: Trainer) -> str:
    """Return how the Trainer limits gradients, as text."""
    if trainer.gradient_clip_val is None:
        return "none"
    return f"{trainer.gradient_clip_algorithm} {trainer.gradient_clip_val:g}"


def check_data(trainer: Trainer, task: Task, checkpoint: Checkpoint) -> None:
    """Compare the data with those of the run that wrote a checkpoint.

    Between epochs nothing is lost or doubled by other data, so they are said and taken.

    Raises:
        CheckpointError: The checkpoint stands inside an epoch, which other data would not complete.
    """
    with plain_data_of(checkpoint):
        was = dict(checkpoint.run["data"])
        settings: dict[str, Any] = {
            name: str(checkpoint.run[name]) for name in ("precision", "clipping")
        }
        settings |= {name: checkpoint.run["settings"].get(name) for name in ROUNDING}
        settings |= _xla(checkpoint.run["settings"].get("jit_compile"))
        progress = checkpoint.run["progress"]
        epoch, batch, closed = (progress[name] for name in ("epoch", "batch", "epoch_closed"))

    now = data_facts(trainer, task)
    now[ACCUMULATION] = trainer.state.accumulation.at(epoch)
    now |= _of_epoch(trainer, task, epoch, was)
    changes = _changes(was, now)
    if len(changes) > 1:  # another order follows from the rest
        changes.pop(ORDER, None)

    if changes and batch and not closed:
        lost = "its updates would be of other batches"
        if changes.keys() - {ACCUMULATION}:
            lost = "examples would come twice or never"
        raise CheckpointError(
            f"{checkpoint.path} stands inside epoch {epoch}, after batch {batch}, and "
            f"{_said(changes)}: {lost}. Give the values that it was written with, resume from a "
            f"checkpoint of an epoch's end, or {ANEW}."
        )

    now = {"precision": trainer.precision, "clipping": clipping_of(trainer)}
    now |= {name: trainer.settings[name] for name in ROUNDING}
    now |= _xla(trainer.jit_compile, is_gpu=trainer.placement.is_gpu)
    changes |= _changes(settings, now)
    said = [_said(changes)] if changes else []
    said += _task_changes(task, checkpoint)
    if said:
        log.warning(
            "%s: %s. Training goes on so; it is no longer the run that was never interrupted.",
            checkpoint.path,
            ", ".join(said),
        )


def _xla(jit_compile: Any, *, is_gpu: bool = True) -> dict[str, bool]:
    """Return whether XLA compiles the steps, where that is known: it draws other numbers."""
    if jit_compile == "auto" and not is_gpu:
        return {"jit_compile": False}
    return {"jit_compile": jit_compile} if isinstance(jit_compile, bool) else {}


def _task_changes(task: Task, checkpoint: Checkpoint) -> list[str]:
    """Return how the task's class and hyperparameters differ from those that were recorded."""
    recorded, cls = str(checkpoint.run["task"]), type(task)
    other = [] if is_name_of(recorded, cls) else [f"the task was {recorded}, is {class_path(cls)}"]
    return other + hparams_differences(task.hparams, checkpoint.run["hparams"])


def _of_epoch(trainer: Trainer, task: Task, epoch: int, was: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may depend on the epoch: how many batches it has, and their order."""
    dataset = whole_pass(trainer, task) or training_dataset(trainer, task, epoch)
    steps = data_of(task).steps_per_epoch  # those of an epoch, but of the last one of a pass
    known: dict[str, Any] = {BATCHES: steps or limited(trainer, TRAIN, dataset)[1]}
    if trainer.workers.count > 1 or was.get(ORDER) in (None, order := order_digest(dataset)):
        return known

    # An order that is another one at every call cannot be compared; the fit warns of it.
    again = order_digest(whole_pass(trainer, task) or training_dataset(trainer, task, epoch))
    return {**known, ORDER: order if order == again else None}


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    known = {name: (was.get(name), value) for name, value in now.items()}
    return {n: (a, b) for n, (a, b) in known.items() if None not in (a, b) and a != b}


def _said(changes: Mapping[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} was {was}, is {now}" for name, (was, now) in changes.items())


# ---- the metrics


def metric_classes(trainer: Trainer) -> dict[str, str]:
    """Return the classes of training's metrics by name, with how they are configured."""
    metrics = {} if trainer.training is None else trainer.training.metrics.metrics
    return {name: _described(metric) for name, metric in metrics.items()}


def _described(metric: Any) -> str:
    try:
        config = dict(metric.get_config())
    except Exception:  # of a user's class
        config = {}
    # What Keras writes of a function is its code, which differs by the lines above it.
    function = identifying_text(getattr(metric, "_fn", None))
    known = {"function": function, **config} if function else config
    values = [
        f"{name}={plain(value)!r}"
        for name, value in known.items()
        if name not in ("name", "dtype", "fn") and is_plain(value)
    ]
    return f"{type(metric).__name__}({', '.join(values)})"


def metrics_fit(trainer: Trainer, checkpoint: Checkpoint) -> bool:
    """Return whether training's metrics are those of a checkpoint, by name and class.

    Between epochs others are taken: every epoch begins them anew.

    Raises:
        CheckpointError: They differ inside an epoch, whose number would mix both.
    """
    with plain_data_of(checkpoint):
        was, progress = dict(checkpoint.run["metric_classes"]), checkpoint.run["progress"]
        is_inside = progress["batch"] and not progress["epoch_closed"]
    now = metric_classes(trainer)
    if was != now and is_inside:
        raise CheckpointError(
            f"{checkpoint.path} stands inside epoch {progress['epoch']}, and the training metrics "
            f"were {was}, are {now}: an epoch's number would mix both. Configure those of the "
            f"checkpoint, resume from a checkpoint of an epoch's end, or {ANEW}."
        )
    return was == now


# ---- the callbacks


def callback_arguments(trainer: Trainer) -> dict[str, dict[str, Any]]:
    """Return the constructor's arguments of every callback that may have a state, by its key."""
    return {
        key: callback.constructor_arguments
        for key, callback in keyed(trainer.callbacks)
        if has_state(callback) and not isinstance(callback, Logger)
    }


def warn_of_callbacks(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Say which callbacks begin anew, whose state nobody takes, and which have other arguments."""
    with plain_data_of(checkpoint):
        recorded = checkpoint.run["callback_arguments"]
        was: dict[str, dict[str, Any]] = {key: dict(recorded[key]) for key in recorded}
    now = callback_arguments(trainer)

    notes = [f"no callback takes the state of {key}" for key in was if key not in now]
    notes += [f"{key} begins anew" for key in now if key not in was]
    for key in now.keys() & was.keys():
        changes = [
            change_text(name, was[key].get(name, "nothing"), value)
            for name, value in now[key].items()
            if repr(was[key].get(name)) != repr(value)
        ]
        notes += [f"{key} goes on with {', '.join(changes)}"] if changes else []
    if notes:
        log.warning("%s: %s.", checkpoint.path, "; ".join(sorted(notes)))


# ---- the optimizers


def check_optimizers(optimizers: Mapping[str, NamedOptimizer], checkpoint: Checkpoint) -> None:
    """Refuse other optimizers than those that a checkpoint holds; say how the same ones changed.

    Raises:
        CheckpointError: The names, a class or the slots differ; names both.
    """
    recorded, path = checkpoint.run["optimizers"], checkpoint.path
    if optimizers.keys() != recorded.keys():
        raise CheckpointError(
            f"{path} holds {_named(recorded)}, and configure_optimizers gives "
            f"{_named(optimizers)}: configure those of the checkpoint; or {ANEW}."
        )

    for name, optimizer in optimizers.items():
        record, before = optimizer.record(), recorded[name]
        with plain_data_of(checkpoint):
            changes = configuration_changes(before["config"], record["config"])
            is_same = fits(record, before)
        if not is_same:
            raise CheckpointError(
                f"{path}: {_label(name)} was {describe(before)} and is {describe(record)}: "
                f"configure the one of the checkpoint; or {ANEW}."
            )

        if changes:
            log.warning(
                "%s: %s goes on as it is configured now: %s.",
                path,
                _label(name),
                ", ".join(changes),
            )


def optimizer_tensors(
    optimizers: Mapping[str, NamedOptimizer], checkpoint: Checkpoint
) -> dict[str, np.ndarray]:
    """Return the tensors that a checkpoint gives to optimizers, by their names in it.

    The recorded learning rate is one that a callback may have moved, so it holds, unless another
    one is configured now. What the checkpoint lacks begins as in a new run.
    """
    tensors: dict[str, Any] = {}
    for name, optimizer in optimizers.items():
        before, now = checkpoint.run["optimizers"][name]["config"], optimizer.record()["config"]
        own = optimizer.initial_state()
        if is_number(now.get(RATE)):  # a schedule is no variable
            own[RATE] = now[RATE]

        own = {f"optimizer.{name}.{key}": value for key, value in own.items()}
        kept = set(checkpoint.tensors)
        if rate_changed(before, now):
            kept.discard(f"optimizer.{name}.{RATE}")
        tensors |= {key: np.asarray(value) for key, value in own.items() if key not in kept}
    return tensors


def _label(name: str) -> str:
    return f"optimizer {name!r}" if name else "the optimizer"


def _named(names: Mapping[str, Any]) -> str:
    if [*names] == [""]:
        return "a single optimizer"
    return f"optimizers {', '.join(map(repr, names))}"
