"""What of a run goes into a checkpoint, and how it comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lightning_tf import checkpoint
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.variables import all_variables

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

CheckpointPath = str | os.PathLike[str]


def save(trainer: Trainer, task: Task, path: CheckpointPath, *, weights_only: bool) -> None:
    """Write a run as it stands.

    Args:
        trainer: Gives optimizers, positions, callbacks and settings.
        task: Gives models and hyperparameters.
        path: The directory to make.
        weights_only: Leave out what only training needs.
    """
    run: dict[str, Any] = {
        "task": f"{type(task).__module__}.{type(task).__qualname__}",
        "hparams": task.hparams,
    }
    if weights_only or trainer.training is None:
        checkpoint.save(path, _weights(task), run)
        return
    run["progress"] = trainer.progress.state()
    run["means"] = {} if trainer.training.means is None else trainer.training.means.state()
    run["metrics"] = {"latest": trainer.callback_metrics, "steps": trainer.metric_steps}
    run["callbacks"] = {c.state_key: state for c in trainer.callbacks if (state := c.state_dict())}
    run["random"] = checkpoint.random_state()
    run["settings"] = trainer.settings
    checkpoint.save(path, _everything(trainer, task), run)


def resume(trainer: Trainer, task: Task, ckpt_path: CheckpointPath) -> None:
    """Put a whole run back: variables, positions, running values, callbacks, generators.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, of another task, or weights only.
    """
    path = trainer.ckpt_path = path_of(trainer, ckpt_path)
    tensors, run = checkpoint.load(path)
    if "progress" not in run or trainer.training is None:
        raise CheckpointError(f"{path} holds weights only; fit cannot resume from it.")
    tensors = trainer.training.metrics.fitted(tensors, "metric.")
    checkpoint.assign(_everything(trainer, task), tensors, path)
    for name, value in run["progress"].items():
        setattr(trainer.progress, name, value)
    if run["means"] and trainer.training.means is not None:
        trainer.training.means.load_state(run["means"])
    trainer.callback_metrics.update(run["metrics"]["latest"])
    trainer.metric_steps.update(run["metrics"]["steps"])
    for callback in trainer.callbacks:
        if callback.state_key in run["callbacks"]:
            callback.load_state_dict(run["callbacks"][callback.state_key])
    checkpoint.restore_random_state(run["random"])


def load_weights(trainer: Trainer, task: Task, ckpt_path: CheckpointPath | None) -> None:
    """Take the models' variables from a checkpoint, where one is given."""
    if ckpt_path is not None:
        path = path_of(trainer, ckpt_path)
        tensors, _ = checkpoint.load(path)
        checkpoint.assign(_weights(task), tensors, path)


def path_of(trainer: Trainer, ckpt_path: CheckpointPath) -> str:
    """The directory that a path, ``"last"`` or ``"best"`` means.

    Raises:
        ConfigurationError: No callback of the Trainer has written such a checkpoint.
    """
    if ckpt_path not in ("last", "best"):
        return os.fspath(ckpt_path)
    attribute = f"{ckpt_path}_model_path"
    for callback in trainer.callbacks:
        path = getattr(callback, attribute, "")
        if path:
            return os.fspath(path)
    raise ConfigurationError(
        f"ckpt_path={ckpt_path!r}: no callback of this Trainer has written such a checkpoint; give "
        "a path."
    )


def _weights(task: Task) -> dict[str, Any]:
    return {f"task.{name}": variable for name, variable in all_variables(task).items()}


def _everything(trainer: Trainer, task: Task) -> dict[str, Any]:
    variables = _weights(task)
    training = trainer.training
    if training is not None:
        for name, optimizer in training.optimizers.items():
            variables |= {f"optimizer.{name}.{k}": v for k, v in optimizer.state().items()}
        variables |= {f"metric.{name}": v for name, v in training.metrics.state().items()}
    return variables
