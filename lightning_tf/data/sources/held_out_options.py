"""held_out_options: validation and test data beside a source, as options of that source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.data.sources.table_file import is_frame, is_records, is_table_file


def held_out_options(data: Any, held_out: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of `image_data`, `text_data` or a table for data of the same kind.

    Args:
        data: What is trained on.
        held_out: By ``val`` and ``test``, what is not.

    Returns:
        ``splits`` of a folder of classes, ``val`` and ``test`` of a table; None where `data` are
        neither, such as arrays or a name.

    Example:
        >>> held_out_options([{"x": 1, "y": 2}], {"val": "val.csv"})
        {'val': 'val.csv'}
    """
    if is_frame(data) or is_records(data):
        return dict(held_out)
    if not isinstance(data, (str, os.PathLike)):
        return None
    if is_table_file(os.fspath(data)):
        return dict(held_out)
    if not Path(data).expanduser().is_dir():
        return None
    folders = {name: str(Path(each).expanduser().absolute()) for name, each in held_out.items()}
    return {"splits": {"train": ".", **folders}}
