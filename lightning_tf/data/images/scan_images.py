"""scan_images: one look at every image file before any work: kind, orientation, what is broken."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.read_pixels import read_stored, value_limits
from lightning_tf.data.images.stored_values import stored_range
from lightning_tf.data.pipeline.options import parallel_calls
from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.data.sources.shared_scan import shared_scan
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)
Seen = dict[str, Any]  # of a file that is not plain and upright


@dataclass(frozen=True)
class ScannedImages:
    """What a look at every file found.

    Attributes:
        paths: The files.
        broken: Indices of files that cannot be decoded.
        is_plain: Whether TensorFlow decodes each file.
        orientations: EXIF's number of each plain file, 1 for the others.
        decoding: With the value range of the files of more than eight bits, where there are some.
    """

    paths: Sequence[str]
    broken: list[int]
    is_plain: NDArray[np.bool_]
    orientations: NDArray[np.int32]
    decoding: ImageDecoding

    def encoded(self, labels: NDArray[Any] | None, rows: NDArray[Any]) -> EncodedImages:
        """Return the files at these indices, to be decoded in the pipeline.

        Args:
            labels: The class of each file at `rows`, or None.
            rows: Indices.
        """
        return EncodedImages(
            [self.paths[row] for row in rows],
            labels,
            are_paths=True,
            is_plain=self.is_plain[rows],
            orientations=self.orientations[rows],
            **vars(self.decoding),
        )


def scan_images(
    workers: Workers,
    root: Path,
    paths: Sequence[str],
    decoding: ImageDecoding,
    action: str,
    training: NDArray[np.bool_] | None = None,
    *,
    decodes: bool = True,
) -> ScannedImages:
    """Look at every image once, all workers together.

    Files of more than eight bits are scaled alike, by the values that those of the training split
    hold: what is darker in the data stays darker. The log says which values these are.

    Args:
        workers: All of them call this; each looks at its shard.
        root: The folder that the files are in.
        paths: The files.
        decoding: Of the pixels. A value range that it has stands.
        action: What becomes of broken ones: ``error`` or ``skip``.
        training: Whether each file is of the training split; None means all.
        decodes: Whether every file is decoded, so that all broken ones are found; False reads
            headers, and decodes files of more than eight bits alone. One bad header, and all files
            are decoded all the same: the message counts what is broken.

    Raises:
        DataError: There are broken ones, and `action` is ``error``; names the first.
    """
    seen = shared_scan(
        workers, root, paths, lambda shard: _look_at(paths, shard, decoding, decodes)
    )
    broken = [index for index, found in seen.items() if "broken" in found]
    if broken and not decodes:
        return scan_images(workers, root, paths, decoding, action, training)
    if broken:
        first = broken[0]
        skip_or_raise(
            "broken",
            action,
            f"{len(broken)} of {len(paths)} images cannot be decoded, the first is "
            f"{shown_path(paths[first])}: {str(seen[first]['broken']).rstrip('.')}",
        )

    is_plain, orientations = np.ones(len(paths), bool), np.ones(len(paths), np.int32)
    for index, found in seen.items():
        is_plain[index] = found.get("plain", False)
        orientations[index] = found.get("orientation", 1)
    limits = {index: found["limits"] for index, found in seen.items() if "limits" in found}
    if limits:
        decoding = _with_range(root, decoding, limits, len(paths), training)
    return ScannedImages(paths, broken, is_plain, orientations, decoding)


def _look_at(
    paths: Sequence[str], shard: slice, decoding: ImageDecoding, decodes: bool
) -> dict[int, Seen]:
    """Return what there is to tell of the files of a shard: nothing of plain whole ones."""
    seen: dict[int, Seen] = {}
    plain: list[int] = []
    others: list[int] = []
    for index in range(shard.start, shard.stop):
        try:
            header = ImageHeader.read(paths[index])
        except DataError as error:
            seen[index] = {"broken": str(error)}
            continue
        if decodes or header.is_deep:
            (plain if header.is_plain else others).append(index)
        elif not header.is_plain:
            seen[index] = {}
        if header.is_plain and header.orientation != 1:
            seen[index] = {"plain": True, "orientation": header.orientation}

    # Both decode on all cores, outside of Python's lock.
    images = EncodedImages(
        [paths[index] for index in plain], None, are_paths=True, **vars(decoding)
    )
    for place, reason in images.reasons(np.arange(len(plain), dtype=np.int64)).items():
        seen[plain[place]] = {"broken": reason}
    with ThreadPoolExecutor(parallel_calls()) as pool:
        seen.update(zip(others, pool.map(lambda i: _try(paths[i]), others), strict=True))
    return dict(sorted(seen.items()))


def _try(path: str) -> Seen:
    try:
        values, _ = read_stored(path)
    except DataError as error:
        return {"broken": str(error)}
    return {} if values.dtype == np.uint8 else {"limits": value_limits(values)}


def _with_range(
    root: Path,
    decoding: ImageDecoding,
    limits: dict[int, Any],
    count: int,
    training: NDArray[np.bool_] | None,
) -> ImageDecoding:
    """Return the decoding with one range for all files of more than eight bits."""
    decides = [found for i, found in limits.items() if training is None or training[i]]
    decides = decides or list(limits.values())
    low, high = min(found[0] for found in decides), max(found[1] for found in decides)
    given = decoding.value_range
    chosen = given or stored_range(low, high, any(found[2] for found in decides))

    _log.info(
        "%s: %d of %d images have more than eight bits, with values from %g to %g; %g becomes "
        "black and %g white%s.",
        shown_path(root),
        len(limits),
        count,
        low,
        high,
        *chosen,
        "" if given else ", or what value_range= says",
    )
    outside = [i for i, found in limits.items() if found[0] < chosen[0] or found[1] > chosen[1]]
    if outside:
        _log.warning(
            "%s: %d images have values outside of %g to %g, which are clipped; the range was "
            "taken from the training images: pass value_range= for another one.",
            shown_path(root),
            len(outside),
            *chosen,
        )
    return replace(decoding, value_range=chosen)
