"""The options that say in which order, and how often, training examples come."""

from collections.abc import Iterable
from typing import Any

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.indexed_data import BALANCED, IndexedData
from lightning_tf.exceptions import ConfigurationError

WITHOUT_CLASSES = ("shuffle", "drop_remainder")
ORDER_OPTIONS = ("sampling", *WITHOUT_CLASSES)
REMEDIES = {
    "sampling": "balance them there with tf.data.Dataset.sample_from_datasets, or weigh the loss "
    "with class_weight='balanced'",
    "shuffle": "their order is what they give",
    "drop_remainder": "batch them there with drop_remainder=True",
}


def take_order_options(
    options: dict[str, Any], names: Iterable[str] = ORDER_OPTIONS
) -> dict[str, Any]:
    """Take the order's options out of a source's.

    Args:
        options: Of the source; those of the order are taken out.
        names: Which the source has; of series and boxes none is sampled by class.

    Raises:
        ConfigurationError: A value is unknown, or two contradict each other.

    Example:
        >>> options = {"batch_size": 8, "shuffle": False}
        >>> take_order_options(options), options
        ({'shuffle': False}, {'batch_size': 8})
    """
    order = {name: options.pop(name) for name in names if name in options}
    sampling = order.get("sampling")
    if sampling not in (None, BALANCED):
        raise ConfigurationError(f"sampling={sampling!r}: give 'balanced', or None.")
    for name in ("shuffle", "drop_remainder"):
        if not isinstance(order.get(name, False), bool):
            raise ConfigurationError(f"{name}={order[name]!r}: give True or False.")
    if sampling and order.get("shuffle") is False:
        raise ConfigurationError("sampling='balanced' draws examples anew; drop shuffle=False.")
    return order


def with_order(data: DataModule, order: dict[str, Any]) -> DataModule:
    """Return data that give their training examples as the options say.

    Raises:
        ConfigurationError: The data cannot be read by index.
    """
    for name, value in order.items():
        if not isinstance(data, IndexedData):
            raise ConfigurationError(
                f"{name}={value!r} is for examples that are read by index, and "
                f"{type(data).__name__} gives batches as they come: {REMEDIES[name]}."
            )
        setattr(data, name, value)
    return data
