"""The state of a tf.data iterator as text: what it has read ahead, and where it goes on."""

import base64
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import tensorflow as tf

from lightning_tf.screen import unchanged_root


def iterator_state(iterator: Any) -> str:
    """Return the state of an iterator; the pipeline stands still meanwhile.

    It holds the elements of shuffle buffers, and those that wait to be read.

    Args:
        iterator: Of a `tf.data.Dataset`.

    Raises:
        tf.errors.OpError: A step of the pipeline calls Python, or draws random numbers without a
            seed of its own: TensorFlow cannot save it.
    """
    with tempfile.TemporaryDirectory() as folder, unchanged_root():
        tf.train.Checkpoint(iterator=iterator).write(f"{folder}/state")
        files = {
            path.name: base64.b64encode(zlib.compress(path.read_bytes(), 1)).decode()
            for path in Path(folder).iterdir()
        }
    return json.dumps(files)


def restore_iterator(iterator: Any, state: str) -> None:
    """Let an iterator of an equal pipeline go on where another one stood.

    Raises:
        ValueError: The state is of another pipeline.
    """
    with tempfile.TemporaryDirectory() as folder, unchanged_root():
        for name, content in json.loads(state).items():
            # Files of TensorFlow's names alone: no path out of the folder.
            (Path(folder) / Path(name).name).write_bytes(zlib.decompress(base64.b64decode(content)))
        try:
            tf.train.Checkpoint(iterator=iterator).read(f"{folder}/state").assert_consumed()
        except (tf.errors.OpError, AssertionError) as error:
            raise ValueError(f"the state is of another pipeline: {error}") from error
