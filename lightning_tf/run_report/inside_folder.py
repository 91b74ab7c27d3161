"""Files of a run's folder, and nothing that only seems to stand in it."""

import os
from pathlib import Path


def inside_folder(folder: Path, name: str | os.PathLike[str]) -> Path | None:
    """Return a file or folder of a run; None where it is missing or stands elsewhere.

    A page is given away: what a link or ``..`` leads to is not the run's to show.

    Args:
        folder: Of the run.
        name: A path from there.

    Example:
        >>> inside_folder(Path("runs/version_0"), "../../secret.png")
    """
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # loops of links, names with a zero byte
        return None


def leads_out(folder: Path, name: str | os.PathLike[str]) -> bool:
    """Return whether a path from a run's folder ends outside of it."""
    try:
        root = folder.resolve()
        return not (root / name).resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return True


def list_folder(folder: Path, name: str) -> list[Path]:
    """Return what stands in a folder of the run, by name; nothing where it leads elsewhere."""
    path = inside_folder(folder, name)
    if path is None or not path.is_dir():
        return []
    return sorted(path.iterdir())


def read_text(folder: Path, name: str | os.PathLike[str]) -> str | None:
    """Return the text of a run's file; None where there is none.

    What is no UTF-8 becomes a replacement character: a page about a damaged run is of use.
    """
    path = inside_folder(folder, name)
    if path is None or not path.is_file():
        return None
    return path.read_bytes().decode("utf-8", "replace")
