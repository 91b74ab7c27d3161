"""ConstructedData: base of tasks whose constructor makes of `data` what they train on."""

import inspect
from typing import Any, Self

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.given_data import given_data
from lightning_tf.data.sources.held_out_options import held_out_options
from lightning_tf.data.sources.new_examples import NewExamples, examples_of
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.hyperparameters import plain_arguments
from lightning_tf.loops.training_data import data_of
from lightning_tf.task import Task


class ConstructedData(Task):
    """A Task with an argument `data`, which `Trainer.fit` may be given as well.

    ``trainer.fit(task, train_data, val_data)`` is the same as a task that was made with
    ``data=train_data``, or ``data=(train_data, val_data)``, and so refuses the same. Of folders and
    tables the validation data are an option of their source, see `held_out_options`. A model that
    is built is built to its data, so that others need another task.
    """

    data: DataModule | None
    _arguments: dict[str, Any]
    _splits: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the constructor's arguments but the data, which may be large."""
        task = super().__new__(cls, *args, **kwargs)
        try:
            bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)
        except TypeError:  # __init__ raises it
            return task
        task._arguments = {}
        for parameter in list(bound.signature.parameters.values())[1:]:  # the first is self
            value = bound.arguments.get(parameter.name)
            if parameter.kind is parameter.VAR_KEYWORD:
                task._arguments.update(value or {})
            elif parameter.name in bound.arguments and parameter.name != "data":
                task._arguments[parameter.name] = value
        return task

    def configure_data(self, splits: dict[str, Any]) -> DataModule:
        """Return training data as the constructor makes them, others by `evaluation_data`.

        Raises:
            ConfigurationError: The model is built to other data, or the task cannot read them.
        """
        name = type(self).__name__
        if "train" not in splits:
            ((stage, data),) = splits.items()
            return self.evaluation_data(stage, data)
        if self._splits is not None and _are_same(splits, self._splits):
            return data_of(self)  # a second fit goes on
        if self.configured:
            raise ConfigurationError(
                f"the model of this {name} is built to its data; make another task for others, or "
                f"{name}.from_checkpoint(path, data=...) to go on with its weights."
            )

        arguments = {**self._arguments, **_data_arguments(splits, self._arguments)}
        before, self.hparams = self.hparams, plain_arguments(type(self), (), arguments)
        try:
            type(self).__init__(self, **arguments)
        except BaseException:
            self.hparams = before
            raise
        self._splits = splits
        return data_of(self)

    def new_examples(self, data: Any) -> NewExamples:
        """Return arrays, datasets or a DataModule as batches for `predict_step`."""
        return examples_of(given_data({"predict": data}))

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return data that an evaluation or a prediction was given; a task that can overrides it.

        Args:
            stage: ``val``, ``test`` or ``predict``.
            data: As they were given.

        Raises:
            ConfigurationError: The task cannot read them as it has read its training data.
        """
        name = type(self).__name__
        raise ConfigurationError(
            f"{name} reads its {stage} data as it has learned its training data, so an entry point "
            f"takes no others: give them with data= when you make the task, or "
            f"{name}.from_checkpoint(path, data=...)."
        )


def _data_arguments(splits: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments that mean training and validation data."""
    train, held_out = splits["train"], {n: data for n, data in splits.items() if n != "train"}
    options = held_out_options(train, held_out) if held_out else None
    if options is not None:
        given = arguments.get("data_options") or {}
        return {"data": train, "data_options": {**given, **options}}
    return {"data": (train, splits["val"]) if "val" in splits else train}


def _are_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)
