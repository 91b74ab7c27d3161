"""detector_data: what a user gives as `data`, as a DataModule."""

from typing import Any

from lightning_tf.data.boxes.detection_data import detection_data
from lightning_tf.data.data_module import DataModule


def detector_data(data: Any, **options: Any) -> DataModule | None:
    """Return a DataModule as it is, None as None, and what `detection_data` makes of the rest.

    Args:
        data: A name, a file, a folder, arrays, a DataModule, or None.
        **options: Of `detection_data`; a DataModule brings its own.
    """
    if data is None or isinstance(data, DataModule):
        return data
    return detection_data(data, **options)
