"""cross_validate: train a task once for each fold of its training examples."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tf.checks import describe
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import call_arguments
from lightning_tf.run.cross_validation import CrossValidation
from lightning_tf.task import Task
from lightning_tf.variables import trainable_variables

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

NAME = "cross_validation"


def cross_validate(
    make_trainer: Callable[[str], Trainer],
    make_task: Callable[[], Task],
    folds: list[Fold],
    root: str,
) -> CrossValidation:
    """Train and validate once for each fold, each time from the beginning.

    Args:
        make_trainer: Gives a Trainer that writes to a folder.
        make_task: Gives a task that has not trained, with data that are not loaded.
        folds: All of them.
        root: Where the folder of the runs is made.

    Raises:
        ConfigurationError: The data cannot be cut, or nothing is measured in validation.
    """
    folder = _new_folder(Path(root))
    values: list[dict[str, float]] = []
    before: list[Any] = []  # variables of the fold before, kept so that no other gets their place
    for fold in folds:
        task, trainer = make_task(), make_trainer(str(folder / f"fold_{fold.index}"))
        _refuse_shared(task, before)
        data_of(task).take_fold(fold)
        for logger in trainer.loggers:
            logger.join_group(folder.name, f"{folder.name}-fold_{fold.index}")

        log.info("fold %d of %d", fold.index + 1, fold.of)
        trainer.fit(task)
        _refuse_shared(task, before)  # a model that configure_model has found somewhere
        before = trainable_variables(task)
        values.append(trainer.validate(task, ckpt_path=_judged_by(trainer)))
        if not values[-1]:
            raise ConfigurationError(
                f"{type(task).__name__} measures nothing in validation; return a loss or metrics."
            )

    result = CrossValidation(values, folder)
    result.save()
    return result


def _refuse_shared(task: Task, before: list[Any]) -> None:
    """Refuse a model that an earlier fold has trained: on the rows that validate now.

    Raises:
        ConfigurationError: The task has variables of the fold before.
    """
    known = {id(variable) for variable in before}
    shared = [variable.path for variable in trainable_variables(task) if id(variable) in known]
    if shared:
        raise ConfigurationError(
            f"{type(task).__name__} has {shared[0]} of the fold before, which has trained it on "
            "the rows that validate now: make models anew for every fold, in the function that "
            "makes the task or in configure_model."
        )


def task_maker(task: Task | Callable[[], Task]) -> Callable[[], Task]:
    """Return what makes a task anew: a function as it is, a task by its recorded arguments.

    Raises:
        ConfigurationError: The task has trained, or was made of more than plain data.
    """
    if not isinstance(task, Task):
        if not callable(task):
            raise ConfigurationError(f"cross_validate got {describe(task)}; give a Task.")
        return task
    cls = type(task)
    try:
        positional, named = call_arguments(cls, task.hparams, {})
    except CheckpointError:
        raise ConfigurationError(
            f"every fold needs a {cls.__name__} of its own, which arrays, models and data modules "
            "among its arguments do not allow: give a function that makes it with models of its "
            f"own, such as lambda: {cls.__name__}(...)."
        ) from None
    return lambda: cls(*positional, **named)


def trainer_maker(kind: type[Trainer], arguments: dict[str, Any]) -> Callable[[str], Trainer]:
    """Return what makes a Trainer anew, with copies of its callbacks and loggers.

    Args:
        kind: The class.
        arguments: Of its constructor.
    """

    def make(folder: str) -> Trainer:
        own = {name: copy.deepcopy(arguments[name]) for name in ("callbacks", "logger")}
        return kind(**{**arguments, **own, "default_root_dir": folder})

    return make


def data_of(task: Task) -> DataModule:
    """Return the data that are to be cut.

    Raises:
        ConfigurationError: The task has none.
    """
    data = task.resolve_data()
    if data is None:
        raise ConfigurationError(f"{type(task).__name__} has no data to cut into folds.")
    return data


def _judged_by(trainer: Trainer) -> str | None:
    """Return "best" where a callback keeps the best weights by a metric; None is the last ones."""
    monitor = getattr(trainer.checkpoint_callback, "monitor", None)
    return "best" if monitor is not None and not trainer.fast_dev_run else None


def _new_folder(root: Path) -> Path:
    number = 0
    while (root / f"{NAME}_{number}").exists():
        number += 1
    folder = root / f"{NAME}_{number}"
    folder.mkdir(parents=True)
    return folder
