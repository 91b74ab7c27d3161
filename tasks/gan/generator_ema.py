"""GeneratorEMA: moves the average of a generator's weights after each of its updates."""

import weakref
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.trainer import Trainer


class GeneratorEMA(Callback):
    """Lets a task's `averaged_generator` follow its `generator`, inside the compiled step.

    ``average = d * average + (1 - d) * weight`` with ``d = min(decay, (1 + t) / (10 + t))`` after
    update t of the optimizer "generator". Statistics of batch normalisation are averaged with the
    weights. The average is a model of the task, so every checkpoint holds it.

    Source: Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training", 2019,
    https://arxiv.org/abs/1806.04498.

    Args:
        decay: Share of the old average that stays, in [0, 1).
    """

    logs_metrics = False

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._followed: weakref.ref[Any] | None = None  # the optimizer; it outlives no fit here

    def on_optimizers_configured(self, trainer: Trainer, task: Any) -> None:
        """Enter the compiled step, once for each optimizer that is made."""
        if trainer.training is None:
            return
        optimizer = trainer.training.optimizers["generator"]
        if self._followed is not None and self._followed() is optimizer:
            return  # another fit of the same Trainer
        self._followed = weakref.ref(optimizer)

        def follow(updated: Sequence[Any]) -> None:
            count = tf.cast(optimizer.optimizer.iterations.value, tf.float32)
            decay = tf.minimum(self.decay, (1.0 + count) / (10.0 + count))

            # Variables, not trainable weights alone: they include statistics of normalisation.
            pairs = zip(task.averaged_generator.variables, task.generator.variables, strict=True)
            for average, variable in pairs:
                if not tf.as_dtype(variable.dtype).is_floating:
                    continue
                value = tf.convert_to_tensor(variable.value)
                share = tf.cast(decay, value.dtype)
                average.assign(share * average.value + (1.0 - share) * value)

        optimizer.call_after_update(follow)  # inside the compiled step, after each update


def copy_generator(generator: keras.Model) -> keras.Model:
    """Return a copy of a generator that no optimizer updates.

    Raises:
        ConfigurationError: The model is subclassed, so that Keras cannot copy it.
    """
    try:
        copy = keras.models.clone_model(generator)
    except ValueError as error:  # Keras' answer to a subclassed model
        raise ConfigurationError(
            f"ema: Keras cannot copy {generator.name!r} ({error}); make it Functional or "
            "Sequential, or pass ema=0."
        ) from error

    copy.set_weights(generator.get_weights())
    copy.trainable = False
    return copy
