"""yolo_names: the class names of a YOLO folder without data.yaml."""

from pathlib import Path

NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt")
NOT_LABELS = ("classes.txt", "train.txt", "val.txt", "test.txt")


def yolo_names(root: Path) -> list[str]:
    """Return the names by class number that ``classes.txt`` or the like lists; else none."""
    for file in NAME_FILES:
        if (root / file).is_file():
            lines = (root / file).read_text(encoding="utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return []
