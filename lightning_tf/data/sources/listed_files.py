"""listed_files: the files below a folder, and what is left out of them."""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin", "system volume information")
"""What systems write beside files: no classes, in lower case."""


@dataclass
class LeftOut:
    """How many files were left out, by the reason.

    Example:
        >>> left_out = LeftOut()
        >>> left_out.add("hidden", 2)
        >>> str(left_out)
        '2 hidden'
    """

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, count: int = 1) -> None:
        """Count files that are left out."""
        if count:
            self.counts[reason] += count

    def __str__(self) -> str:
        """Return the counts in words, the largest first."""
        return ", ".join(f"{count} {reason}" for reason, count in self.counts.most_common())

    def __bool__(self) -> bool:
        """Return whether anything was left out."""
        return bool(self.counts)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder belongs to a program or the system and not to the data."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def listed_files(
    folder: Path, endings: Collection[str], left_out: LeftOut | None = None
) -> list[str]:
    """Return the files below a folder, in the order of their paths, as Keras walks them.

    Folders are entered at any depth, links to folders as well; each is read once, so that a link
    to a folder above ends nowhere.

    Args:
        folder: Where to begin.
        endings: Of the files, in lower case; capitals count as the same.
        left_out: Counts the others.

    Example:
        >>> listed_files(Path("no_such_folder"), [".txt"])
        []
    """
    left_out = LeftOut() if left_out is None else left_out
    found = []
    for path in _walk(folder, left_out):
        ending = os.path.splitext(path)[1].lower()
        if is_hidden(os.path.basename(path)):
            left_out.add("hidden")
        elif ending not in endings:
            left_out.add(f"of {ending}" if ending else "without an ending")
        else:
            found.append(path)
    return sorted(found)


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not is_hidden(p.name))


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return a path that can be printed, also where its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(folder: Path, left_out: LeftOut) -> Iterator[str]:
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)

        for name in list(folders):
            if is_hidden(name):
                folders.remove(name)
                files = sum(len(inside) for _, _, inside in os.walk(os.path.join(here, name)))
                left_out.add("in hidden folders", files)
        folders.sort()
        yield from (os.path.join(here, name) for name in names)
