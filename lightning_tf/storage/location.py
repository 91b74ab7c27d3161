"""Where a path argument leads: to this disk, or to a working copy of what stands at a URL.

A URL's working copy has its address in the path, ``<cache>/remote/s3/bucket/run``, so that either
follows from the other, in every process and on every machine.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lightning_tf.exceptions import ConfigurationError

# RFC 3986, of at least two characters: "c:" is a drive.
SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+"
URL = re.compile(rf"({SCHEME})://(.*)", re.DOTALL)
COLLAPSED = re.compile(rf"({SCHEME}):/[^/].*", re.DOTALL)
DRIVE = re.compile(r"[A-Za-z]:")
LOCAL = ("file", "local")
CACHE, FOLDER = "LIGHTNING_TF_CACHE", "remote"

_options: dict[str, dict[str, Any]] = {}  # by URL: what a UPath brought, such as an endpoint


def is_url(value: Any) -> bool:
    """Return whether a path argument is a URL: text with a scheme, or a UPath of one.

    Example:
        >>> is_url("s3://bucket/run"), is_url("runs/version_0"), is_url("c:/runs")
        (True, False, False)
    """
    return URL.fullmatch(_text(value)) is not None


def local_path(name: str, value: Any) -> str:
    """Return the path on this disk that a path argument means; ``~`` is the home folder.

    Args:
        name: The argument, for messages.
        value: Text, a `pathlib.Path`, a UPath, ``file://...`` or a URL that fsspec knows, which
            gives its working copy. Nothing is read or written.

    Raises:
        ConfigurationError: No path can mean it, nothing knows the scheme, or a package is missing.

    Example:
        >>> local_path("dirpath", "file:///tmp/runs")
        '/tmp/runs'
    """
    text = _text(value)
    match = URL.fullmatch(text)
    if match is not None and match[1].lower() in LOCAL:
        path = unquote(match[2].removeprefix("localhost"))
        if not os.path.isabs(path) and not DRIVE.match(path):
            raise ConfigurationError(
                f"{name}={text!r}: after file:// stands an absolute path, file:///{match[2]}; give "
                "a relative one without the scheme."
            )
        return path
    if match is not None:
        return str(_working_copy(name, text, value))

    if "://" in text and not DRIVE.match(text):
        raise ConfigurationError(
            f"{name}={text!r} is no URL that is known here, and no folder: give a plain one, such "
            "as s3://bucket/run, or a local path."
        )
    collapsed = COLLAPSED.fullmatch(text)
    if collapsed is not None:
        raise ConfigurationError(
            f"{name}={text!r} is a URL that pathlib has shortened, or a folder named "
            f"'{collapsed[1]}:': give the URL as text or as a UPath, and a folder as './{text}'."
        )
    return os.path.expanduser(text)


def as_text(value: Any) -> Any:
    """Return a path argument that is a UPath as text, its URL; everything else as it is.

    A UPath of a store is no `os.PathLike`, and brings options that later calls need.

    Example:
        >>> as_text("runs"), as_text(None)
        ('runs', None)
    """
    if isinstance(value, (str, os.PathLike)) or not is_url(value):
        return value
    path = local_path("path", value)
    return url_of(path) or path


def url_of(path: str | os.PathLike[str]) -> str | None:
    """Return the URL whose working copy a path is; None for every other path.

    Example:
        >>> url_of(local_path("dirpath", "memory://bucket/run"))
        'memory://bucket/run'
    """
    try:
        parts = Path(os.path.abspath(path)).relative_to(cache_folder()).parts
    except ValueError:
        return None
    return f"{parts[0]}://{'/'.join(parts[1:])}" if len(parts) > 1 else None


def portable(path: str) -> str:
    """Return a path as another machine understands it: of a working copy the URL."""
    return url_of(path) or path


def on_this_disk(path: str) -> str:
    """Return what `portable` returned as a path of this machine."""
    return local_path("path", path) if is_url(path) else path


def cache_folder() -> Path:
    """Return the folder of the working copies, outside of every working directory."""
    chosen = os.environ.get(CACHE)
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(chosen) if chosen else Path(home) / "lightning_tf"
    return root.expanduser().absolute() / FOLDER


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it.

    Raises:
        ConfigurationError: fsspec or what it needs is missing, or nothing knows the scheme.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ConfigurationError(
            f"{url} needs the package fsspec: pip install 'lightning-tf[remote]'."
        ) from error

    known = [parent for parent in _options if url == parent or url.startswith(f"{parent}/")]
    options = _options[max(known, key=len)] if known else {}
    try:
        system, path = url_to_fs(url, **options)
    except ImportError as error:  # fsspec names the package that brings the scheme
        raise ConfigurationError(f"{url} cannot be reached: {error}") from error
    except ValueError as error:
        scheme = url.partition(":")[0]
        raise ConfigurationError(
            f"{url}: no file system knows {scheme!r} ({error}); give a local path, or a URL such "
            "as s3://bucket/run, gs://bucket/run or file:///runs."
        ) from error
    return system, str(path)


def _text(value: Any) -> str:
    """Return a path argument as text; empty for what is none."""
    if isinstance(value, str):
        return value
    if hasattr(value, "storage_options") and hasattr(value, "protocol"):  # a UPath, local ones too
        return str(value)
    text = os.fspath(value) if isinstance(value, os.PathLike) else ""
    return text if isinstance(text, str) else ""


def _working_copy(name: str, text: str, value: Any) -> Path:
    scheme, _, rest = text.partition("://")
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    unfit = [part for part in parts if part == ".." or any(c in part for c in ':*?"<>|\\\0')]
    if not parts or unfit or "::" in text:
        reason = f"{unfit[0]!r} is no name of a folder" if unfit else "it names no folder"
        raise ConfigurationError(
            f"{name}={text!r}: {reason} here; give a plain URL, such as {scheme}://bucket/run."
        )
    url = f"{scheme.lower()}://{'/'.join(parts)}"
    if options := dict(getattr(value, "storage_options", None) or {}):
        _options[url] = options
    file_system(url)  # a package that is missing is named before anything is done
    return cache_folder().joinpath(scheme.lower(), *parts)
