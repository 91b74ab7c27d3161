"""seed_everything: one seed for Python, NumPy, TensorFlow and Keras."""

import random
from typing import Any

import keras
import numpy as np

from lightning_tf.checks import checked_integer
from lightning_tf.keras_internals import global_seed_generator

MAX_SEED = 2**32 - 1
_last_seed: int | None = None


def seed_everything(seed: int) -> int:
    """Seed the generators of Python, NumPy, TensorFlow and Keras.

    Args:
        seed: In 0..2**32 - 1.

    Returns:
        The seed.

    Raises:
        ConfigurationError: The seed is not an integer in that range.

    Example:
        >>> seed_everything(42)
        42
    """
    global _last_seed
    seed = checked_integer("seed", seed, least=0, most=MAX_SEED)
    keras.utils.set_random_seed(seed)
    generator = global_seed_generator()
    if generator is not None:  # Keras makes it once in a process and never seeds it again
        generator.state.assign([seed, 0])

    _last_seed = seed
    return seed


def get_last_seed() -> int | None:
    """Return the seed that `seed_everything` set last in this process, or None."""
    return _last_seed


def random_state() -> dict[str, Any]:
    """Return the state of Python's and NumPy's generators, as plain data."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` gave."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
