"""Whether XLA compiles the steps of a task, by Keras' rule."""

import logging
import re
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.tensorflow_internals import is_op_determinism_enabled
from lightning_tf.variables import components

log = logging.getLogger("lightning_tf")

UNCOMPILABLE = "unsupported operations when trying to compile graph"
NO_KERNEL = re.compile(r"(\w+) \(No registered")


def should_jit_compile(setting: bool | str, placement: Placement, task: Any) -> bool:
    """Return whether to compile a task's steps.

    ``auto`` is Keras' rule of fit: on one GPU, where every layer supports it and operations need
    not be deterministic. It was never timed on a GPU, for there was none.

    Args:
        setting: True, False or ``auto``.
        placement: Where the steps run.
        task: Whose models are built.
    """
    if setting != "auto":
        return bool(setting)
    if not placement.is_gpu or placement.num_replicas > 1 or is_op_determinism_enabled():
        return False

    outer = [each for _, each in components(task) if isinstance(each, keras.Layer)]
    layers = [layer for each in outer for layer in flat_layers(each)]
    unable = sorted({type(layer).__name__ for layer in layers if not layer.supports_jit})
    if unable:
        log.info("jit_compile='auto': no XLA, which %s cannot be compiled with", ", ".join(unable))
        return False
    log.info("jit_compile='auto': XLA compiles the steps; jit_compile=False leaves it out")
    return True


def refuse_uncompilable(error: tf.errors.OpError, method: str) -> None:
    """Refuse a step that XLA cannot compile, which it tells when the step first runs.

    Args:
        error: Of a graph call; another one passes.
        method: The step's name.

    Raises:
        ConfigurationError: XLA does not know operations of the step.
    """
    if UNCOMPILABLE not in error.message:
        return

    operations = sorted(set(NO_KERNEL.findall(error.message)))
    raise ConfigurationError(
        f"XLA cannot compile {', '.join(operations) or 'operations'} of {method}; pass "
        "Trainer(jit_compile=False), or set supports_jit = False in the layer that has them, which "
        "jit_compile='auto' heeds."
    ) from error
