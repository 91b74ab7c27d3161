"""find_broken_images: which files of a folder cannot be decoded."""

from collections.abc import Sequence
from pathlib import Path

from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.sources.shared_scan import shared_scan
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.distribute.workers import Workers


def find_broken_images(
    workers: Workers, root: Path, paths: Sequence[str], images: EncodedImages, action: str
) -> list[int]:
    """Decode every image once, all workers together, and return the indices of broken ones.

    Args:
        workers: All of them call this.
        root: The folder that the files are in.
        paths: The files.
        images: The same files.
        action: ``error`` or ``skip``.

    Raises:
        DataError: There are broken ones, and `action` is ``error``; names the first.
    """
    broken = shared_scan(workers, root, paths, images.find_broken)
    if broken:
        first, reason = next(iter(broken.items()))
        skip_or_raise(
            "broken",
            action,
            f"{len(broken)} of {len(paths)} images cannot be decoded, the first is "
            f"{paths[first]}: {reason}",
        )
    return list(broken)
