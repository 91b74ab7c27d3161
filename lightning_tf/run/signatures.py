"""Signatures: steps that could not be called as a Trainer calls them."""

import inspect
from collections.abc import Iterable
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import PREDICT, TEST, TRAIN, VALIDATE
from lightning_tf.task import Task

STEPS = {
    "fit": (TRAIN.step, VALIDATE.step),
    VALIDATE.name: (VALIDATE.step,),
    TEST.name: (TEST.step,),
    PREDICT.name: (PREDICT.step,),
}


def check_steps(task: Task, entry_point: str) -> None:
    """Refuse steps that take something else than what they are called with.

    Args:
        task: Any task.
        entry_point: fit, validate, test or predict.

    Raises:
        ConfigurationError: Names the method, what it takes, and how it is called.
    """
    owner = type(task).__name__
    for step in STEPS[entry_point]:
        method = getattr(task, step)
        hint = " The batch's number is self.trainer.batch_idx." if step == TRAIN.step else ""
        _check(f"{owner}.{step}", method, ("batch",), hint)

    predicts = getattr(task.predict_step, "__func__", None)
    if entry_point == PREDICT.name and predicts is Task.predict_step:
        raise ConfigurationError(f"{owner} has no predict_step; write one.")


def _check(label: str, method: Any, arguments: Iterable[str], hint: str = "") -> None:
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # of C code
        return
    arguments = list(arguments)
    try:
        signature.bind(*arguments)
    except TypeError:
        if "dataloader_idx" in signature.parameters:
            hint += " Which of several data sets it is of, self.trainer.dataset_name tells."
        name = label.rpartition(".")[2]
        raise ConfigurationError(
            f"{label} takes {signature}, and is called as {name}({', '.join(arguments)}).{hint}"
        ) from None
