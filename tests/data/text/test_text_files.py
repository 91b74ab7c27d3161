"""Texts that are read on their way into a batch."""

import numpy as np
import pytest

from lightning_tf.data.text.text_files import TextFiles, read_text
from lightning_tf.exceptions import DataError

LINES = "né\r\n\r\nßt\rend\n\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((LINES.encode(), "utf-8"), id="utf-8"),
        pytest.param((LINES.encode(), "UTF8"), id="utf-8 by another name"),
        pytest.param((LINES.encode("utf-8-sig"), "utf-8"), id="a byte order mark that stays"),
        pytest.param((LINES.encode("utf-8-sig"), "utf-8-sig"), id="a byte order mark that goes"),
        pytest.param((b"a\r\nb\0c\r", "ascii"), id="ascii"),
        pytest.param((LINES.encode("latin-1"), "latin-1"), id="latin-1"),
        pytest.param(("„a“ €\r\n".encode("cp1252"), "cp1252"), id="of windows"),
        pytest.param((LINES.encode("utf-16"), "utf-16"), id="utf-16 with a mark"),
        pytest.param((LINES.encode("utf-16-le"), "utf-16-le"), id="utf-16 without one"),
        pytest.param(("日本\r\n語".encode("shift_jis"), "shift_jis"), id="of japan"),
        pytest.param((rb"a\ud800b", "unicode_escape"), id="a lone surrogate"),
        pytest.param((b"", "utf-16"), id="nothing"),
    ],
)
def test_a_text_is_what_python_reads(tmp_path, content):
    path, (encoded, encoding) = str(tmp_path / "x.txt"), content
    (tmp_path / "x.txt").write_bytes(encoded)
    files = TextFiles([path], np.array([7], "int32"), encoding)
    [(texts, labels)] = files.batches(np.array([0]), 4).as_numpy_iterator()
    assert texts.tolist() == [read_text(path, encoding).encode("utf-8", "replace")]
    assert labels.tolist() == [7]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_batches_come_in_the_order_of_the_indices(tmp_path, encoding):
    paths = [tmp_path / f"{number}.txt" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_text(f"text {number}")
    files = TextFiles([str(path) for path in paths], np.arange(40), encoding)
    order = np.random.RandomState(0).permutation(40)
    batches = list(files.batches(order, 16).as_numpy_iterator())
    assert [len(texts) for texts, _ in batches] == [16, 16, 8]
    assert np.concatenate([labels for _, labels in batches]).tolist() == order.tolist()
    read = np.concatenate(list(files.inputs(order, 16).as_numpy_iterator()))
    assert read.tolist() == [f"text {number}".encode() for number in order]
    assert not list(files.inputs(order[:0], 16))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "no such encoding"])
def test_a_file_in_another_encoding_is_named(tmp_path, encoding):
    (tmp_path / "x.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=rf"x\.txt cannot be read in {encoding}: .* Pass encoding="):
        read_text(str(tmp_path / "x.txt"), encoding)
