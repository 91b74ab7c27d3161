"""ServedModel: a task that answers requests, whatever carries them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.predictor import Predictor
from lightning_tf.serving.array_instances import ArrayInstances
from lightning_tf.serving.history_instances import HistoryInstances
from lightning_tf.serving.image_instances import ImageInstances
from lightning_tf.serving.instances import Instances, Named
from lightning_tf.serving.limits import Limits
from lightning_tf.serving.request_body import instances_of
from lightning_tf.serving.request_error import RequestError
from lightning_tf.serving.row_instances import RowInstances
from lightning_tf.serving.text_instances import TextInstances
from lightning_tf.task import Task
from lightning_tf.version import __version__

KINDS: dict[str | None, type[Instances]] = {
    "array": ArrayInstances,
    "history": HistoryInstances,
    "image": ImageInstances,
    "row": RowInstances,
    "text": TextInstances,
}

LIMITS = ("max_batch", "max_body_mb", "max_pixels", "max_text")


class ServedModel:
    """A task that answers requests; several threads may ask at once.

    Args:
        task: It has a model.
        limits: What a request may hold.
        checkpoint: The name of the checkpoint that the task came from; None where it is unknown.

    Attributes:
        instances: What a request holds.

    Raises:
        ConfigurationError: There is no model, or nothing to predict of new data.

    Example:
        >>> model = ServedModel(TextClassification.from_checkpoint("best.ckpt"), Limits())
        >>> model.answer_json(b'{"instances": ["What a film!"]}')["predictions"][0]["label"]
        'good'
    """

    def __init__(self, task: Task, limits: Limits, checkpoint: str | None = None) -> None:
        if task.input_kind not in KINDS:
            raise ConfigurationError(
                f"{type(task).__name__} cannot be served: its input_kind is {task.input_kind!r}, "
                f"none of {', '.join(sorted(map(str, KINDS)))}."
            )
        self.task, self.limits, self.checkpoint = task, limits, checkpoint
        predictor = Predictor(task, limits.max_batch)
        self.instances = KINDS[task.input_kind](predictor, limits)
        self.instances.warm_up()

    def answer_json(self, body: bytes) -> dict[str, Any]:
        """Return the predictions for a body of JSON.

        Raises:
            RequestError: It cannot be read.
        """
        given = instances_of(body, self.limits.max_batch)
        return self._answer(
            [
                Named(_of(f"instance {place}", self.instances.checked, value), f"instance {place}")
                for place, value in enumerate(given)
            ]
        )

    def answer_files(self, files: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
        """Return the predictions for files.

        Args:
            files: Names and contents.

        Raises:
            RequestError: One cannot be read.
        """
        return self._answer(
            [
                Named(_of(name, self.instances.of_file, name, content), name, name)
                for name, content in files
            ]
        )

    def description(self) -> dict[str, Any]:
        """Return what is served: task, classes, what is wanted, limits, versions."""
        limits = {name: getattr(self.limits, name) for name in LIMITS}
        wanted = {"kind": self.task.input_kind, "instance": self.instances.wanted}
        return {
            "task": type(self.task).__name__,
            "checkpoint": self.checkpoint,
            "classes": list(map(str, getattr(self.task, "class_names", None) or ())),
            "input": {**wanted, "files": self.instances.files, **self.instances.details()},
            "limits": limits,
            "versions": {
                "lightning_tf": __version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
        }

    def _answer(self, given: list[Named]) -> dict[str, Any]:
        self.instances.check_all(given)
        return {"predictions": self.instances.predict(given)}


def _of(name: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function reads; an error begins with the name of what it read."""
    try:
        return read(*arguments)
    except RequestError as error:
        raise RequestError(error.status, f"{name}: {error.detail}") from None
