"""TensorBoardEvents: a file that TensorBoard reads, written without the package tensorboard."""

import io
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import struct_pb2

HPARAMS = "hparams"
NO_TENSOR = np.zeros([0], np.float32)
STATUS = {"success": 1, "failed": 2, "interrupted": 2}  # of the hparams plugin's Status


class TensorBoardEvents:
    """Appends events to a new file of a folder.

    ``tf.summary.scalar`` and the like need the package tensorboard. What they write is small: a
    record file of Event messages, which TensorFlow itself has, with a tensor and the name of the
    plugin that draws it. Written here, a row is one record, and a resumed run can tell TensorBoard
    to forget the rows that it writes again, which ``tf.summary`` cannot.

    Args:
        folder: An existing folder. Several files in it are one run.

    Example:
        >>> events = TensorBoardEvents(Path("runs/version_0/tensorboard"))
        >>> events.scalars({"train/loss": 0.5}, step=10)
        >>> events.close()
    """

    def __init__(self, folder: Path) -> None:
        # Numbered as well: two entry points may begin within one second.
        number = len(list(folder.glob("events.out.tfevents.*")))
        self.path = folder / f"events.out.tfevents.{time.time():010.0f}.{number:04d}.lightning_tf"
        self._writer = tf.io.TFRecordWriter(str(self.path))
        self._write(file_version="brain.Event:2")

    def flush(self) -> None:
        """Write everything to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    # ---- what there is to draw

    def forget_from(self, step: int) -> None:
        """Let TensorBoard drop what earlier files of the folder say of this step and later ones."""
        session = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._write(step, session_log=session)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write a row."""
        metadata = _metadata("scalars", "DATA_CLASS_SCALAR")
        rows = [(name, np.float32(value), metadata) for name, value in values.items()]
        self._summary(step, rows)

    def images(self, name: str, pngs: Sequence[bytes], height: int, width: int, step: int) -> None:
        """Write images of one size, as PNG files' content."""
        # The plugin's format: width, height, then the files.
        strings = np.array([str(width).encode(), str(height).encode(), *pngs], object)
        self._summary(step, [(name, strings, _metadata("images", "DATA_CLASS_BLOB_SEQUENCE"))])

    def text(self, name: str, markdown: str, step: int) -> None:
        """Write a text in Markdown."""
        strings = np.array([markdown.encode()], object)
        self._summary(step, [(name, strings, _metadata("text", "DATA_CLASS_TENSOR"))])

    def histograms(self, counted: Mapping[str, tuple[np.ndarray, np.ndarray]], step: int) -> None:
        """Write histograms: n counts and the n + 1 edges of their bins."""
        metadata = _metadata("histograms", "DATA_CLASS_TENSOR")
        rows = {  # left edges, right edges and counts
            name: np.stack([edges[:-1], edges[1:], counts], axis=1)
            for name, (counts, edges) in counted.items()
        }
        self._summary(step, [(name, row, metadata) for name, row in rows.items()])

    def graph(self, graph: tf.Graph) -> None:
        """Write a graph."""
        self._write(graph_def=graph.as_graph_def(add_shapes=True).SerializeToString())

    def hparams(self, values: Mapping[str, Any], name: str) -> None:
        """Begin a run of the hparams dashboard.

        Args:
            values: Numbers, booleans and strings; anything else is written as a string.
            name: The group of runs.
        """
        plain = struct_pb2.Struct()
        for key, value in values.items():
            is_plain = isinstance(value, (bool, int, float, str))
            plain[key] = value if is_plain else str(value)

        # SessionStartInfo: hparams = 1 (a Struct has the same map there), group_name = 4,
        # start_time_secs = 5. The messages themselves are in the package tensorboard.
        info = plain.SerializeToString()
        info += _field(4, name.encode()) + b"\x29" + struct.pack("<d", time.time())
        self._hparams("session_start_info", _field(3, info))

    def end(self, status: str) -> None:
        """End a run of the hparams dashboard, with the status that loggers get."""
        # SessionEndInfo: status = 1, end_time_secs = 2.
        info = b"\x08" + bytes([STATUS[status]]) + b"\x11" + struct.pack("<d", time.time())
        self._hparams("session_end_info", _field(4, info))

    def _hparams(self, name: str, content: bytes) -> None:
        metadata = _metadata(HPARAMS, "DATA_CLASS_TENSOR", content)
        self._summary(0, [(f"_hparams_/{name}", NO_TENSOR, metadata)])

    # ---- records

    def _summary(self, step: int, values: Sequence[tuple[str, Any, Any]]) -> None:
        summary = tf.compat.v1.Summary()
        for name, value, metadata in values:
            summary.value.add(tag=name, tensor=tf.make_tensor_proto(value), metadata=metadata)
        self._write(step, summary=summary)

    def _write(self, step: int = 0, **content: Any) -> None:
        event = tf.compat.v1.Event(wall_time=time.time(), step=step, **content)
        self._writer.write(event.SerializeToString())


def _metadata(plugin: str, data_class: str, content: bytes = b"") -> Any:
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = plugin
    metadata.plugin_data.content = content
    return metadata


def _field(number: int, content: bytes) -> bytes:
    """Return a protocol buffer's field of bytes."""
    length, head = len(content), bytes([number << 3 | 2])
    # The length as a varint: seven bits a byte, the lowest first.
    while length > 127:
        head, length = head + bytes([length & 127 | 128]), length >> 7
    return head + bytes([length]) + content


def to_png(image: Any) -> bytes:
    """Return a PIL image as a PNG file's content."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
