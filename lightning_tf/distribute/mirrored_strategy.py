"""get_mirrored_strategy: the strategy of several devices of this machine."""

from functools import cache

import tensorflow as tf

from lightning_tf.tensorflow_internals import make_mirrored_strategy

KEYS_OF_A_STRATEGY = 10_000


@cache
def get_mirrored_strategy(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Return the one strategy of these devices in this process, so that variables stay in it.

    Args:
        devices: Such as ``/GPU:0``, all of one kind.

    Example:
        >>> get_mirrored_strategy(("/CPU:0",)) is get_mirrored_strategy(("/CPU:0",))
        True
    """
    names = [name.lstrip("/") for name in devices]
    if "CPU" in names[0]:
        # TensorFlow's default here, a ring, fails where a process had a strategy of another size.
        return tf.distribute.MirroredStrategy(names, tf.distribute.ReductionToOneDevice())

    # One key for each set of devices keeps their groups apart.
    key = KEYS_OF_A_STRATEGY * sum(2 ** int(name.rsplit(":", 1)[-1]) for name in names)
    return make_mirrored_strategy(names, key)
