"""What of a run goes into a checkpoint, and how it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lightning_tf.checkpoint.io import Checkpoint, Snapshot, assign_tensors, check_tensors
from lightning_tf.checkpoint.state_arrays import put_arrays, take_arrays
from lightning_tf.distribute.sync_on_read import SyncOnRead, adapt_tensors, metric_state
from lightning_tf.exceptions import CheckpointError
from lightning_tf.hyperparameters import checked_state, class_path
from lightning_tf.keras_internals import global_seed_generator
from lightning_tf.optimizers.gradient_accumulator import SUM
from lightning_tf.run.data_position import KEY, data_position, restore_position
from lightning_tf.run.resume_checks import (
    ANEW,
    callback_arguments,
    check_data,
    check_optimizers,
    clipping_of,
    data_facts,
    metric_classes,
    metrics_fit,
    optimizer_tensors,
    plain_data_of,
    warn_of_callbacks,
)
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.state_keys import keyed
from lightning_tf.variables import held_metrics, named_weights

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

CALLBACK = "callback."  # how the names of callbacks' variables begin
TRAINED = "trained."  # of the weights that a fit's end has replaced by final ones
UNNAMED = "unnamed."  # and of those that no attribute of the task leads to


def take_snapshot(trainer: Trainer, task: Task, *, weights_only: bool) -> Snapshot:
    """Copy a run as it stands to host memory; of several workers all take part, the chief copies.

    Args:
        trainer: Gives optimizers, positions, callbacks and settings.
        task: Gives models and hyperparameters.
        weights_only: Leave out what only training needs.
    """
    arrays: dict[str, np.ndarray] = {}

    def state_of(key: str, owner: Any, name: str) -> dict[str, Any]:
        if owner is None:  # a task that was only given data to be evaluated on
            return {}
        state, found = take_arrays(key, owner.state_dict())
        arrays.update(found)
        return checked_state(name, state)

    lineage, progress = trainer.state.lineage, trainer.progress
    run: dict[str, Any] = {
        "run_id": lineage.run_id,
        "attempt": lineage.attempt,
        "task": class_path(type(task)),
        "hparams": task.hparams,
        "task_state": state_of("task", task, type(task).__name__),
        "data_state": state_of("data", task.data, type(task.data).__name__),
        "precision": trainer.precision,
        "clipping": clipping_of(trainer),
    }
    if weights_only or trainer.training is None:
        run["stood_at"] = {n: getattr(progress, n) for n in ("global_step", "total_batches")}
        return Snapshot.of(_weights(trainer, task) if trainer.is_global_zero else {}, run, arrays)

    run["optimizers"] = {k: o.record() for k, o in trainer.training.optimizers.items()}
    run["data"] = data_facts(trainer, task)
    run[KEY] = data_position(trainer, task)
    run["progress"] = progress.state_dict()
    loop = trainer.state.fit_loop
    run["stop_requests"] = [] if loop is None else loop.waiting_stops
    run["means"] = {} if trainer.training.means is None else trainer.training.means.state()
    run["metric_classes"] = metric_classes(trainer)
    run["metrics"] = {"latest": trainer.callback_metrics, "steps": trainer.metric_steps}
    run["callbacks"] = {
        key: state
        for key, callback in keyed(trainer.callbacks)
        if (state := state_of(f"callback.{key}", callback, key))
    }
    run["callback_arguments"] = callback_arguments(trainer)
    run["loggers"] = [[key, logger.run_id] for key, logger in keyed(trainer.loggers)]
    run["random"] = random_state()
    if trainer.status.launched_fit is not None:
        run["launched_fit"] = trainer.status.launched_fit.key
    run["settings"] = trainer.settings

    variables = everything(trainer, task)
    if progress.phase == 0:  # nothing is accumulated: sums would be zeros, and as large as weights
        sums = {f"optimizer.{name}.{SUM}" for name in trainer.training.optimizers}
        variables = {n: v for n, v in variables.items() if not n.startswith(tuple(sums))}
    variables |= {f"{TRAINED}{name}": v for name, v in _trained_weights(trainer, task).items()}
    if not trainer.is_global_zero:  # writes nothing, but holds parts of what the chief writes
        variables = {k: v for k, v in variables.items() if isinstance(v, SyncOnRead)}
    return Snapshot.of(variables, run, arrays, trainer.state.host_copies)


def snapshot_bytes(trainer: Trainer, task: Task, *, weights_only: bool) -> int:
    """Return the size of the tensors that `take_snapshot` would copy, without reading them."""
    variables = _weights(trainer, task) if weights_only else everything(trainer, task)
    sizes = (
        np.prod(v.shape, dtype=np.int64) * tf.as_dtype(v.dtype).size for v in variables.values()
    )
    return int(sum(sizes))


def refuse_unless_whole(checkpoint: Checkpoint) -> None:
    """Refuse what a run cannot go on from, before any work starts.

    Raises:
        CheckpointError: It holds weights only.
    """
    if "progress" not in checkpoint.run:
        raise CheckpointError(
            f"{checkpoint.path} holds weights only; fit cannot resume from it: {ANEW}."
        )


def continue_runs(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Let the loggers go on with the runs that the checkpoint knows of.

    Raises:
        CheckpointError: It names a run that is none, such as a path out of the runs' folder.
    """
    recorded = dict(checkpoint.run["loggers"])
    for state_key, logger in keyed(trainer.loggers):
        run_id = recorded.get(state_key)
        if run_id is None:
            continue
        try:
            logger.continue_run(run_id)
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"{checkpoint.path}: {state_key} cannot go on with run {run_id!r}: {error}"
            ) from error


def resume(trainer: Trainer, task: Task, checkpoint: Checkpoint) -> None:
    """Put a whole run back: variables, positions, running values, callbacks, generators.

    Raises:
        CheckpointError: The checkpoint is of another task, of other optimizers, data or callbacks,
            or its plain data make no sense.
    """
    run = checkpoint.run
    optimizers = {} if trainer.training is None else trainer.training.optimizers

    # All that can be refused is refused before anything is assigned; the task first, as what is of
    # another task differs in all the rest, too.
    check_tensors(_weights(trainer, task), checkpoint.tensors, checkpoint.path)
    check_optimizers(optimizers, checkpoint)
    check_data(trainer, task, checkpoint)
    same_metrics = metrics_fit(trainer, checkpoint)

    variables = everything(trainer, task)
    _check_callbacks(variables, checkpoint)
    warn_of_callbacks(trainer, checkpoint)
    if not same_metrics:
        variables = {n: v for n, v in variables.items() if not n.startswith("metric.")}
    if "keras.global_seed_generator" not in checkpoint.tensors:
        # Something else in this process drew; the run that was saved had not.
        variables.pop("keras.global_seed_generator", None)

    tensors = {**checkpoint.tensors, **optimizer_tensors(optimizers, checkpoint)}
    # Of a run that had ended: training goes on from its own weights, not from the final ones.
    trained = {name: value for name, value in tensors.items() if name.startswith(TRAINED)}
    tensors |= {name.removeprefix(TRAINED): value for name, value in trained.items()}
    tensors = adapt_tensors(variables, tensors)
    assign_tensors(variables, tensors, checkpoint.path)

    with plain_data_of(checkpoint):
        trainer.progress.load_state_dict(run["progress"])
        trainer.state.resume_lineage(run)
        for reason in run["stop_requests"]:
            trainer.request_stop(reason)
        if run["means"] and trainer.training is not None and trainer.training.means is not None:
            trainer.training.means.load_state(run["means"])
        trainer.records.restore(run["metrics"]["latest"], run["metrics"]["steps"])
        for key, callback in keyed(trainer.callbacks):
            if key in run["callbacks"]:
                callback.load_state_dict(put_arrays(run["callbacks"][key], checkpoint.tensors))
        # Last: nothing that takes its state back may draw from the generators afterwards.
        restore_random_state(run["random"])
        restore_position(trainer, task, checkpoint)


def load_weights(task: Task, checkpoint: Checkpoint | None) -> None:
    """Take the models' variables from a checkpoint, where one is given."""
    if checkpoint is not None:
        assign_tensors(named_weights(task), checkpoint.tensors, checkpoint.path)
        task.has_learned = True


def everything(trainer: Trainer, task: Task) -> dict[str, Any]:
    """Return every variable that training moves, by its name in a checkpoint."""
    variables = _weights(trainer, task)
    held = metric_state(held_metrics(task), trainer.workers)
    variables |= {f"task_metric.{name}": v for name, v in held.items()}

    training = trainer.training
    if training is not None:
        for name, optimizer in training.optimizers.items():
            variables |= {f"optimizer.{name}.{k}": v for k, v in optimizer.state().items()}
        variables |= {f"metric.{name}": v for name, v in training.metrics.state().items()}
        variables |= {f"{UNNAMED}{name}": v for name, v in training.unnamed.items()}

    for key, callback in keyed(trainer.callbacks):
        variables |= {f"{CALLBACK}{key}.{k}": v for k, v in callback.variables().items()}

    generator = global_seed_generator()
    if generator is not None:
        variables["keras.global_seed_generator"] = generator.state
    return variables


def _trained_weights(trainer: Trainer, task: Task) -> dict[str, Any]:
    """Return the trained weights where final ones stand in their place, by their names."""
    if trainer.training is None:
        return {}
    names = {id(variable): name for name, variable in named_weights(task).items()}
    trained = trainer.training.final_weights.trained()
    return {names[id(variable)]: value for variable, value in trained}


def _check_callbacks(variables: Mapping[str, Any], checkpoint: Checkpoint) -> None:
    """Refuse a resume with other callbacks that have variables: it would not be exact."""
    here = {name for name in variables if name.startswith(CALLBACK)}
    there = {name for name in checkpoint.tensors if name.startswith(CALLBACK)}
    for names, problem in (
        (there - here, "holds {}, which no callback of this Trainer has"),
        (here - there, "does not hold {}, which a callback of this Trainer needs"),
    ):
        if names:
            raise CheckpointError(
                f"{checkpoint.path} {problem.format(min(names))}; resume with the callbacks that "
                "it was written with."
            )


def _weights(trainer: Trainer, task: Task) -> dict[str, Any]:
    weights = named_weights(task)
    for callback in trainer.callbacks:
        weights |= {f"task.{name}": v for name, v in callback.saved_weights().items()}
    return weights
