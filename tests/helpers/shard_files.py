"""Files of shards, and the data modules that docs/data_at_scale.md shows for them."""

from __future__ import annotations

import importlib.util
import io
import re
import tarfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from helpers.boring import quiet
from helpers.paths import ROOT
from helpers.streams import Fitted, fitted

from lightning_tf import Trainer

SIZES = (30, 19, 40, 7)  # records of the shards: 96, in batches of 8
KINDS = {
    "ArrayRecords": "array_record",
    "ParquetRows": "parquet",
    "TarShards": "tar",
    "Shards": "tfrecord",
}


def of_page(folder):
    """Return the module that the page's blocks of Python are together.

    As a file in `folder`: AutoGraph reads the source of what tf.data maps. Written once, before
    workers read it.
    """
    path = Path(folder) / "page.py"
    if not path.exists():
        text = (ROOT / "docs/data_at_scale.md").read_text()
        path.write_text("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))
    spec = importlib.util.spec_from_file_location("page", path)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    return page


def data(kind, folder):
    """Return a data module of the page, of four shards in a folder that are written once."""
    ending = KINDS[kind]
    if not list(Path(folder).glob(f"*.{ending}")):
        rows = np.random.default_rng(5).normal(size=(sum(SIZES), 3)).astype("float32")
        for number, shard in enumerate(np.split(rows, np.cumsum(SIZES)[:-1])):
            WRITERS[kind](str(Path(folder) / f"{number}.{ending}"), shard)
    kind_of_data = getattr(of_page(folder), kind)
    return kind_of_data([str(path) for path in Path(folder).glob(f"*.{ending}")], 8)


def task(kind, folder):
    """Return a task on the data; for a process that is killed."""
    return Fitted(data(kind, folder))


def _array_record(path, rows):
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(path, "group_size:1")
    for row in rows:
        writer.write(row.tobytes())
    writer.close()


def _parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(dict(zip("aby", rows.T, strict=True)))
    pyarrow.parquet.write_table(table, path, row_group_size=9)


def _tar(path, rows):
    with tarfile.open(path, "w") as tar:
        for number, row in enumerate(rows):
            for kind, part in (("x", row[:2]), ("y", row[2])):
                member = tarfile.TarInfo(f"{number:04}.{kind}")
                member.size = part.nbytes
                tar.addfile(member, io.BytesIO(part.tobytes()))


def _tfrecord(path, rows):
    with tf.io.TFRecordWriter(path) as writer:
        for row in rows:
            writer.write(row.tobytes())


WRITERS = {
    "ArrayRecords": _array_record,
    "ParquetRows": _parquet,
    "TarShards": _tar,
    "Shards": _tfrecord,
}


def resumed_shares(folder, files):
    """Return weights of a run on shares of files, and by batch those of runs that went on there."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))
    _, whole = fitted(data("Shards", files))
    resumed = {}
    for steps in (5, 17):
        trainer, _ = fitted(data("Shards", files), max_steps=steps)
        path = f"{folder}/{trainer.progress.batch}"
        trainer.save_checkpoint(path)
        resumed[trainer.progress.batch] = fitted(data("Shards", files), ckpt_path=path)[1]
    return whole, resumed
