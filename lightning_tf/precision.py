"""Precision: the Keras dtype policy that a name means, and its use for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers

POLICIES = {
    "float32": "float32",
    "32-true": "float32",
    "32": "float32",
    "mixed_float16": "mixed_float16",
    "16-mixed": "mixed_float16",
    "16": "mixed_float16",  # as in Lightning
    "mixed_bfloat16": "mixed_bfloat16",
    "bf16-mixed": "mixed_bfloat16",
    "bf16": "mixed_bfloat16",
    "float16": "float16",
    "16-true": "float16",
    "bfloat16": "bfloat16",
    "bf16-true": "bfloat16",
    "float64": "float64",
    "64-true": "float64",
    "64": "float64",
}


MATMUL_PRECISIONS = (None, "highest", "high")  # Lightning's words
FIRST_WITH_TF32 = (8, 0)  # compute capability: Ampere


@contextmanager
def use_matmul_precision(precision: str | None) -> Iterator[None]:
    """Compute float32 products of GPUs so inside the block; afterwards as before.

    Args:
        precision: ``highest`` is float32, ``high`` TF32; None leaves it as it is.
    """
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    if precision is not None:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "high")
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def computes_in_tf32(precision: str | None) -> bool:
    """Return whether float32 products would be TF32: a GPU has it, and nobody switched it off."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    if precision == "highest" or (precision is None and not enabled):
        return False
    gpus = tf.config.get_visible_devices("GPU")
    found = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return any(each.get("compute_capability", (0, 0)) >= FIRST_WITH_TF32 for each in found)


def parse_precision(precision: str | int) -> str:
    """Return the name of the Keras policy that a precision means.

    Args:
        precision: A name of Keras (``mixed_bfloat16``) or of Lightning (``bf16-mixed``).

    Raises:
        ConfigurationError: The name is unknown.

    Example:
        >>> parse_precision("16-mixed")
        'mixed_float16'
    """
    check_known(f"precision={precision!r} is unknown", str(precision), POLICIES)
    return POLICIES[str(precision)]


@contextmanager
def use_policy(policy: str) -> Iterator[None]:
    """Use a policy as Keras' global one inside the block; the previous one comes back after it."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def check_models(owner_name: str, models: dict[str, keras.Layer], policy: str) -> None:
    """Refuse a precision that no layer of a task would compute in.

    A model that was made before the Trainer set its policy computes in the precision it was made
    with; running it under another name would be an option that does nothing.

    Raises:
        ConfigurationError: No layer computes in the policy's dtype.
    """
    dtype = keras.DTypePolicy(policy).compute_dtype
    # A float32 run changes no layer; without models there is nothing to be wrong.
    if dtype == "float32" or not models:
        return

    layers = [layer for model in models.values() for layer in flat_layers(model)]
    if all(layer.compute_dtype != dtype for layer in layers if layer.weights):
        raise ConfigurationError(
            f"precision={policy!r}: no layer of {owner_name}'s models ({', '.join(models)}) "
            f"computes in {dtype}; they were made before the Trainer. Make them in "
            f"configure_model, or call keras.config.set_dtype_policy({policy!r}) before that."
        )
