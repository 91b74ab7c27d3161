import hashlib

import pytest

from lightning_tf.checkpoint import digests as file_digests
from lightning_tf.checkpoint.digests import digest, digest_while_syncing


@pytest.mark.parametrize("size", [0, 1, 10, 25])
def test_a_file_and_its_content_have_the_same_digests(tmp_path, monkeypatch, size):
    monkeypatch.setattr(file_digests, "PIECE", 10)
    content = bytes(range(size))
    (tmp_path / "file").write_bytes(content)
    pieces = [content[start : start + 10] for start in range(0, size, 10)]
    expected = [hashlib.sha256(piece).hexdigest() for piece in pieces]
    assert digest_while_syncing(tmp_path / "file") == digest(content) == expected
