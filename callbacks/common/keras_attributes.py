"""KerasAttributes: what model.fit sets on a model, for the callbacks of Keras that look at it."""

import functools
from collections.abc import Callable
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import components

# What a callback may call of a model, which then reads the model's own metrics by the last.
OF_FIT = ("fit", "evaluate", "train_on_batch", "test_on_batch")
RESULT = "get_metrics_result"


class KerasAttributes:
    """What model.fit sets on the model that its callbacks see, for the time of a run.

    Args:
        trainer: Gives the optimizers and the values.
        name: Under which an optimizer of the model is known.
        model: The model.
    """

    def __init__(self, trainer: Trainer, name: str, model: keras.Model) -> None:
        attributes: dict[str, Any] = {
            "stop_training": False,
            "stop_evaluating": False,
            "stop_predicting": False,
            RESULT: functools.partial(values_so_far, trainer),
            **{name: self._with_own_result(getattr(model, name)) for name in OF_FIT},
        }
        optimizer = trainer.optimizers.get(name) or trainer.optimizers.get("")
        if optimizer is not None:
            attributes["optimizer"] = optimizer

        # Not setattr: Keras would track what is set here.
        self._attributes = vars(model)
        self._before = {key: self._attributes.get(key) for key in attributes}
        self._attributes.update(attributes)

    def _with_own_result(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Let a method of the model read the model's metrics, and not the run's."""

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            of_the_run = self._attributes.pop(RESULT, None)
            try:
                return method(*args, **kwargs)
            finally:
                if of_the_run is not None:
                    self._attributes[RESULT] = of_the_run

        return call

    def restore(self) -> None:
        """Leave the attributes as they were; what was not there is not there again."""
        for name, value in self._before.items():
            if value is None:
                self._attributes.pop(name, None)
            else:
                self._attributes[name] = value


def main_model(task: Task) -> tuple[str, Any]:
    """Return the name and the object of the task's main model."""
    models = [(name, part) for name, part in components(task) if isinstance(part, keras.Model)]
    if not models:
        raise ConfigurationError(
            f"a Keras callback needs a keras.Model; {type(task).__name__} has none as an attribute."
        )
    return next((pair for pair in models if pair[0] == "model"), models[0])


def values_so_far(trainer: Trainer) -> dict[str, float]:
    """Return the values of the running stage over the batches so far, without its prefix."""
    return {split_metric(n)[1]: value for n, value in trainer.running_metrics().items()}
