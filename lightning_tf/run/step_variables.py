"""The variables that a compiled step uses, beside those that the run knows by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lightning_tf.checkpoint.io import assign_tensors, read_values
from lightning_tf.distribute.sync_on_read import SyncOnRead
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import forget_global_seed_generator, global_seed_generator
from lightning_tf.run.run_state import UNNAMED, everything
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.stage import TRAIN, VALIDATE
from lightning_tf.variables import (
    OBSERVED,
    constant_variables,
    device_copies,
    named_weights,
    short_name,
    trainable_variables,
)

if TYPE_CHECKING:
    from lightning_tf.graph.stage_metrics import StageMetrics
    from lightning_tf.graph.window import Window
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


def note_step(trainer: Trainer, task: Task, window: Window) -> None:
    """Take the variables of a compiled step into the run, so that none moves unsaved.

    What no attribute of the task leads to (a model in a helper object, a variable of a module) is
    saved, resumed and put back after a trial run with the rest, by the order in which the step
    uses it, and is told. So is a weight that no optimizer updates.

    Args:
        trainer: In an entry point.
        task: Whose step it is.
        window: The compiled step.

    Raises:
        ConfigurationError: The step assigns what the task calls constant.
    """
    method, used = window.step.method, window.variables()
    constants = _handles(constant_variables(task))
    for variable, assigned in used:
        if assigned and id(variable.handle) in constants:
            raise ConfigurationError(
                f"{method} assigns {variable.name}, which {type(task).__name__}.constant_variables "
                "returned; leave it out there, so that checkpoints hold it."
            )

    fits, known = trainer.entry_point == "fit", everything(trainer, task)
    if not fits:  # only a resumed fit loads these
        known = {name: v for name, v in known.items() if not name.startswith(UNNAMED)}
    handles = _handles([*known.values(), *window.metrics.state().values()]) | constants
    unnamed = [
        v for v, _ in used if id(v.handle) not in handles and not v.name.startswith(OBSERVED)
    ]

    training = trainer.training
    if fits and training is not None:
        for variable in unnamed:
            training.unnamed[f"{len(training.unnamed):04d}.{short_name(variable)}"] = variable
        drawn = trainer.placement.generator  # Keras' own on one device, which the run knows
        own = [v for v in unnamed if drawn is None or id(v.handle) not in _handles([drawn.state])]
        if own:
            log.warning(
                "%s uses %s, which no attribute of the task leads to: a resumed fit has it, but "
                "optimizers, test, from_checkpoint and export do not. Make it, or the layer that "
                "holds it, an attribute of the task; what never changes belongs into "
                "Task.constant_variables.",
                method,
                _names(own),
            )
        if method == TRAIN.step:
            _tell_idle(training, task, {id(v.handle) for v, _ in used})
    elif unnamed and trainer.ckpt_path is not None:
        log.warning(
            "%s uses %s, which no attribute of the task leads to: the checkpoint's values are not "
            "loaded. Make it, or the layer that holds it, an attribute of the task.",
            method,
            _names(unnamed),
        )


@contextmanager
def put_back(trainer: Trainer, task: Task, windows: list[Window]) -> Iterator[None]:
    """Put back, after the ``with`` block, every variable of the run that a step or a hook may move.

    Those that an optimizer updates are left where they are, unless the step itself assigns them:
    nothing else in a validation does, and they may fill the device.
    """
    known = everything(trainer, task)
    used = [pair for window in windows for pair in window.variables()]
    moved = {id(variable.handle) for variable, moves in used if moves}
    training = trainer.training
    updated = set()
    if training is not None:
        for optimizer in training.optimizers.values():
            updated |= _handles([*optimizer.variables, *optimizer.state().values()])
    variables = {n: v for n, v in known.items() if not _handles([v]) & (updated - moved)}
    values, had_generator = read_values(variables), global_seed_generator() is not None

    yield
    assign_tensors(variables, values, VALIDATE.step)
    if not had_generator:  # as if nothing had drawn yet
        forget_global_seed_generator()


@contextmanager
def unmoved(trainer: Trainer, task: Task, metrics: StageMetrics | None = None) -> Iterator[None]:
    """Put back, after the ``with`` block, every variable of the run, and the random generators.

    Args:
        trainer: In an entry point.
        task: What it drives.
        metrics: Of the stage; those that the block builds begin anew.
    """
    state = {} if metrics is None else metrics.state()
    variables = {**everything(trainer, task), **{f"stage.{n}": v for n, v in state.items()}}
    values, random = read_values(variables), random_state()
    had_generator = global_seed_generator() is not None
    built = {} if metrics is None else metrics.metrics
    unbuilt = [metric for metric in built.values() if not metric.variables]

    yield
    assign_tensors(variables, values, "a step that does not count")
    for metric in unbuilt:
        metric.reset_state()
    restore_random_state(random)
    if not had_generator:
        forget_global_seed_generator()


def _tell_idle(training: TrainingState, task: Task, used: set[int]) -> None:
    """Tell once of each weight that the step uses, and no optimizer updates, though it trains."""
    owned = _handles(v for optimizer in training.optimizers.values() for v in optimizer.variables)
    trainable = _handles(trainable_variables(task))
    idle = [
        name.removeprefix("task.")
        for name, variable in named_weights(task).items()
        if _handles([variable]) & used & trainable - owned
    ]

    new = [name for name in idle if name not in training.told_idle]
    training.told_idle.update(new)
    if new:
        log.warning(
            "no optimizer updates %s, which training_step uses: name the attribute in "
            "configure_optimizers, or set trainable = False.",
            _list(new),
        )


def _handles(variables: Iterable[Any]) -> set[int]:
    return {id(copy.handle) for variable in variables for copy in _copies(variable)}


def _copies(variable: Any) -> Iterator[Any]:
    yield from variable.copies if isinstance(variable, SyncOnRead) else device_copies(variable)


def _names(variables: list[Any]) -> str:
    return _list([str(variable.name).split(":")[0] for variable in variables])


def _list(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
