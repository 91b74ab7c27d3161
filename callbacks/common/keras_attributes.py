"""KerasAttributes: what model.fit sets on a model, for the callbacks of Keras that look at it."""

from functools import partial
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import components


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
            "get_metrics_result": partial(values_so_far, trainer),
        }
        optimizer = trainer.optimizers.get(name) or trainer.optimizers.get("")
        if optimizer is not None:
            attributes["optimizer"] = optimizer

        # Not setattr: Keras would track what is set here.
        self._attributes = vars(model)
        self._before = {key: self._attributes.get(key) for key in attributes}
        self._attributes.update(attributes)

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
