"""SpecTask: a Task whose network is built to what it learns of its data."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import keras
import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.stage_data import StageData
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import is_url
from lightning_tf.tasks.common.constructed_data import ConstructedData


class SpecTask(ConstructedData):
    """Base of tasks that are built to the columns of their data.

    The spec is read when an entry point sets the data up. Checkpoints hold it, so that a task from
    a checkpoint can be asked without any data. A subclass sets `data` and `spec_class`, and builds
    its network, as `built`, in `configure_model` to what `learn_spec` returns.

    Attributes:
        spec: What is known of the data; None until data are set up or a checkpoint is read.
        spec_class: A dataclass of plain data with a classmethod ``of(data)``.
    """

    spec_class: ClassVar[Any]
    spec: Any = None
    data: DataModule | None
    model: keras.Model

    def record_data(self, data: Any) -> None:
        """Keep in `hparams` where the data come from, never the data themselves."""
        if is_url(data):
            self.hparams["data"] = str(data)
        elif isinstance(data, os.PathLike):
            self.hparams["data"] = os.fspath(data)
        elif data is not None and not isinstance(data, str):
            # Plain data it may be, but a whole table or series has no place in a checkpoint.
            self.hparams["data"] = {"type": f"{type(data).__module__}.{type(data).__qualname__}"}

    def setup(self, stage: str) -> None:
        """Learn the spec from the data."""
        self.learn_spec()

    def learn_spec(self) -> Any:
        """Return the spec: that of the data of a run, else what is known already.

        Raises:
            ConfigurationError: There are neither data nor a spec from a checkpoint.
        """
        # A run reads its data again: they may be others than those of the run before, or than a
        # checkpoint's. Outside of one, or beside data of an evaluation, what is known stands.
        is_run = self._trainer is not None and not isinstance(self.data, StageData)
        if self.data is not None and (self.spec is None or is_run):
            self.data.setup("fit")
            self.spec = self.spec_class.of(self.data)
        if self.spec is None:
            raise ConfigurationError(
                "data is None; give data to learn from, or take the task from a checkpoint."
            )
        return self.spec

    @classmethod
    def predicts_without_data(cls, run: Mapping[str, Any]) -> bool:
        """Return whether a checkpoint holds the spec."""
        return "spec" in (run.get("task_state") or {})

    def state_dict(self) -> dict[str, Any]:
        """Return the spec."""
        return {} if self.spec is None else {"spec": asdict(self.spec)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the spec of a checkpoint; data that a run sets up replace it."""
        self.spec = self.spec_class(**state["spec"])

    def added_losses(self) -> list[tf.Tensor]:
        """Return what the model's layers add to the training loss, such as regularization."""
        return [tf.cast(loss, tf.float32) for loss in self.model.losses]

    def check_built(self) -> None:
        """Refuse what needs a model before there is one.

        Raises:
            ConfigurationError: No model is made yet.
        """
        if getattr(self, "built", None) is None:
            raise ConfigurationError(
                "there is no model yet: fit the task, or take it from a checkpoint."
            )


def inputs_of(batch: Any) -> Any:
    """Return the inputs of a batch, with or without targets."""
    return batch[0] if isinstance(batch, (tuple, list)) else batch
