"""Data at a URL: fetched once into the cache of this machine, and again where they changed."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lightning_tf.exceptions import DataError
from lightning_tf.storage.location import cache_folder, file_system, is_url, local_path, url_of
from lightning_tf.storage.transfer import files_below, reason

log = logging.getLogger("lightning_tf")

FOLDER, NOTES = "data", "fetched"  # of the data, and of what is known of them
VERSION_TAGS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "created")
MEGABYTE = 2**20


def local_data(data: Any) -> Any:
    """Return data with a path of this disk where they are a URL, which is fetched.

    Of a folder all files are fetched, of a file that one alone. What is fetched already and has
    not changed in the store since is not fetched again.

    Args:
        data: What ``data=`` and the options beside it take: a URL as text or UPath, a dict with
            URLs as values, or anything else, which is returned as it is.

    Raises:
        ConfigurationError: Nothing can reach the URL.
        DataError: Nothing is there, or the store does not answer.

    Example:
        >>> local_data("photos"), local_data("file:///data/photos")
        ('photos', '/data/photos')
    """
    if isinstance(data, Mapping) and any(is_url(value) for value in data.values()):
        return {name: local_data(value) for name, value in data.items()}
    if not is_url(data):
        return data

    path = local_path("data", data)
    url = url_of(path)
    return path if url is None else str(_fetched(url))


def _fetched(url: str) -> Path:
    from filelock import FileLock

    root = cache_folder().with_name(FOLDER)
    scheme, _, rest = url.partition("://")
    target = root / scheme / rest
    # Not beside the target, which may lie in what another URL gave: hidden files are told there.
    notes = cache_folder().with_name(NOTES) / quote(url, safe="")
    notes.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{notes}.lock"):  # one worker of a machine fetches
            return _bring_up_to_date(url, target, Path(f"{notes}.json"))
    except DataError:
        raise
    except Exception as error:  # each store's library has errors of its own
        raise DataError(f"data={url!r} cannot be read: {reason(error)}") from error


def _bring_up_to_date(url: str, target: Path, index: Path) -> Path:
    system, path = file_system(url)
    system.invalidate_cache()
    wanted = files_below(system, path)
    if not wanted:
        raise DataError(f"data={url!r}: there is nothing; give a folder or a file.")

    target.parent.mkdir(parents=True, exist_ok=True)
    known = _read(index)
    tags = {name: _tag(info) for name, info in wanted.items()}
    missing = [name for name in wanted if known.get(name) != tags[name] or not _has(target, name)]
    for name in set(known) - set(tags):  # deleted in the store
        (target / name if name else target).unlink(missing_ok=True)
    if missing:
        size = sum(wanted[name]["size"] or 0 for name in missing) / MEGABYTE
        log.info("%s: fetching %d files, %.1f MB, into %s.", url, len(missing), size, target)
        for name in missing:
            (target / name if name else target).parent.mkdir(parents=True, exist_ok=True)
        # Together: a store answers many requests at once.
        system.get(
            [wanted[name]["name"] for name in missing],
            [str(target / name if name else target) for name in missing],
        )
        for name in missing:
            there = wanted[name]["size"]
            if there is not None and (target / name if name else target).stat().st_size != there:
                raise DataError(f"{url}: {name} was not fetched whole; try again.")
    # Last: of a process that is killed meanwhile everything is fetched again.
    index.write_text(json.dumps(tags), encoding="utf-8")
    return target


def _read(index: Path) -> dict[str, Any]:
    try:
        known = json.loads(index.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _has(target: Path, name: str) -> bool:
    return os.path.isfile(target / name if name else target)


def _tag(info: Mapping[str, Any]) -> list[str]:
    """Return what tells a file in the store from another version of it."""
    tags = [str(info[key]) for key in VERSION_TAGS if key in info]
    return [str(info["size"]), *tags[:1]]
