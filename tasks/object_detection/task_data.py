"""detector_data: what a user gives as `data`, as a DataModule."""

import inspect
from collections.abc import Mapping
from typing import Any

from lightning_tf.checks import check_known
from lightning_tf.data.boxes.detection_data import detection_data
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.options import use_as_is
from lightning_tf.exceptions import ConfigurationError

KNOWN = set(inspect.signature(detection_data).parameters) - {"data"}


def detector_data(
    data: Any, *, image_size: tuple[int, int], resize: str, more: Any, **options: Any
) -> DataModule | None:
    """Return a DataModule as it is, None as None, and what `detection_data` makes of the rest.

    Args:
        data: A name, a file, a folder, arrays, a DataModule, or None.
        image_size: Of the input images; a DataModule brings its own.
        resize: How images come into it; a DataModule brings its own.
        more: The task's `data_options`.
        **options: Further options of `detection_data`.

    Raises:
        ConfigurationError: An option is unknown, or stands beside a DataModule, which would not
            follow it.
    """
    more = {} if more is None else more
    if not isinstance(more, Mapping):
        raise ConfigurationError(
            f"data_options={more!r}: give a dict, such as {{'empty': 'drop'}}."
        )
    for name in more:
        check_known(f"data_options has no entry {name!r}", name, KNOWN)

    if data is None:
        return None
    options = {name: value for name, value in {**options, **more}.items() if value is not None}
    if isinstance(data, DataModule):
        return use_as_is(data, options)
    return detection_data(data, **{"image_size": image_size, "resize": resize, **options})
