"""serving_app: a trained task as an application that any server of ASGI runs."""

import os
from typing import TYPE_CHECKING, Any

from lightning_tf.serving.extra import check_extra
from lightning_tf.serving.limits import Limits
from lightning_tf.task import Task

if TYPE_CHECKING:
    from fastapi import FastAPI


def serving_app(
    task: Task | str | os.PathLike[str],
    *,
    ckpt_path: str | os.PathLike[str] | None = None,
    max_batch: int = 64,
    max_body_mb: float = 10,
    max_pixels: int = 64_000_000,
) -> "FastAPI":
    """Return an application of FastAPI that predicts with a trained task; see docs/serving.md.

    ``POST /predict`` takes ``{"instances": [...]}``, ``POST /predict/files`` files as a form; both
    answer ``{"predictions": [...]}``, one for each instance. ``GET /health``, ``/model``,
    ``/openapi.json`` and a page at ``/`` tell of it. When it is returned, the model has predicted
    once, where an input is known that it takes. There is no authentication. Needs the extra
    ``serve``.

    Args:
        task: A task that was fitted or comes from a checkpoint, or the folder of a run.
        ckpt_path: Of a run: ``best``, ``last`` or a checkpoint's folder; None takes the best where
            one is known, else the last.
        max_batch: The most instances, files or rows of a request.
        max_body_mb: The most megabytes of its body.
        max_pixels: The most pixels of all its images, as their headers say, before any is decoded.

    Raises:
        ConfigurationError: A package is missing, a limit is no positive number, there is no model,
            or the task has nothing to predict of new data.
        CheckpointError: The run has no checkpoint that can be read.

    Example:
        >>> import uvicorn
        >>> uvicorn.run(serving_app("runs/version_0"), port=8000)
    """
    check_extra()
    from lightning_tf.serving.routes import app_of
    from lightning_tf.serving.served_model import ServedModel
    from lightning_tf.serving.task_of_run import task_of_run

    limits = Limits(max_batch=max_batch, max_body_mb=max_body_mb, max_pixels=max_pixels)
    checkpoint: Any = None
    if not isinstance(task, Task):
        task, path = task_of_run(task, ckpt_path)
        checkpoint = os.path.basename(path.rstrip("/\\"))  # clients see no path of this machine
    return app_of(ServedModel(task, limits, checkpoint))
