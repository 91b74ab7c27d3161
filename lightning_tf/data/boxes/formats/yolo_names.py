"""yolo_names: the class names of a YOLO folder."""

from collections.abc import Mapping
from pathlib import Path

from lightning_tf.exceptions import DataError

NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt")
NOT_LABELS = ("classes.txt", "train.txt", "val.txt", "test.txt")


def yolo_names(root: Path) -> list[str]:
    """Return the names by class number, from ``data.yaml`` or ``classes.txt``; else none.

    Raises:
        DataError: The file cannot be read, or numbers have holes.
    """
    for path in (*sorted(root.glob("data.y*ml")), *sorted(root.glob("dataset.y*ml"))):
        return _names_of_yaml(path)
    for file in NAME_FILES:
        if (root / file).is_file():
            lines = (root / file).read_text(encoding="utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip()]
    return []


def _names_of_yaml(path: Path) -> list[str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as YAML ({error}).") from error
    names = content.get("names") if isinstance(content, Mapping) else None
    if isinstance(names, Mapping):
        numbers = sorted(names)
        if numbers != list(range(len(numbers))):
            raise DataError(f"{path} names the classes {numbers}; number them from 0 on.")
        names = [names[number] for number in numbers]
    if not isinstance(names, list):
        raise DataError(f"{path} has no list 'names'; add the names of the classes.")
    return [str(name) for name in names]
